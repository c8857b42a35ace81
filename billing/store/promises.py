"""Promises to pay (rule B19)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.model.promises import PromiseState, PromiseView
from billing.store import tables

_Row = tables.PaymentPromise


def insert(tx: Session, row: tables.PaymentPromise) -> None:
    """The customer is locked."""
    tx.add(row)
    tx.flush()


def standing(tx: Session, customer_id: int) -> tables.PaymentPromise | None:
    """The one that stands."""
    return tx.scalar(
        select(_Row).where(_Row.customer_id == customer_id, _Row.state == PromiseState.STANDS.value)
    )


def made_by_customer(tx: Session, customer_id: int, since: datetime) -> list[datetime]:
    """When it made promises itself since an instant, oldest first."""
    return list(
        tx.scalars(
            select(_Row.made_at)
            .where(_Row.customer_id == customer_id, _Row.by_customer, _Row.made_at >= since)
            .order_by(_Row.made_at)
        )
    )


def of_customer(tx: Session, customer_id: int) -> list[PromiseView]:
    """Newest first."""
    found = tx.scalars(
        select(_Row).where(_Row.customer_id == customer_id).order_by(_Row.promise_id.desc())
    )
    return [view(row) for row in found]


def view(row: tables.PaymentPromise) -> PromiseView:
    """As services hand it out."""
    return PromiseView(
        promise_id=row.promise_id,
        made_at=row.made_at,
        by_customer=row.by_customer,
        until=row.until,
        open_micros=row.open_micros,
        wallet_id=row.wallet_id,
        credit_micros=row.credit_micros,
        currency=row.currency,
        state=PromiseState(row.state),
        settled_at=row.settled_at,
    )


def paid_before(tx: Session, row: tables.PaymentPromise) -> bool:
    """Whether every bill that was there when it was made is paid, and was before it ended."""
    bill = tables.Invoice
    unpaid = select(bill.invoice_id).where(
        bill.customer_id == row.customer_id,
        bill.issued_at <= row.made_at,
        bill.paid_at.is_(None) | (bill.paid_at >= row.ends_at),
    )
    return tx.scalar(unpaid.limit(1)) is None
