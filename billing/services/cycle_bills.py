"""The bills of cycles that are due, and the packages that they bring (rules B6, B7, B11, I1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial

from billing.errors import NotFound, Refused
from billing.model.bills import Billable, BillDraft, IssuedBill
from billing.model.charges import BillLine, Extra, UnbilledUsage
from billing.model.money import Money
from billing.model.plan import PlanTerms
from billing.model.profile import BillIn, BillingProfile
from billing.rules.bill_run import cycles_due, cycles_until
from billing.rules.cycles import Cycle, day_passed_at, day_start, local_day, partial_cycle
from billing.rules.extras import PricedLine, billed
from billing.rules.extras import lines as priced_lines
from billing.rules.taxes import Charge, charge_all
from billing.rules.usage_lines import (
    UsageShare,
    fitting,
    left_over,
    usage_lines,
    usage_share,
    usage_until,
)
from billing.services import cycle_packages, enforcement
from billing.services.books import post_usage_of
from billing.services.context import Context
from billing.services.cycle_packages import unbilled_from
from billing.services.issuing import draft, operator_of, owner_of
from billing.services.packages import entitle
from billing.services.settling import settle
from billing.store import audit, billing_jobs, catalog, charges, customers, invoices, messages
from billing.store import usage as used
from billing.store.guard import Transaction


@dataclass(frozen=True, slots=True)
class DueBill:
    """A bill to be issued for local days from `first_day` to before `next_first_day`; `price` is
    the plan's part of it. `of_cycle` is False where it is for usage only."""

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


@dataclass(frozen=True, slots=True)
class _Run:
    """The present day in the operator's zone; `until`: bill cycles up to before that day. `final`:
    all usage, too, as no bill comes after; `usage_only`: nothing else."""

    today: date
    time_zone: str
    until: date | None = None
    final: bool = False
    usage_only: bool = False

    @property
    def usage_ended(self) -> date:
        """The local day before which usage may be billed: months that have ended (rule I1)."""
        return self.until if self.final and self.until else self.today.replace(day=1)


def due_bills(
    tx: Transaction, customer_ids: Sequence[int], now: datetime, time_zone: str
) -> Iterator[DueBill]:
    """What is not billed yet of these customers' cycles and of their posted usage, oldest first
    within a subscription (rules B7, I1). Raises Refused (a plan in another currency than the
    wallet), NotFound (no wallet)."""
    run = _Run(local_day(now, time_zone), time_zone)
    return _due_of(tx, customer_ids, _billed(tx, customer_ids), run)


def issue_due(
    tx: Transaction,
    context: Context,
    customer_ids: Sequence[int],
    now: datetime,
    until: date | None = None,
    *,
    final: bool = False,
    usage_only: bool = False,
) -> list[IssuedBill]:
    """Issue them and settle them from free credit; the customers are locked (rule B7). `until`:
    cycles up to before that local day; `final`: and all usage, or, with `usage_only`, nothing else.
    """
    zone = operator_of(tx).time_zone
    # What was used before today stands on a bill of today, whether the job came to it or not.
    post_usage_of(tx, customer_ids, local_day(now, zone), now)
    all_billed = _billed(tx, customer_ids)
    run = _Run(local_day(now, zone), zone, until, final, usage_only)
    due = list(_due_of(tx, customer_ids, all_billed, run))
    issued = invoices.issue(tx, [_drafted(one, now, zone) for one in due], now)
    for one in due:
        _bring_package(tx, one, now, zone)
    if until is None:
        cycle_packages.bring(tx, all_billed, now, zone)
    _settle(tx, context, due, now)
    customers.look_again(tx, _moments(due, issued, now, zone))
    # Last, as what free credit has paid is not open any more.
    messages.queue_bills(tx, [(bill.customer_id, bill.invoice_id) for bill in issued], now)
    return issued


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


def _billed(
    tx: Transaction, customer_ids: Sequence[int]
) -> list[tuple[Billable, BillingProfile, PlanTerms]]:
    """Whom bills are issued to by themselves, with the profile and the plan that hold."""
    found = billing_jobs.billable(tx, customer_ids)
    profiles = catalog.profiles_by_id(tx, {one.profile_id for one in found})
    terms = catalog.terms_by_version(tx, {one.plan_version_id for one in found})
    return [(one, profiles[one.profile_id], terms[one.plan_version_id]) for one in found]


def _due_of(
    tx: Transaction,
    customer_ids: Sequence[int],
    all_billed: list[tuple[Billable, BillingProfile, PlanTerms]],
    run: _Run,
) -> Iterator[DueBill]:
    extras = charges.extras_of(tx, customer_ids)
    month_began = day_start(run.today.replace(day=1), run.time_zone)
    usage = used.to_bill(tx, customer_ids, month_began)
    for one, profile, terms in all_billed:
        own = [extra for extra in extras if extra.subscription_id == one.subscription_id]
        own_usage = [piece for piece in usage if piece.subscription_id == one.subscription_id]
        yield from _due(run, one, profile, terms, own, own_usage)


def _due(
    run: _Run,
    one: Billable,
    profile: BillingProfile,
    terms: PlanTerms,
    extras: list[Extra],
    usage: list[UnbilledUsage],
) -> Iterator[DueBill]:
    _check(one, terms)
    price = Money(terms.price_micros, terms.currency)
    joined_on = local_day(one.created_at, run.time_zone)
    billed_now = False
    for cycle in _cycles(run, one, profile):
        share = partial_cycle(price, cycle.first_day, profile, cycle.next_first_day).amount
        text = f"{terms.plan_name}, {cycle.first_day} to {cycle.next_first_day}"
        priced = priced_lines(text, share, extras, profile, cycle)
        until = run.usage_ended if run.final else usage_until(profile, cycle)
        until = min(until, run.usage_ended)
        priced += fitting(priced, usage_lines(usage, profile, until, joined_on))
        if len(priced) == 1 and not share.amount_micros:
            continue  # nothing to bill, nor to number
        yield _bill(one, profile, terms, cycle, share, priced, of_cycle=True)
        billed_now = True
        extras, usage = billed(extras, priced), left_over(usage, priced)
    if not run.final and (billed_now or any(piece.billed_this_month for piece in usage)):
        return  # what came late waits for the next bill
    if alone := fitting([], usage_lines(usage, profile, run.usage_ended, joined_on)):
        first_month = min(line.usage.month for line in alone if line.usage)
        days = Cycle(first_month, run.usage_ended)
        nothing = Money(0, terms.currency)
        yield _bill(one, profile, terms, days, nothing, alone, of_cycle=False)


def _check(one: Billable, terms: PlanTerms) -> None:
    if one.wallet_currency is None:
        raise NotFound(f"subscription {one.subscription_id} has no wallet {one.wallet_id}")
    if one.wallet_currency != terms.currency:
        raise Refused(
            f"{terms.plan_name} costs {terms.currency} and the wallet is in {one.wallet_currency}; "
            "currencies do not mix (rule M1)"
        )


def _cycles(run: _Run, one: Billable, profile: BillingProfile) -> Iterator[Cycle]:
    if one.is_closed or run.usage_only:
        return iter(())
    first = unbilled_from(one, profile, run.time_zone)
    if run.until is None:
        return cycles_due(profile, first, run.today)
    return cycles_until(profile, first, run.until)


def _bill(
    one: Billable,
    profile: BillingProfile,
    terms: PlanTerms,
    days: Cycle,
    share: Money,
    priced: list[PricedLine],
    *,
    of_cycle: bool,
) -> DueBill:
    prices = [line.price for line in priced]
    amount, nets = charge_all(prices, profile.tax_rate_ppm, inclusive=profile.tax_inclusive)
    return DueBill(
        one,
        profile,
        terms,
        days.first_day,
        days.next_first_day,
        share,
        amount,
        tuple(map(partial(_line, profile), priced, nets)),
        usage_share(priced, nets, profile, amount.total),
        of_cycle,
    )


def _line(profile: BillingProfile, line: PricedLine, net: Money) -> BillLine:
    plain = BillLine(
        text=line.text, net_micros=net.amount_micros, tax_rate_ppm=profile.tax_rate_ppm
    )
    if line.usage is not None:
        return replace(
            plain,
            usage_micros=line.usage.gross_micros,
            usage_charge_ids=line.usage.usage_charge_ids,
        )
    if line.extra is None or line.cycle is None:
        return plain
    return replace(
        plain,
        charge_id=line.extra.charge_id,
        first_day=line.cycle.first_day,
        next_first_day=line.cycle.next_first_day,
    )


def _drafted(due: DueBill, now: datetime, time_zone: str) -> BillDraft:
    days = (due.first_day, due.next_first_day) if due.of_cycle else None
    today = local_day(now, time_zone)
    bill = draft(owner_of(due.billable), due.profile, due.amount, days, due.lines, today)
    return replace(
        bill,
        wallet_id=due.billable.wallet_id,
        usage_micros=due.usage.micros,
        usage_tax_micros=due.usage.tax_micros,
        usage_net_micros=due.usage.net_micros,
        usage_owed=due.usage.owed,
        usage_paid_micros=due.usage.paid_micros,
    )


def _bring_package(tx: Transaction, due: DueBill, now: datetime, time_zone: str) -> None:
    """The cycle's time and data. In arrears it came before (`cycle_packages`)."""
    if due.profile.bill_in is BillIn.ARREARS or not due.of_cycle or not due.terms.is_limited:
        return
    window = cycle_packages.window(due.billable, due.first_day, due.next_first_day, time_zone)
    if window is not None:
        entitle(tx, owner_of(due.billable), due.terms, window, due.price.amount_micros, now)


def _settle(tx: Transaction, context: Context, due: Sequence[DueBill], now: datetime) -> None:
    """Free credit pays first; who has none is not looked at."""
    wallets = {
        (one.billable.customer_id, one.billable.wallet_id)
        for one in due
        if one.billable.free_micros + (one.usage.micros if one.usage.owed else 0) > 0
    }
    for customer_id, wallet_id in sorted(wallets):
        customer = customers.lock_customer(tx, customer_id)
        if customer is not None:
            settle(tx, customer, wallet_id, now)
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
