"""Receipts: numbered without gaps in a series of their own, never changed (rules I2, I6)."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.store import invoices, letterheads, tables


def insert(tx: Session, row: tables.Receipt) -> None:
    """Number and write it, with what both sides are called now; the series stays locked until the
    transaction ends. The customer is locked."""
    letterheads.keep(tx, [row.org_id], [row.customer_id])
    row.seller_letterhead_id, row.buyer_letterhead_id = letterheads.newest_ids(
        tx, row.org_id, row.customer_id
    )
    (row.number,) = invoices.numbers(tx, row.org_id, 1, invoices.RECEIPT_SERIES)
    tx.add(row)
    tx.flush()


def numbered(tx: Session, number: str, org_id: int | None = None) -> list[tables.Receipt]:
    """Receipts of this number, of one organisation or of all: each has a series of its own."""
    statement = select(tables.Receipt).where(tables.Receipt.number == number)
    if org_id is not None:
        statement = statement.where(tables.Receipt.org_id == org_id)
    return list(tx.scalars(statement.order_by(tables.Receipt.org_id)))


def of_customer(tx: Session, customer_id: int, limit: int) -> list[tables.Receipt]:
    """Newest first."""
    return list(
        tx.scalars(
            select(tables.Receipt)
            .where(tables.Receipt.customer_id == customer_id)
            .order_by(tables.Receipt.issued_at.desc(), tables.Receipt.receipt_id.desc())
            .limit(limit)
        )
    )


def of_payment(tx: Session, customer_id: int, payment_id: int) -> tables.Receipt | None:
    """The first that names a payment."""
    row = tables.Receipt
    found = select(row).where(row.customer_id == customer_id, row.payment_id == payment_id)
    return tx.scalar(found.order_by(row.receipt_id).limit(1))
