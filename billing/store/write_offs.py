"""What was written off of bills, and what of it came in after all (rule I5)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from billing.model.dunning import WriteOffView
from billing.store import tables


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The write-off of a bill, micros: of `amount_micros` the tax that it released, and how much
    of both was recovered since."""

    entry_id: int
    amount_micros: int
    tax_micros: int
    recovered_micros: int
    recovered_tax_micros: int


def given_up(tx: Session, bill: tables.Invoice) -> GivenUp | None:
    """None where it was never written off."""
    row, came, posting = tables.WriteOff, tables.Recovery, tables.Posting
    found = tx.get(row, {"customer_id": bill.customer_id, "invoice_id": bill.invoice_id})
    if found is None:
        return None
    released = tx.scalar(
        select(func.coalesce(func.sum(-posting.amount_micros), 0)).where(
            posting.customer_id == found.customer_id,
            posting.entry_id == found.entry_id,
            posting.account == "tax:unpaid",
        )
    )
    amount, tax = tx.execute(
        select(func.sum(came.amount_micros), func.sum(came.tax_micros)).where(
            came.customer_id == bill.customer_id, came.invoice_id == bill.invoice_id
        )
    ).one()
    return GivenUp(
        entry_id=found.entry_id,
        amount_micros=found.amount_micros,
        tax_micros=int(released or 0),
        recovered_micros=int(amount or 0),
        recovered_tax_micros=int(tax or 0),
    )


def of_customer(tx: Session, customer_id: int, limit: int) -> list[WriteOffView]:
    """Of a customer's bills, newest first."""
    row, bill, came = tables.WriteOff, tables.Invoice, tables.Recovery
    recovered = (
        select(func.coalesce(func.sum(came.amount_micros), 0))
        .where(came.customer_id == row.customer_id, came.invoice_id == row.invoice_id)
        .scalar_subquery()
    )
    found = tx.execute(
        select(row, bill.number, recovered)
        .join(bill, and_(bill.customer_id == row.customer_id, bill.invoice_id == row.invoice_id))
        .where(row.customer_id == customer_id)
        .order_by(row.at.desc(), row.invoice_id.desc())
        .limit(limit)
    )
    return [_view(one, number, int(micros)) for one, number, micros in found]


def insert(tx: Session, row: tables.WriteOff, bill: tables.Invoice) -> WriteOffView:
    """Write it down; nothing of the bill is left to pay then. The customer is locked."""
    tx.add(row)
    bill.written_off_micros += row.amount_micros
    bill.paid_at = row.at
    tx.flush()
    return _view(row, bill.number, 0)


def insert_recovery(tx: Session, row: tables.Recovery, bill: tables.Invoice) -> None:
    """Write it down: so much of the bill is paid and not written off. The customer is locked."""
    tx.add(row)
    bill.written_off_micros -= row.amount_micros
    bill.paid_micros += row.amount_micros
    tx.flush()


def _view(row: tables.WriteOff, number: str, recovered_micros: int) -> WriteOffView:
    return WriteOffView(
        customer_id=row.customer_id,
        number=number,
        at=row.at,
        reason=row.reason,
        amount_micros=row.amount_micros,
        recovered_micros=recovered_micros,
        currency=row.currency,
    )
