"""One change of plan in its transaction: what is given back, what is charged (rule B17)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from billing.errors import NotFound, Refused
from billing.model.credits import CreditNoteView
from billing.model.money import Money
from billing.model.plan import PlanTerms
from billing.model.plan_changes import ChangeKind, ChangeState, PlanChangeReceipt, When
from billing.model.profile import BillIn, BillingKind, BillingProfile
from billing.rules.cycles import cycle_of, local_day
from billing.rules.moves import bills_by_itself
from billing.rules.plan_changes import when_by_price
from billing.rules.plans import sale_problem
from billing.services import cycle_bills, due_bills
from billing.services.bills import tx_customer
from billing.services.context import Context
from billing.services.credits import note_credit
from billing.services.customers import finish
from billing.services.issuing import operator_of
from billing.services.plan_refunds import BillGiven, give_back_bills, give_back_packages
from billing.services.sales import sell_within
from billing.services.settling import settle, short_words
from billing.store import catalog, entitlements, grants, invoices, ledger, tables
from billing.store import customers as customer_store
from billing.store import plan_changes as store
from billing.store.guard import Transaction

_ONE_DAY = timedelta(days=1)


@dataclass
class _Outcome:
    """What was moved so far, in micros, and in words."""

    credited_micros: int = 0
    charged_micros: int = 0
    documents: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    taken_back: list[tuple[tables.Invoice, CreditNoteView]] = field(default_factory=list)


class PlanSwitch:
    """One change in its transaction; the customer is locked."""

    def __init__(
        self,
        context: Context,
        tx: Transaction,
        row: tables.Subscription,
        plan_id: int,
        now: datetime,
    ) -> None:
        self.context, self.tx, self.row, self.now = context, tx, row, now
        self.time_zone = operator_of(tx).time_zone
        self.today = local_day(now, self.time_zone)
        self.profile = customer_store.effective_profile(tx, row)
        self.new = self._terms(plan_id)
        self.old = (
            None if row.plan_version_id is None else catalog.get_terms(tx, row.plan_version_id)
        )
        self.done = _Outcome()

    def carry_out(self, when: When | None) -> PlanChangeReceipt:
        """Now or next, as the prices say unless `when` does; raises Refused, NotFound."""
        self._check()
        when = when or when_by_price(self.old, self.new)
        drop_pending(self.tx, self.row, "another change takes its place", self.now)
        if when is When.NEXT and self._nothing_to_wait_for():
            when = When.NOW
        change = self._next() if when is When.NEXT else self._at_once()
        currency = self.new.currency
        wallet = ledger.wallet(self.tx, self.row.customer_id, self.row.wallet_id)
        receipt = PlanChangeReceipt(
            customer_id=self.row.customer_id,
            subscription_id=self.row.subscription_id,
            username=self.row.username,
            change_id=change.change_id,
            from_plan=None if self.old is None else self.old.plan_name,
            to_plan=self.new.plan_name,
            when=when.value,
            effective_on=change.effective_on,
            credited_micros=self.done.credited_micros,
            charged_micros=self.done.charged_micros,
            currency=currency,
            documents=tuple(self.done.documents),
            lines=tuple(self.done.lines),
            available_micros=wallet.available_micros,
        )
        detail: dict[str, object] = {
            "plan": self.new.plan_name,
            "when": when.value,
            "credited_micros": receipt.credited_micros,
            "charged_micros": receipt.charged_micros,
        }
        finish(self.context, self.tx, self.row, "subscription.plan", self.now, detail)
        for bill, note in self.done.taken_back:
            note_credit(self.tx, self.context, bill, note, self.now)
        return receipt

    def _terms(self, plan_id: int) -> PlanTerms:
        plan = catalog.get_plan(self.tx, plan_id, self.now)
        if plan is None or plan.archived_at is not None or plan.effective_from > self.now:
            raise NotFound(f"no plan with the number {plan_id} is on sale", field="plan")
        return plan.terms

    def _check(self) -> None:
        customer = tx_customer(self.tx, self.row.customer_id)
        if self.row.closed_at is not None or customer.closed_at is not None:
            raise Refused("the subscription is closed (rule S1)", field="subscription")
        if self.row.paused_at is not None:
            raise Refused("the subscription is paused: resume it first (S3)", field="subscription")
        if self.old is not None and self.old.plan_version_id == self.new.plan_version_id:
            raise Refused(f"{self.row.username} is on {self.new.plan_name} already", field="plan")
        if problem := sale_problem(self.new, self.profile.kind):
            raise Refused(problem, field="plan")

    def _nothing_to_wait_for(self) -> bool:
        return self.profile.kind is BillingKind.DAILY and not self._packages()

    def _packages(self) -> list[tables.Entitlement]:
        return entitlements.open_rows(
            self.tx, self.row.customer_id, self.row.subscription_id, self.now
        )

    def _next(self) -> tables.PlanChange:
        """It waits; bills of cycles that have not begun are issued anew."""
        effective_on = _next_start(self.tx, self.row, self.profile, self.today)
        change = self._record(ChangeState.PENDING, effective_on)
        if effective_on is None:
            ends = max(
                (one.valid_until for one in self._packages() if one.valid_until), default=None
            )
            when = "when they are used up" if ends is None else f"by {ends:%Y-%m-%d %H:%M} UTC"
            self.done.lines.append(f"{self.new.plan_name} begins when the packages end, {when}")
            return change
        self.done.lines.append(f"{self.new.plan_name} begins on {effective_on}, with the cycle")
        given, totals = bill_ahead_anew(self.tx, self.context, self.row, self.now)
        for one in given:
            self._gave(one)
        for total in totals:
            self._charged(total)
        return change

    def _at_once(self) -> tables.PlanChange:
        if self.profile.kind is BillingKind.DAILY:
            return self._at_once_daily()
        invoices.lock_series(self.tx, self.row.org_id)
        by_itself = bills_by_itself(self.profile)
        if by_itself:  # what the old plan has left unbilled, whether a run has come to it or not
            due_bills.issue_due(self.tx, self.context, [self.row.customer_id], self.now)
        reason = f"changed to {self.new.plan_name}"
        given = list(
            give_back_bills(self.tx, self.row, self.today, reason, self.now, self.time_zone)
        )
        change = self._record(ChangeState.DONE, self.today + _ONE_DAY)
        self._switch(change)
        self._settle()
        for one in given:
            self._gave(one)
        if by_itself:
            for total in self._issue():
                self._charged(total)
            if given and self.profile.recurring_prepaid:
                self._check_covered()
            self._later_words()
        else:
            for _ in given:
                self._sell()
        return change

    def _at_once_daily(self) -> tables.PlanChange:
        self._check_unreserved()
        reason = f"changed to {self.new.plan_name}"
        # Who was monthly may have a package still that came with a bill.
        invoices.lock_series(self.tx, self.row.org_id)
        for billed in give_back_bills(
            self.tx, self.row, self.today, reason, self.now, self.time_zone
        ):
            self._gave(billed)
        self.tx.flush()
        for given in give_back_packages(self.tx, self.row, self.now):
            self.done.credited_micros += given.amount.amount_micros
            self.done.lines.append(given.words)
        change = self._record(ChangeState.DONE, self.today)
        self._switch(change)
        if gives(self.new):
            self._sell()
        return change

    def _check_unreserved(self) -> None:
        """A slice that a NAS was given is used there whatever is ended here (rule Q4)."""
        if self.row.reserves and grants.holds_slices(self.tx, self.row):
            raise Refused(
                "its sessions hold slices of the package: end them first, or change at the expiry "
                "(--next)",
                field="subscription",
            )

    def _record(self, state: ChangeState, effective_on: date | None) -> tables.PlanChange:
        change = tables.PlanChange(
            customer_id=self.row.customer_id,
            org_id=self.row.org_id,
            subscription_id=self.row.subscription_id,
            kind=ChangeKind.CHANGE.value,
            state=state.value,
            from_version_id=self.row.plan_version_id,
            to_version_id=self.new.plan_version_id,
            effective_on=effective_on,
            requested_at=self.now,
            finished_at=None if state is ChangeState.PENDING else self.now,
        )
        store.insert(self.tx, change)
        return change

    def _switch(self, change: tables.PlanChange) -> None:
        if self.row.plan_version_id is None:  # no plan bills the days before
            self.row.billed_from = change.effective_on
        self.row.plan_version_id = self.new.plan_version_id
        self.tx.flush()

    def _issue(self) -> list[tuple[str, int, str]]:
        return _issued(self.tx, self.context, self.row, self.now)

    def _settle(self) -> None:
        customer = tx_customer(self.tx, self.row.customer_id)
        settle(self.tx, customer, self.row.wallet_id, self.now)

    def _sell(self) -> None:
        receipt = sell_within(self.context, self.tx, self.row, self.new, self.now)
        what = receipt.invoice_number or f"a package, {self.new.plan_name}"
        self._charged((what, receipt.total_micros, ""))

    def _gave(self, given: BillGiven) -> None:
        self.done.lines.append(given.words)
        if given.note is not None:
            self.done.credited_micros += given.note.total_micros
            self.done.documents.append(given.note.number)
            self.done.taken_back.append((given.bill, given.note))

    def _charged(self, bill: tuple[str, int, str]) -> None:
        number, total_micros, days = bill
        self.done.charged_micros += total_micros
        self.done.documents.append(number)
        total = Money(total_micros, self.new.currency)
        self.done.lines.append(f"charge   {total}  {number}{days}")

    def _check_covered(self) -> None:
        """Who has paid for these days is not cut off by a plan that the wallet does not pay (rule
        P10). Raises Refused."""
        customer_id, tomorrow = self.row.customer_id, self.today + _ONE_DAY
        for one in cycle_bills.standings(self.tx, [customer_id], self.now, self.time_zone):
            if one.billable.subscription_id != self.row.subscription_id:
                continue
            for bill in one.bills:
                if bill.of_cycle and bill.first_day <= tomorrow:
                    wallet = ledger.wallet(self.tx, customer_id, self.row.wallet_id)
                    needed = Money(bill.to_pay_micros, self.new.currency)
                    raise Refused(short_words(wallet, needed), field="wallet")

    def _later_words(self) -> None:
        if self.done.charged_micros:
            return
        if self.profile.recurring_prepaid:
            self.done.lines.append(f"{self.new.plan_name} is billed when the wallet covers it")
        elif self.profile.bill_in is BillIn.ARREARS:
            self.done.lines.append(
                f"days up to {self.today} are billed by the old plan, later ones by "
                f"{self.new.plan_name}, each when its bill is due"
            )


def gives(terms: PlanTerms) -> bool:
    """Whether it is sold as a package; pay-as-you-go alone is not."""
    return terms.validity_minutes is not None or terms.is_limited


def _next_start(
    tx: Transaction, row: tables.Subscription, profile: BillingProfile, today: date
) -> date | None:
    """The first local day of the next cycle; of one who buys months, the first that is not bought
    yet; None for daily customers, who have none."""
    if profile.kind is BillingKind.DAILY:
        return None
    start = cycle_of(today, profile).next_first_day
    if bills_by_itself(profile):
        return start
    return max(start, invoices.cycle_end(tx, row.customer_id, row.subscription_id) or start)


def bill_ahead_anew(
    tx: Transaction, context: Context, row: tables.Subscription, now: datetime
) -> tuple[list[BillGiven], list[tuple[str, int, str]]]:
    """Void the bills of cycles that have not begun and issue them by the plan that holds then,
    where the profile bills by itself. Gives both, of prepaid only what the wallet covers anew."""
    profile = customer_store.effective_profile(tx, row)
    if not bills_by_itself(profile):
        return [], []
    zone = operator_of(tx).time_zone
    start = cycle_of(local_day(now, zone), profile).next_first_day
    invoices.lock_series(tx, row.org_id)
    reason = "billed anew by another plan"
    given = list(give_back_bills(tx, row, start - _ONE_DAY, reason, now, zone))
    if not given:
        return [], []
    tx.flush()
    settle(tx, tx_customer(tx, row.customer_id), row.wallet_id, now)
    return given[::-1], _issued(tx, context, row, now)


def _issued(
    tx: Transaction, context: Context, row: tables.Subscription, now: datetime
) -> list[tuple[str, int, str]]:
    """Issue what is due of the customer; number, total and days of this subscription's."""
    bills = due_bills.issue_due(tx, context, [row.customer_id], now)
    found = []
    for one in bills:
        bill = invoices.get_invoice(tx, one.customer_id, one.invoice_id)
        if bill.subscription_id == row.subscription_id:
            days = f", {bill.cycle_from} to {bill.cycle_until}"
            found.append((bill.number, bill.total_micros, days))
    return found


def drop_pending(
    tx: Transaction, row: tables.Subscription, why: str, now: datetime
) -> list[tables.PlanChange]:
    """Requests that wait come to nothing; prices that wait stay."""
    dropped = [
        one
        for one in store.pending(tx, row.customer_id, row.subscription_id)
        if one.kind == ChangeKind.CHANGE
    ]
    for one in dropped:
        end(one, ChangeState.REVOKED, now, why)
    tx.flush()
    return dropped


def end(
    change: tables.PlanChange, state: ChangeState, now: datetime, problem: str | None
) -> str | None:
    """It waits no longer; returns the problem."""
    change.state, change.finished_at, change.problem = state.value, now, problem
    return problem
