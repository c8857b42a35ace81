"""The bills of cycles that are due, and the packages that they bring (rules B6, B7, B11)."""

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
from billing.model.plan_changes import VersionChange
from billing.model.profile import BillIn, BillingProfile
from billing.rules.bill_run import cycles_due, cycles_until, first_unbilled
from billing.rules.cycles import Cycle, day_passed_at, day_start, local_day, partial_cycle
from billing.rules.extras import PricedLine, billed
from billing.rules.extras import lines as priced_lines
from billing.rules.plan_changes import split, version_on
from billing.rules.taxes import Charge, charge_all
from billing.services import enforcement
from billing.services.context import Context
from billing.services.issuing import draft, operator_of, owner_of
from billing.services.packages import Window, entitle
from billing.services.settling import settle
from billing.store import (
    audit,
    billing_jobs,
    catalog,
    charges,
    customers,
    invoices,
    messages,
    plan_changes,
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


def due_bills(
    tx: Transaction,
    customer_ids: Sequence[int],
    now: datetime,
    time_zone: str,
    until: date | None = None,
) -> Iterator[DueBill]:
    """What is not billed yet of these customers' cycles, oldest first within a subscription (rule
    B7), each by the plan of its days (rules B17, B18); up to before the local day `until` where it
    is given. Raises Refused (a plan in another currency than the wallet), NotFound (no wallet)."""
    found = billing_jobs.billable(tx, customer_ids)
    extras = charges.extras_of(tx, customer_ids)
    profiles = catalog.profiles_by_id(tx, {one.profile_id for one in found})
    changes = plan_changes.dated(tx, customer_ids)
    terms = _terms(tx, found, changes)
    for one in found:
        profile = profiles[one.profile_id]
        joined_on = max(local_day(one.created_at, time_zone), one.billed_from or date.min)
        first = first_unbilled(profile, joined_on, one.billed_until, one.bills_from)
        cycles = (
            cycles_due(profile, first, local_day(now, time_zone))
            if until is None
            else cycles_until(profile, first, until)
        )
        own = [extra for extra in extras if extra.subscription_id == one.subscription_id]
        changed = [change for change in changes if change.subscription_id == one.subscription_id]
        days = [change.effective_on for change in changed if change.effective_on is not None]
        priced = (
            (cycle, terms[version_on(cycle.first_day, one.plan_version_id, changed)])
            for cycle in split(iter(cycles), days)
        )
        yield from _due(one, profile, priced, own)


def issue_due(
    tx: Transaction,
    context: Context,
    customer_ids: Sequence[int],
    now: datetime,
    until: date | None = None,
) -> list[IssuedBill]:
    """Issue them and settle them from free credit; the customers are locked (rule B7)."""
    zone = operator_of(tx).time_zone
    due = list(due_bills(tx, customer_ids, now, zone, until))
    issued = invoices.issue(tx, [_drafted(one, now, zone) for one in due], now)
    for one in due:
        _bring_package(tx, one, now, zone)
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


def _due(
    one: Billable,
    profile: BillingProfile,
    priced_cycles: Iterator[tuple[Cycle, PlanTerms]],
    extras: list[Extra],
) -> Iterator[DueBill]:
    if one.wallet_currency is None:
        raise NotFound(f"subscription {one.subscription_id} has no wallet {one.wallet_id}")
    for cycle, terms in priced_cycles:
        if one.wallet_currency != terms.currency:
            raise Refused(
                f"{terms.plan_name} costs {terms.currency} and the wallet is in "
                f"{one.wallet_currency}; currencies do not mix (rule M1)"
            )
        price = Money(terms.price_micros, terms.currency)
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
        found[key] = min(found.get(key, moment), max(moment, now))
    return found
