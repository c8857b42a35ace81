"""Money that came in, however it came: posted, receipted, and used for what waits for it (P1, I4).

Every way to pay ends here: the desk, a gateway's payment, a voucher, what was in suspense.
"""

from __future__ import annotations

from datetime import datetime

from billing.model.commerce import MoneyChannel
from billing.model.money import Money
from billing.model.views import PaymentReceipt
from billing.services import alerts, receipts, reconnection, renewals
from billing.services.context import Context
from billing.services.settling import receive, settle
from billing.store import audit, ledger, tables
from billing.store.guard import Transaction


def credit_wallet(
    tx: Transaction,
    context: Context,
    customer: tables.Customer,
    wallet_id: int,
    amount: Money,
    channel: MoneyChannel,
    reference: str | None,
    now: datetime,
) -> PaymentReceipt:
    """Credit a wallet and settle open bills from it, oldest first; the rest stays as free credit
    (rule I4), which renews what it covers and restores who was cut (rules P9, P10). The customer
    is locked."""
    customer_id = customer.customer_id
    payment_id = receive(
        tx, customer, wallet_id, amount, channel, reference=reference, actor=context.actor, now=now
    )
    held = reconnection.suspended(tx, customer_id)
    settled = settle(tx, customer, wallet_id, now, received_micros=amount.amount_micros)
    alerts.note_top_up(tx, customer_id, wallet_id)
    renewals.credited(tx, context, customer_id, now)
    reconnection.charge_restored(tx, context, customer, held, now)
    number = receipts.of_top_up(tx, customer, payment_id, amount, channel, reference, now)
    audit.append(
        tx,
        at=now,
        org_id=customer.org_id,
        actor=context.actor,
        action="wallet.topup",
        subject=f"wallet:{wallet_id}",
        detail={
            "amount_micros": amount.amount_micros,
            "channel": channel,
            "settled": settled,
            "receipt": number,
        },
    )
    return PaymentReceipt(
        customer_id=customer_id,
        payment_id=payment_id,
        amount_micros=amount.amount_micros,
        currency=amount.currency,
        settled=settled,
        available_micros=ledger.wallet(tx, customer_id, wallet_id).available_micros,
        receipt_number=number,
    )
