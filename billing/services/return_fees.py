"""A fee for the payer of a direct debit that came back (rules P1, I1)."""

from __future__ import annotations

from datetime import datetime

from billing.model.sepa import RETURN_FEE, return_fee
from billing.rules.cycles import local_day
from billing.rules.sepa import costs_a_fee, end_to_end_id
from billing.services import gateways
from billing.services.context import Context
from billing.services.customers import audit_customer
from billing.services.fees import charge_fees, fee_of
from billing.services.issuing import operator_of
from billing.store import customers, invoices, tables
from billing.store.guard import Transaction


def charge(
    tx: Transaction,
    context: Context,
    customer: tables.Customer,
    row: tables.PaymentAttempt,
    line: tables.SepaCollection,
    now: datetime,
) -> None:
    """Where the gateway asks for one and the payer is why it came back. The customer is locked; who
    calls does so once for each return. Without a subscription there is no bill to put it on."""
    fee = return_fee(gateways.found(tx, row.gateway_id).settings.get(RETURN_FEE, ""))
    if not fee.amount_micros or not costs_a_fee(line.returned_for or ""):
        return
    subscription = _subscription(tx, row)
    if subscription is None:
        return
    today = local_day(now, operator_of(tx).time_zone)
    text = f"Returned direct debit {end_to_end_id(line.file_id, line.attempt_id)}, {today}"
    (charged,) = charge_fees(tx, context, [fee_of(tx, subscription, fee, text, today)], now)
    detail: dict[str, object] = {
        "fee_micros": fee.amount_micros,
        "charge": charged.charge_id,
        "invoice": charged.invoice_id,
    }
    audit_customer(context, tx, customer, "sepa.fee", now, detail, subscription.subscription_id)


def _subscription(tx: Transaction, row: tables.PaymentAttempt) -> tables.Subscription | None:
    """The bill's, else the first that its wallet pays."""
    rows = customers.subscriptions_of(tx, row.customer_id)
    bill = None
    if row.invoice_id is not None:
        bill = invoices.get_invoice(tx, row.customer_id, row.invoice_id).subscription_id
    own = [one for one in rows if one.subscription_id == bill]
    return next(iter([*own, *(one for one in rows if one.wallet_id == row.wallet_id)]), None)
