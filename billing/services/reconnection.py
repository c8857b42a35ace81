"""A fee for whoever was suspended for an unpaid bill and is back by a payment (rules I5, B9)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime

from billing.model.money import Money
from billing.rules.cycles import local_day
from billing.rules.states import NORMAL
from billing.services.context import Context
from billing.services.customers import audit_customer
from billing.services.fees import FeeDue, charge_fees, fee_of
from billing.services.issuing import operator_of
from billing.store import customers, ledger, tables
from billing.store.guard import Transaction

_OVERDUE = "S5"


def suspended(tx: Transaction, customer_id: int) -> frozenset[int]:
    """Subscriptions that are suspended as overdue, before a payment is allocated."""
    rows = customers.subscriptions_of(tx, customer_id)
    return frozenset(row.subscription_id for row in rows if row.service_rule == _OVERDUE)


def charge_restored(
    tx: Transaction,
    context: Context,
    customer: tables.Customer,
    before: Collection[int],
    now: datetime,
) -> None:
    """Charge those of `before` that the payment has restored, once each; the customer is locked and
    was reconciled. A promise to pay, a credit note or a write-off restores without a fee."""
    if not before:
        return
    today = local_day(now, operator_of(tx).time_zone)
    for row in customers.subscriptions_of(tx, customer.customer_id):
        if row.subscription_id not in before or row.service_rule != NORMAL.rule:
            continue
        due = _fee(tx, row, today)
        if not due.price.amount_micros:
            continue
        (fee,) = charge_fees(tx, context, [due], now)
        detail: dict[str, object] = {
            "fee_micros": due.price.amount_micros,
            "charge": fee.charge_id,
            "invoice": fee.invoice_id,
        }
        audit_customer(context, tx, customer, "reconnection.fee", now, detail, row.subscription_id)


def _fee(tx: Transaction, row: tables.Subscription, today: date) -> FeeDue:
    micros = customers.effective_profile_row(tx, row).reconnection_fee_micros
    currency = ledger.wallet(tx, row.customer_id, row.wallet_id).currency
    return fee_of(tx, row, Money(micros, currency), f"Reconnection fee, {today}", today)
