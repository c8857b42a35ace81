"""The bills of cycles that are due, and the packages that they bring (rules B6, B7, B11). Which of
them are issued is `due_bills.py`'s."""

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
from billing.rules.taxes import Charge, charge_all
from billing.services import enforcement
from billing.services.context import Context
from billing.services.issuing import draft, owner_of
from billing.services.packages import Window, entitle
from billing.services.settling import settle
from billing.store import (
    audit,
    billing_jobs,
    catalog,
    charges,
    customers,
    invoices,
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


def settle_due(tx: Transaction, context: Context, due: Sequence[DueBill], now: datetime) -> None:
    """Free credit pays first; who has none is not looked at."""
    wallets = {
        (one.billable.customer_id, one.billable.wallet_id)
        for one in due
        if one.billable.free_micros > 0
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
        found[key] = min(found.get(key, moment), max(moment, now))
    return found
