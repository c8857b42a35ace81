"""The bills of cycles that are due, and the packages that they bring (rules B6, B7, B11, I1). Which
of them are issued is `due_bills.py`'s."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial

from billing.errors import NotFound, Refused
from billing.model.bills import Billable, BillDraft, IssuedBill
from billing.model.charges import BillLine, Extra, UnbilledUsage
from billing.model.money import Money
from billing.model.plan import PlanTerms
from billing.model.plan_changes import VersionChange
from billing.model.profile import BillIn, BillingProfile
from billing.rules.bill_run import cycles_due, cycles_until
from billing.rules.cycles import (
    Cycle,
    cycle_of,
    day_passed_at,
    day_start,
    local_day,
    partial_cycle,
)
from billing.rules.extras import PricedLine, billed, none_before, waiting
from billing.rules.extras import lines as priced_lines
from billing.rules.plan_changes import split, version_on
from billing.rules.taxes import Charge, taxed_as
from billing.rules.usage_lines import (
    UsageShare,
    charged,
    fitting,
    left_over,
    usage_lines,
    usage_share,
    usage_until,
)
from billing.services import cycle_packages, enforcement
from billing.services.context import Context
from billing.services.cycle_packages import unbilled_from
from billing.services.issuing import bill_line, draft, owner_of, tax_due
from billing.services.packages import entitle
from billing.services.settling import settle
from billing.store import (
    audit,
    billing_jobs,
    catalog,
    charges,
    customers,
    entitlements,
    invoices,
    plan_changes,
    tables,
)
from billing.store import usage as used
from billing.store.guard import Transaction


@dataclass(frozen=True, slots=True)
class DueBill:
    """A bill to be issued for local days from `first_day` to before `next_first_day`; `price` is
    the plan's part of it. `of_cycle` is False where it is for usage and charges that waited."""

    billable: Billable
    profile: BillingProfile
    terms: PlanTerms
    first_day: date
    next_first_day: date
    price: Money
    amount: Charge
    lines: tuple[BillLine, ...]
    usage: UsageShare
    of_cycle: bool

    @property
    def to_pay_micros(self) -> int:
        """What is to be paid of it when it is issued: prepaid usage is paid already (rule P11)."""
        return self.amount.total.amount_micros - self.usage.paid_micros

    @property
    def taxed_as(self) -> BillingProfile:
        """A bill has its plan's tax point, whatever else it carries (rule I6)."""
        return taxed_as(self.profile, self.terms)

    @property
    def tax_due_micros(self) -> int:
        """Of its tax, what is due when it is issued."""
        point = self.taxed_as.tax_point
        return tax_due(self.amount, point, paid_micros=self.usage.paid_micros)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What a run bills: cycles that are due by now; `until`: cycles up to before that local day
    instead. `final`: all usage, too, as no bill comes after; `usage_only`: nothing else. `ahead`:
    the next cycle alone, due or not, and no usage."""

    until: date | None = None
    final: bool = False
    usage_only: bool = False
    ahead: bool = False

    def usage_ended(self, today: date) -> date:
        """The local day before which usage may be billed: months that have ended (rule I1)."""
        return self.until if self.final and self.until else today.replace(day=1)


DUE = Span()


@dataclass(frozen=True, slots=True)
class Standing:
    """A subscription that is billed automatically: `bills` are due, oldest first; `first_day` is
    the first local day that no bill holds, today where billing is on hold."""

    billable: Billable
    profile: BillingProfile
    terms: PlanTerms
    first_day: date
    bills: tuple[DueBill, ...]


def standings(
    tx: Transaction,
    customer_ids: Sequence[int],
    now: datetime,
    time_zone: str,
    span: Span = DUE,
) -> Iterator[Standing]:
    """Every subscription of these customers that is billed automatically, with what is not billed
    yet of its cycles, each by the plan of its days, and of its posted usage (rules B7, B17, B18,
    I1).

    Raises Refused (a plan in another currency than the wallet), NotFound (no wallet).
    """
    found = billing_jobs.billable(tx, customer_ids)
    extras = charges.extras_of(tx, customer_ids)
    profiles = catalog.profiles_by_id(tx, {one.profile_id for one in found})
    changes = plan_changes.dated(tx, customer_ids)
    terms = _terms(tx, found, changes)
    today = local_day(now, time_zone)
    month_began = day_start(today.replace(day=1), time_zone)
    usage = [] if span.ahead else used.to_bill(tx, customer_ids, month_began)
    for one in found:
        profile, plan = profiles[one.profile_id], terms[one.plan_version_id]
        first = _first_day(one, profile, today, time_zone)
        own = [extra for extra in extras if extra.subscription_id == one.subscription_id]
        own = none_before(own, one.billed_from if one.on_hold_since is None else first)
        own_usage = [piece for piece in usage if piece.subscription_id == one.subscription_id]
        changed = tuple(c for c in changes if c.subscription_id == one.subscription_id)
        joined_on = local_day(one.created_at, time_zone)
        work = _Work(one, profile, terms, changed, first, today, joined_on, span)
        yield Standing(one, profile, plan, first, tuple(_due(work, own, own_usage)))


@dataclass(frozen=True, slots=True)
class _Work:
    """One subscription in a run, on the local day `today`; `versions` has the terms of every plan
    that bills some of its days."""

    billable: Billable
    profile: BillingProfile
    versions: Mapping[int, PlanTerms]
    changes: tuple[VersionChange, ...]
    first_day: date
    today: date
    joined_on: date
    span: Span

    def cycles(self) -> Iterator[tuple[Cycle, PlanTerms]]:
        """Those to be billed, cut where another plan begins, each by the plan of its first day."""
        days = [one.effective_on for one in self.changes if one.effective_on is not None]
        for cycle in split(self._whole_cycles(), days):
            yield cycle, self.terms(cycle.first_day)

    def terms(self, day: date) -> PlanTerms:
        """What the days from this one on are billed by."""
        return self.versions[version_on(day, self.billable.plan_version_id, self.changes)]

    def _whole_cycles(self) -> Iterator[Cycle]:
        first, profile, until = self.first_day, self.profile, self.span.until
        if self.billable.is_closed or self.span.usage_only:
            return iter(())
        if self.span.ahead:
            return iter([Cycle(first, cycle_of(first, profile).next_first_day)])
        if until is None:
            return cycles_due(profile, first, self.today)
        # Prepaid has no days in arrears: what was not covered was not served.
        return iter(()) if profile.recurring_prepaid else cycles_until(profile, first, until)


def _first_day(one: Billable, profile: BillingProfile, today: date, time_zone: str) -> date:
    first = unbilled_from(one, profile, time_zone)
    return first if one.on_hold_since is None else max(first, today)


def issue(
    tx: Transaction,
    due: Sequence[DueBill],
    now: datetime,
    zone: str,
    due_on: date | None = None,
) -> list[IssuedBill]:
    """Issue bills, by default with their profiles' payment dates, and the packages they bring;
    nothing is settled yet."""
    drafts = [_drafted(one, now, zone) for one in due]
    if due_on is not None:
        drafts = [replace(one, due_on=due_on) for one in drafts]
    issued = invoices.issue(tx, drafts, now)
    for one in due:
        _bring_package(tx, one, now, zone)
    customers.look_again(tx, _moments(due, issued, now, zone))
    return issued


def locked(tx: Transaction, customer_id: int) -> tables.Customer:
    """The customer, locked. Raises NotFound."""
    customer = customers.lock_customer(tx, customer_id)
    if customer is None:
        raise NotFound(f"no customer has the number {customer_id}", field="customer")
    return customer


def note_issued(
    tx: Transaction, context: Context, issued: Sequence[IssuedBill], now: datetime
) -> None:
    """One line of the audit log for all of an organisation; last in a transaction."""
    for org_id in sorted({bill.org_id for bill in issued}):
        bills = [bill for bill in issued if bill.org_id == org_id]
        audit.append(
            tx,
            at=now,
            org_id=org_id,
            actor=context.actor,
            action="bill.issue",
            subject=f"invoice:{bills[0].invoice_id}",
            detail={bill.number: bill.total_micros for bill in bills},
        )


def _terms(
    tx: Transaction, found: Sequence[Billable], changes: Sequence[VersionChange]
) -> dict[int, PlanTerms]:
    """Of every version that bills some day of these subscriptions."""
    versions = {one.plan_version_id for one in found}
    for change in changes:
        versions.add(change.to_version_id)
        if change.from_version_id is not None:
            versions.add(change.from_version_id)
    return catalog.terms_by_version(tx, versions)


def _due(work: _Work, extras: list[Extra], usage: list[UnbilledUsage]) -> Iterator[DueBill]:
    profile, final = work.profile, work.span.final
    usage_ended = work.span.usage_ended(work.today)
    billed_now = False
    for cycle, terms in work.cycles():
        _check(work.billable, terms)
        price = Money(terms.price_micros, terms.currency)
        share = partial_cycle(price, cycle.first_day, profile, cycle.next_first_day).amount
        text = f"{terms.plan_name}, {cycle.first_day} to {cycle.next_first_day}"
        priced = priced_lines(text, share, extras, profile, cycle, terms.tax_rate_ppm)
        until = min(usage_ended, usage_ended if final else usage_until(profile, cycle))
        priced += fitting(priced, usage_lines(usage, profile, until, work.joined_on))
        if len(priced) == 1 and not share.amount_micros:
            continue  # nothing to bill, nor to number
        yield _bill(work, terms, cycle, share, priced, of_cycle=True)
        billed_now = True
        extras, usage = billed(extras, priced), left_over(usage, priced)
    if not final and (billed_now or any(piece.billed_this_month for piece in usage)):
        return  # what came late waits for the next bill
    terms = work.terms(work.today)
    alone: list[PricedLine] = []
    if final or work.billable.is_closed:  # no bill of a cycle will carry what waits
        closed = work.billable.is_closed
        alone = waiting(extras, profile, usage_ended, terms.currency, one_off=closed)
    alone += fitting(alone, usage_lines(usage, profile, usage_ended, work.joined_on))
    if alone:
        _check(work.billable, terms)
        first = min(_first_day_of(line) for line in alone)
        days, nothing = Cycle(first, usage_ended), Money(0, terms.currency)
        yield _bill(work, terms, days, nothing, alone, of_cycle=False)


def _first_day_of(line: PricedLine) -> date:
    """The first local day that a line is for which is of no cycle."""
    if line.usage is not None:
        return line.usage.month
    return line.cycle.first_day if line.cycle is not None else date.max


def _check(one: Billable, terms: PlanTerms) -> None:
    if one.wallet_currency is None:
        raise NotFound(f"subscription {one.subscription_id} has no wallet {one.wallet_id}")
    if one.wallet_currency != terms.currency:
        raise Refused(
            f"{terms.plan_name} costs {terms.currency} and the wallet is in {one.wallet_currency}; "
            "currencies do not mix (rule M1)"
        )


def _bill(
    work: _Work,
    terms: PlanTerms,
    days: Cycle,
    share: Money,
    priced: list[PricedLine],
    *,
    of_cycle: bool,
) -> DueBill:
    profile = work.profile
    amount, taxed = charged(priced, profile)
    return DueBill(
        work.billable,
        profile,
        terms,
        days.first_day,
        days.next_first_day,
        share,
        amount,
        tuple(map(partial(bill_line, profile), priced, taxed)),
        usage_share(priced, [one.net for one in taxed], profile, amount.total),
        of_cycle,
    )


def _drafted(due: DueBill, now: datetime, time_zone: str) -> BillDraft:
    days = (due.first_day, due.next_first_day) if due.of_cycle else None
    today = local_day(now, time_zone)
    bill = draft(owner_of(due.billable), due.taxed_as, due.amount, days, due.lines, today)
    return replace(
        bill,
        wallet_id=due.billable.wallet_id,
        usage_micros=due.usage.micros,
        usage_tax_micros=due.usage.tax_micros,
        usage_net_micros=due.usage.net_micros,
        usage_owed=due.usage.owed,
        usage_paid_micros=due.usage.paid_micros,
        tax_due_micros=due.tax_due_micros,
    )


def _bring_package(tx: Transaction, due: DueBill, now: datetime, time_zone: str) -> None:
    """The cycle's time and data. In arrears it came before (`cycle_packages`)."""
    if due.profile.bill_in is BillIn.ARREARS or not due.of_cycle or not due.terms.is_limited:
        return
    one = due.billable
    window = cycle_packages.window(one, due.first_day, due.next_first_day, time_zone)
    if window is None or window.valid_until is None:
        return
    # The package of a bill that was void since is there still, as far as it is not used up.
    if not one.has_void or not entitlements.came_until(
        tx, one.customer_id, one.subscription_id, due.terms.plan_version_id, window.valid_until
    ):
        entitle(tx, owner_of(due.billable), due.terms, window, due.price.amount_micros, now)


def settle_due(tx: Transaction, context: Context, due: Sequence[DueBill], now: datetime) -> None:
    """Free credit pays first; who has none is not looked at."""
    wallets = {
        (one.billable.customer_id, one.billable.wallet_id)
        for one in due
        if one.billable.free_micros + (one.usage.micros if one.usage.owed else 0) > 0
    }
    for customer_id, wallet_id in sorted(wallets):
        settle(tx, locked(tx, customer_id), wallet_id, now)
        enforcement.reconcile(tx, context, customer_id, now)


def _moments(
    due: Sequence[DueBill], issued: Sequence[IssuedBill], now: datetime, time_zone: str
) -> dict[tuple[int, int], datetime]:
    """When each subscription's service may change by these bills: at once where a payment date has
    passed already, else then, or when a package begins."""
    found: dict[tuple[int, int], datetime] = {}
    for one, bill in zip(due, issued, strict=True):
        key = one.billable.customer_id, one.billable.subscription_id
        moment = min(day_passed_at(bill.due_on, time_zone), day_start(one.first_day, time_zone))
        if one.usage.owed and one.usage.micros:
            moment = now  # room of the credit limit is free again
        found[key] = min(found.get(key, moment), max(moment, now))
    return found
