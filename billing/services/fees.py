"""Fees that follow from not paying: on the next bill, or on one of their own (rules I1, I5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from billing.model.charges import ChargeKind
from billing.model.commerce import Owner
from billing.model.money import Money
from billing.model.profile import BillingProfile
from billing.rules.cycles import local_day
from billing.rules.moves import bills_by_itself
from billing.rules.taxes import charge
from billing.services import enforcement
from billing.services.context import Context
from billing.services.issuing import draft, one_line, operator_of, write_bill
from billing.services.settling import settle
from billing.store import catalog, charges, customers, invoices, messages, tables
from billing.store.guard import Transaction

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Fee:
    """A charge that the next bill carries, or a bill."""

    charge_id: int | None = None
    invoice_id: int | None = None


def charge_fee(
    tx: Transaction,
    context: Context,
    customer: tables.Customer,
    subscription: tables.Subscription | None,
    text: str,
    price: Money,
    on: date,
    now: datetime,
) -> Fee:
    """`price` is as the profile's prices are, with or without tax; `on` is the fee's local day.

    Where the subscription is billed by itself, the next bill carries the fee; else it gets a bill
    of its own, with the profile's payment date. The customer is locked.
    """
    profile = profile_for(tx, customer, subscription)
    if subscription is not None and _has_next_bill(subscription, profile):
        return Fee(charge_id=_on_next_bill(tx, subscription, text, price, on, now))
    amount = charge(price, profile.tax_rate_ppm, inclusive=profile.tax_inclusive)
    today = local_day(now, operator_of(tx).time_zone)
    wallet_id = customers.wallets_of(tx, customer.customer_id)[0].wallet_id
    subscription_id = None
    if subscription is not None:
        wallet_id, subscription_id = subscription.wallet_id, subscription.subscription_id
    owner = Owner(customer.customer_id, customer.org_id, subscription_id)
    lines = one_line(text, profile, amount)
    bill = write_bill(tx, draft(owner, profile, amount, None, lines, today), now)
    settle(tx, customer, wallet_id, now)
    enforcement.reconcile(tx, context, customer.customer_id, now)
    messages.queue_bills(tx, [(customer.customer_id, bill.invoice_id)], now)
    return Fee(invoice_id=bill.invoice_id)


def profile_for(
    tx: Transaction, customer: tables.Customer, subscription: tables.Subscription | None
) -> BillingProfile:
    """The billing profile that a bill of the subscription, or of the whole customer, is under."""
    if subscription is not None:
        return customers.effective_profile(tx, subscription)
    return catalog.profiles_by_id(tx, {customer.profile_id})[customer.profile_id]


def _has_next_bill(row: tables.Subscription, profile: BillingProfile) -> bool:
    return (
        bills_by_itself(profile) and row.closed_at is None and row.plan_version_id is not None
    )  # fmt: skip


def _on_next_bill(
    tx: Transaction, row: tables.Subscription, text: str, price: Money, on: date, now: datetime
) -> int:
    # In arrears the next bill is for days before `on`, and carries what was due on its days.
    on = min(on, invoices.cycle_end(tx, row.customer_id, row.subscription_id) or on)
    return charges.insert(
        tx,
        tables.Charge(
            customer_id=row.customer_id,
            org_id=row.org_id,
            subscription_id=row.subscription_id,
            kind=ChargeKind.ONE_OFF.value,
            text=text,
            price_micros=price.amount_micros,
            discount_ppm=0,
            starts_on=on,
            ends_on=on + _ONE_DAY,
            created_at=now,
        ),
    )
