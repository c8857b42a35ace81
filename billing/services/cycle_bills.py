"""The bills of cycles that are due, and the packages that they bring (rules B6, B7, B11).

Recurring prepaid is billed only as far as the wallet covers it, and paid at once (rule P10); whose
period has begun uncovered is put on hold: its next bill begins on the day that is covered again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial

from billing.errors import NotFound, Refused
from billing.model.bills import Billable, BillDraft, IssuedBill
from billing.model.charges import BillLine, Extra
from billing.model.money import Money
from billing.model.plan import PlanTerms
from billing.model.profile import BillIn, BillingProfile
from billing.rules.bill_run import cycles_due, cycles_until, first_unbilled
from billing.rules.cycles import (
    Cycle,
    cycle_of,
    day_passed_at,
    day_start,
    local_day,
    partial_cycle,
)
from billing.rules.extras import PricedLine, billed, none_before
from billing.rules.extras import lines as priced_lines
from billing.rules.prepaid import covered
from billing.rules.taxes import Charge, charge_all
from billing.services import enforcement
from billing.services.context import Context
from billing.services.issuing import draft, operator_of, owner_of
from billing.services.packages import Window, entitle
from billing.services.settling import pay_bill, settle
from billing.store import (
    audit,
    billing_jobs,
    catalog,
    charges,
    customers,
    invoices,
    ledger,
    messages,
    tables,
)
from billing.store.guard import Transaction


@dataclass(frozen=True, slots=True)
class DueBill:
    """A bill to be issued for local days from `first_day` to before `next_first_day`; `price` is
    the plan's part of it."""

    billable: Billable
    profile: BillingProfile
    terms: PlanTerms
    first_day: date
    next_first_day: date
    price: Money
    amount: Charge
    lines: tuple[BillLine, ...]


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
    until: date | None = None,
    *,
    ahead: bool = False,
) -> Iterator[Standing]:
    """Every subscription of these customers that is billed automatically, with what is not billed
    yet of its cycles (rule B7), up to before the local day `until` where it is given; with `ahead`
    the bill of the next cycle instead, due or not.

    Raises Refused (a plan in another currency than the wallet), NotFound (no wallet).
    """
    found = billing_jobs.billable(tx, customer_ids)
    extras = charges.extras_of(tx, customer_ids)
    profiles = catalog.profiles_by_id(tx, {one.profile_id for one in found})
    terms = catalog.terms_by_version(tx, {one.plan_version_id for one in found})
    today = local_day(now, time_zone)
    for one in found:
        profile = profiles[one.profile_id]
        first = _first_day(one, profile, today, time_zone)
        if ahead:
            cycles = iter([Cycle(first, cycle_of(first, profile).next_first_day)])
        elif until is None:
            cycles = cycles_due(profile, first, today)
        else:
            # Prepaid has no days in arrears: what was not covered was not served.
            cycles = iter(()) if profile.recurring_prepaid else cycles_until(profile, first, until)
        own = [extra for extra in extras if extra.subscription_id == one.subscription_id]
        own = none_before(own, one.billed_from if one.on_hold_since is None else first)
        plan = terms[one.plan_version_id]
        yield Standing(one, profile, plan, first, tuple(_due(one, profile, plan, cycles, own)))


def _first_day(one: Billable, profile: BillingProfile, today: date, time_zone: str) -> date:
    joined_on = max(local_day(one.created_at, time_zone), one.billed_from or date.min)
    first = first_unbilled(profile, joined_on, one.billed_until, one.bills_from)
    return first if one.on_hold_since is None else max(first, today)


def issue_due(
    tx: Transaction,
    context: Context,
    customer_ids: Sequence[int],
    now: datetime,
    until: date | None = None,
    *,
    prepaid_only: bool = False,
) -> list[IssuedBill]:
    """Issue them and settle them from free credit; the customers are locked (rule B7). Recurring
    prepaid is looked at whether a bill is due or not, with `prepaid_only` nothing else (P10)."""
    tx.flush()
    zone = operator_of(tx).time_zone
    found = list(standings(tx, customer_ids, now, zone, until))
    prepaid = [one for one in found if one.profile.recurring_prepaid]
    postpaid = [one for one in found if not one.profile.recurring_prepaid]
    issued: list[IssuedBill] = []
    if not prepaid_only:
        due = [bill for one in postpaid for bill in one.bills]
        issued += _issue(tx, due, now, zone)
        _settle(tx, context, due, now)
        _renewals(tx, postpaid, now, zone, {})  # who was prepaid, and on hold, is so no more
    if until is None:
        issued += _issue_covered(tx, context, prepaid, now, zone)
    # Last, as what free credit has paid is not open any more.
    messages.queue_bills(tx, [(bill.customer_id, bill.invoice_id) for bill in issued], now)
    return issued


def issue_on_promise(
    tx: Transaction, context: Context, customer_id: int, until: date, now: datetime
) -> list[IssuedBill]:
    """Bill what prepaid service is on hold for as owed by the local day `until`, instead of paid.

    So a promise lifts S6, and S5 takes its place when it is not kept (rule B19). The customer is
    locked, and reconciled by the caller.
    """
    tx.flush()
    zone = operator_of(tx).time_zone
    found = standings(tx, [customer_id], now, zone)
    held = [one for one in found if one.profile.recurring_prepaid and one.billable.on_hold_since]
    due = [one.bills[0] for one in held if one.bills]
    issued = _issue(tx, due, now, zone, until)
    billed = {one.billable.subscription_id: one.next_first_day for one in due}
    _renewals(tx, held, now, zone, billed)
    _settle(tx, context, due, now)
    messages.queue_bills(tx, [(bill.customer_id, bill.invoice_id) for bill in issued], now)
    return issued


def _issue(
    tx: Transaction,
    due: Sequence[DueBill],
    now: datetime,
    zone: str,
    due_on: date | None = None,
) -> list[IssuedBill]:
    drafts = [_drafted(one, now, zone) for one in due]
    if due_on is not None:
        drafts = [replace(one, due_on=due_on) for one in drafts]
    issued = invoices.issue(tx, drafts, now)
    for one in due:
        _bring_package(tx, one, now, zone)
    customers.look_again(tx, _moments(due, issued, now, zone))
    return issued


def _issue_covered(
    tx: Transaction,
    context: Context,
    found: Sequence[Standing],
    now: datetime,
    zone: str,
    *,
    again: bool = True,
) -> list[IssuedBill]:
    """The bills of recurring prepaid that its wallets pay, paid (rules P10, P12).

    Who is put on hold for days that are past may have enough for those that are left: with `again`
    that is tried.
    """
    taken: list[DueBill] = []
    for wallet, bills in by_wallet(found, prepaid=True).items():
        spendable = _spendable(tx, *wallet, bills, now)
        totals = [(one.billable.subscription_id, one.amount.total.amount_micros) for one in bills]
        paid = covered(totals, spendable)
        taken += [one for one, pays in zip(bills, paid, strict=True) if pays]
    issued = _issue(tx, taken, now, zone)
    for one, bill in zip(taken, issued, strict=True):
        if bill.total_micros:
            row = invoices.get_invoice(tx, bill.customer_id, bill.invoice_id)
            customer = _locked(tx, bill.customer_id)
            pay_bill(tx, customer, one.billable.wallet_id, row, bill.total_micros, now)
    billed = {one.billable.subscription_id: one.next_first_day for one in taken}
    changed = _renewals(tx, found, now, zone, billed)
    today = local_day(now, zone)
    late = {one.billable.customer_id for one in found if one.first_day < today} & changed
    if again and late:
        held = [one for one in standings(tx, sorted(late), now, zone) if one.billable.on_hold_since]
        issued += _issue_covered(tx, context, held, now, zone, again=False)
    for customer_id in sorted(changed):
        enforcement.reconcile(tx, context, customer_id, now)
    return issued


def by_wallet(found: Sequence[Standing], *, prepaid: bool) -> dict[tuple[int, int], list[DueBill]]:
    """The due bills that each wallet (customer and own number) is to pay, in the order of their
    periods; those of recurring prepaid, or the others."""
    chosen = [one for one in found if one.profile.recurring_prepaid is prepaid]
    bills = [bill for one in chosen for bill in one.bills]
    wallets: dict[tuple[int, int], list[DueBill]] = {}
    for one in sorted(bills, key=lambda bill: (bill.first_day, bill.billable.subscription_id)):
        wallets.setdefault((one.billable.customer_id, one.billable.wallet_id), []).append(one)
    return wallets


def _spendable(
    tx: Transaction, customer_id: int, wallet_id: int, bills: Sequence[DueBill], now: datetime
) -> int:
    """What the wallet may pay with when older bills are settled: they go first (rule I4)."""
    known = bills[0].billable
    if known.free_micros + known.credit_limit_micros <= 0:
        return 0
    if known.free_micros > 0:
        settle(tx, _locked(tx, customer_id), wallet_id, now)
    return ledger.wallet(tx, customer_id, wallet_id).spendable_micros


def _renewals(
    tx: Transaction,
    found: Sequence[Standing],
    now: datetime,
    zone: str,
    billed: dict[int, date],
) -> set[int]:
    """Put on hold who is in a period that was not covered, and lift it from who is not; write when
    the next period is to be paid. `billed`: up to which day each was just billed. Returns the
    customers whose service that changes."""
    changed: set[int] = set()
    today = local_day(now, zone)
    for one in found:
        row = one.billable
        renewal = _renewal(one, billed.get(row.subscription_id), now, zone)
        if renewal == (row.on_hold_since, row.renews_at):
            continue
        on_hold_since, renews_at = renewal
        lifted = row.on_hold_since is not None and on_hold_since is None
        customers.set_renewal(
            tx,
            (row.customer_id, row.subscription_id),
            on_hold_since=on_hold_since,
            renews_at=renews_at,
            billed_from=today if lifted else None,
        )
        if on_hold_since != row.on_hold_since:
            changed.add(row.customer_id)
    return changed


def _renewal(
    one: Standing, billed_until: date | None, now: datetime, zone: str
) -> tuple[datetime | None, datetime | None]:
    """Since when it is on hold, and when its next period is to be paid."""
    if not one.profile.recurring_prepaid:
        return None, None
    left = [due for due in one.bills if due.first_day >= (billed_until or one.first_day)]
    if left and day_start(left[0].first_day, zone) <= now:
        return one.billable.on_hold_since or now, None
    begins = day_start(billed_until or one.first_day, zone)
    if begins <= now:  # nothing to pay for what is left of this one
        today = local_day(now, zone)
        begins = day_start(cycle_of(today, one.profile).next_first_day, zone)
    return None, begins


def _locked(tx: Transaction, customer_id: int) -> tables.Customer:
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


def _due(
    one: Billable,
    profile: BillingProfile,
    terms: PlanTerms,
    cycles: Iterator[Cycle],
    extras: list[Extra],
) -> Iterator[DueBill]:
    if one.wallet_currency is None:
        raise NotFound(f"subscription {one.subscription_id} has no wallet {one.wallet_id}")
    if one.wallet_currency != terms.currency:
        raise Refused(
            f"{terms.plan_name} costs {terms.currency} and the wallet is in {one.wallet_currency}; "
            "currencies do not mix (rule M1)"
        )
    price = Money(terms.price_micros, terms.currency)
    for cycle in cycles:
        share = partial_cycle(price, cycle.first_day, profile, cycle.next_first_day).amount
        text = f"{terms.plan_name}, {cycle.first_day} to {cycle.next_first_day}"
        priced = priced_lines(text, share, extras, profile, cycle)
        if len(priced) == 1 and not share.amount_micros:
            continue  # nothing to bill, nor to number
        prices = [line.price for line in priced]
        amount, nets = charge_all(prices, profile.tax_rate_ppm, inclusive=profile.tax_inclusive)
        lines = tuple(map(partial(_line, profile), priced, nets))
        days = cycle.first_day, cycle.next_first_day
        yield DueBill(one, profile, terms, *days, share, amount, lines)
        extras = billed(extras, priced)


def _line(profile: BillingProfile, line: PricedLine, net: Money) -> BillLine:
    plain = BillLine(
        text=line.text, net_micros=net.amount_micros, tax_rate_ppm=profile.tax_rate_ppm
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
    days = (due.first_day, due.next_first_day)
    today = local_day(now, time_zone)
    return draft(owner_of(due.billable), due.profile, due.amount, days, due.lines, today)


def _bring_package(tx: Transaction, due: DueBill, now: datetime, time_zone: str) -> None:
    """The cycle's time and data. In arrears the cycle is over when its bill is issued."""
    if due.profile.bill_in is BillIn.ARREARS or not due.terms.is_limited:
        return
    begins = max(day_start(due.first_day, time_zone), due.billable.created_at)
    ends = day_start(due.next_first_day, time_zone)
    window = Window(follows=False, valid_from=begins, valid_until=ends)
    entitle(tx, owner_of(due.billable), due.terms, window, due.price.amount_micros, now)


def _settle(tx: Transaction, context: Context, due: Sequence[DueBill], now: datetime) -> None:
    """Free credit pays first; who has none is not looked at."""
    wallets = {
        (one.billable.customer_id, one.billable.wallet_id)
        for one in due
        if one.billable.free_micros > 0
    }
    for customer_id, wallet_id in sorted(wallets):
        settle(tx, _locked(tx, customer_id), wallet_id, now)
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
        found[key] = min(found.get(key, moment), max(moment, now))
    return found
