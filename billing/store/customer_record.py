"""What is kept of a customer, read for lists."""

from __future__ import annotations

from datetime import date

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from billing.model.credits import CreditNoteView
from billing.model.customer_record import CustomerRow, LedgerLine, PaymentLine
from billing.model.events import fold_username
from billing.store import credits, tables
from billing.store.pool import named_query


def search(
    tx: Session, text: str, *, today: date, before: int | None, limit: int
) -> list[CustomerRow]:
    """Newest first, of what matches `text`; '' is all."""
    wanted = text.strip()
    is_number = wanted.isascii() and wanted.isdigit() and len(wanted) < 19
    rows = tx.connection().exec_driver_sql(
        named_query("search_customers"),
        {
            "text": wanted or None,
            "number": int(wanted) if is_number else None,
            "username": fold_username(wanted),
            "today": today,
            "before": before,
            "limit": limit,
        },
    )
    return [CustomerRow(**row._mapping) for row in rows]


def ledger(
    tx: Session, customer_id: int, wallet_id: int, *, before: int | None, limit: int
) -> list[LedgerLine]:
    """Newest first; `before`: only older entries than this one."""
    rows = tx.connection().exec_driver_sql(
        named_query("wallet_ledger"),
        {"customer_id": customer_id, "wallet_id": wallet_id, "before": before, "limit": limit},
    )
    return [LedgerLine(**row._mapping) for row in rows]


def payments(tx: Session, customer_id: int, limit: int) -> list[PaymentLine]:
    """Newest first."""
    table = tables.Payment
    rows = tx.scalars(
        select(table)
        .where(table.customer_id == customer_id)
        .order_by(table.payment_id.desc())
        .limit(limit)
    )
    return [
        PaymentLine(
            payment_id=row.payment_id,
            received_at=row.received_at,
            channel=row.channel,
            reference=row.reference,
            amount_micros=row.amount_micros,
            currency=row.currency,
        )
        for row in rows
    ]


def last_top_up(tx: Session, customer_id: int, wallet_id: int) -> int:
    """What came into a wallet the last time, in micros; 0: nothing yet."""
    table = tables.Payment
    found = tx.scalar(
        select(table.amount_micros)
        .where(table.customer_id == customer_id, table.wallet_id == wallet_id)
        .order_by(table.payment_id.desc())
        .limit(1)
    )
    return found or 0


def credit_notes(tx: Session, customer_id: int, limit: int) -> list[CreditNoteView]:
    """Newest first."""
    note, bill = tables.CreditNote, tables.Invoice
    found = tx.execute(
        select(note, bill)
        .join(
            bill,
            and_(bill.customer_id == note.customer_id, bill.invoice_id == note.invoice_id),
        )
        .where(note.customer_id == customer_id)
        .order_by(note.credit_note_id.desc())
        .limit(limit)
    )
    return [credits.view(row, of) for row, of in found]


def bills(tx: Session, customer_id: int, *, before: int | None, limit: int) -> list[tables.Invoice]:
    """Newest first; `before`: only bills that were made before this one."""
    bill = tables.Invoice
    statement = select(bill).where(bill.customer_id == customer_id)
    if before is not None:
        statement = statement.where(bill.invoice_id < before)
    return list(tx.scalars(statement.order_by(bill.invoice_id.desc()).limit(limit)))
