"""The bills that are due for one subscription by a day, and the packages that they bring (rules B6,
B7, B11)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from billing.model.money import Money
from billing.model.plan import PlanTerms
from billing.model.profile import BillIn, BillingKind, BillingProfile
from billing.rules.bill_run import cycles_due, first_unbilled
from billing.rules.cycles import day_start, local_day, partial_cycle
from billing.rules.taxes import Charge, charge
from billing.services import enforcement
from billing.services.context import Context
from billing.services.issuing import operator_of, write_bill
from billing.services.packages import Window, entitle
from billing.services.settling import settle
from billing.store import audit, catalog, customers, invoices, tables
from billing.store.guard import Transaction


@dataclass(frozen=True, slots=True)
class DueBill:
    """A bill to be issued: local days from `first_day` to before `next_first_day`."""

    first_day: date
    next_first_day: date
    price: Money
    amount: Charge
    terms: PlanTerms


def due_bills(tx: Transaction, row: tables.Subscription, now: datetime) -> list[DueBill]:
    """What is not billed yet of a subscription's cycles, oldest first (rule B7)."""
    profile_row = customers.effective_profile_row(tx, row)
    profile = catalog.profile_of(profile_row)
    if not bills_automatically(profile) or row.plan_version_id is None:
        return []
    if row.closed_at is not None or profile_row.bills_from is None:
        return []
    terms = catalog.get_terms(tx, row.plan_version_id)
    if terms is None or not terms.price_micros:
        return []
    zone = operator_of(tx).time_zone
    first = first_unbilled(
        profile,
        local_day(row.created_at, zone),
        invoices.cycle_end(tx, row.customer_id, row.subscription_id),
        profile_row.bills_from,
    )
    price = Money(terms.price_micros, terms.currency)
    found = []
    for cycle in cycles_due(profile, first, local_day(now, zone)):
        share = partial_cycle(price, cycle.first_day, profile).amount
        amount = charge(share, profile.tax_rate_ppm, inclusive=profile.tax_inclusive)
        found.append(DueBill(cycle.first_day, cycle.next_first_day, share, amount, terms))
    return found


def issue_due(
    tx: Transaction,
    context: Context,
    customer: tables.Customer,
    row: tables.Subscription,
    now: datetime,
) -> list[tables.Invoice]:
    """Issue them, settle them from free credit; the customer is locked (rule B7)."""
    profile = customers.effective_profile(tx, row)
    bills = [_issue(tx, context, row, profile, due, now) for due in due_bills(tx, row, now)]
    if bills:
        settle(tx, customer, row.wallet_id, now)
        enforcement.reconcile(tx, context, customer.customer_id, now)
    return bills


def bills_automatically(profile: BillingProfile) -> bool:
    """Whether the bill run is for this profile."""
    return profile.kind is BillingKind.MONTHLY and profile.automatic_bill


def _issue(
    tx: Transaction,
    context: Context,
    row: tables.Subscription,
    profile: BillingProfile,
    due: DueBill,
    now: datetime,
) -> tables.Invoice:
    days = (due.first_day, due.next_first_day)
    text = f"{due.terms.plan_name}, {days[0]} to {days[1]}"
    bill = write_bill(tx, row, profile, due.amount, days, text, now)
    if not bill.total_micros:
        bill.paid_at = now
    if due.terms.seconds is not None or due.terms.octets is not None:
        _entitle(tx, row, profile, due, now)
    audit.append(
        tx,
        at=now,
        org_id=row.org_id,
        actor=context.actor,
        action="bill.issue",
        subject=f"invoice:{bill.invoice_id}",
        detail={"number": bill.number, "total_micros": bill.total_micros, "due": bill.due_on},
    )
    return bill


def _entitle(
    tx: Transaction,
    row: tables.Subscription,
    profile: BillingProfile,
    due: DueBill,
    now: datetime,
) -> None:
    """The cycle's time and data. In arrears the cycle is over when its bill is issued."""
    if profile.bill_in is BillIn.ARREARS:
        return
    zone = operator_of(tx).time_zone
    begins = max(day_start(due.first_day, zone), row.created_at)
    window = Window(
        follows=False, valid_from=begins, valid_until=day_start(due.next_first_day, zone)
    )
    entitle(tx, row, due.terms, window, due.price.amount_micros, now)
