"""Money that comes in, by gateways and otherwise, in one list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.model.money_in import MoneyIn, MoneyPlace, MoneyUsed
from billing.store import tables
from billing.store.pool import named_query


def used(tx: Session, customer_id: int, payment_id: int) -> MoneyUsed | None:
    """What a payment paid at the instant when it was received."""
    payment = tx.get(tables.Payment, {"customer_id": customer_id, "payment_id": payment_id})
    if payment is None:
        return None
    allocated, bill, receipt = tables.PaymentAllocation, tables.Invoice, tables.Receipt
    rows = tx.execute(
        select(bill.number, func.sum(allocated.amount_micros).label("micros"))
        .join(
            bill,
            (bill.customer_id == allocated.customer_id) & (bill.invoice_id == allocated.invoice_id),
        )
        .where(
            allocated.customer_id == customer_id,
            allocated.at == payment.received_at,
            allocated.amount_micros > 0,
        )
        .group_by(bill.number, bill.due_on)
        .order_by(bill.due_on, bill.number)
    )
    bills = tuple((row.number, int(row.micros)) for row in rows)
    number = tx.scalar(
        select(receipt.number).where(
            receipt.customer_id == customer_id, receipt.payment_id == payment_id
        )
    )
    return MoneyUsed(
        receipt_number=number,
        bills=bills,
        rest_micros=max(0, payment.amount_micros - sum(micros for _, micros in bills)),
        currency=payment.currency,
    )


def listed(
    tx: Session,
    *,
    text: str | None,
    number: int | None,
    states: Sequence[str],
    channel: str | None,
    customer_id: int | None,
    days: tuple[datetime, datetime] | None,
    before: MoneyPlace | None,
    limit: int,
) -> list[MoneyIn]:
    """Newest first. `number`: the text as one, where it is. `days`: from an instant to before
    another."""
    rows = tx.connection().exec_driver_sql(
        named_query("money_in"),
        {
            "text": text,
            "id": number,
            "states": list(states) or None,
            "channel": channel,
            "customer": customer_id,
            "since": days[0] if days else None,
            "until": days[1] if days else None,
            "at": before.at if before else None,
            "source": int(before.by_gateway) if before else None,
            "number": before.number if before else None,
            "limit": limit,
        },
    )
    return [
        MoneyIn(
            at=row.at,
            customer_id=row.customer_id,
            customer_name=row.customer_name,
            attempt_id=row.number if row.source else None,
            number=row.number,
            state=row.state,
            channel=row.channel,
            gateway=row.gateway,
            purpose=row.purpose,
            amount_micros=row.amount_micros,
            back_micros=row.back_micros,
            currency=row.currency,
            reference=row.reference,
            actor=row.actor,
            receipt_number=row.receipt_number,
        )
        for row in rows
    ]
