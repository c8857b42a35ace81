"""What is printed on bills, read only; and what organisations say of themselves on them."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.model.documents import DocumentLine
from billing.store import tables
from billing.store.invoices import SERIES


def bills_numbered(tx: Session, number: str, org_id: int | None = None) -> list[tables.Invoice]:
    """Bills of this number, of one organisation or of all: each has series of its own."""
    statement = select(tables.Invoice).where(tables.Invoice.number == number)
    if org_id is not None:
        statement = statement.where(tables.Invoice.org_id == org_id)
    return list(tx.scalars(statement.order_by(tables.Invoice.org_id)))


def bill(tx: Session, customer_id: int, invoice_id: int) -> tables.Invoice | None:
    """By key."""
    return tx.get(tables.Invoice, {"customer_id": customer_id, "invoice_id": invoice_id})


def lines(tx: Session, row: tables.Invoice) -> list[tables.InvoiceLine]:
    """In their order."""
    table = tables.InvoiceLine
    statement = select(table).where(
        table.customer_id == row.customer_id, table.invoice_id == row.invoice_id
    )
    return list(tx.scalars(statement.order_by(table.line)))


def charged_lines(tx: Session, row: tables.Invoice) -> tuple[DocumentLine, ...]:
    """A bill's lines as papers show them, in their order (rule I1)."""
    return tuple(
        DocumentLine(
            text=line.text,
            net_micros=line.amount_micros,
            tax_rate_ppm=line.tax_rate_ppm,
            tax_micros=line.tax_micros,
        )
        for line in lines(tx, row)
    )


def payments(tx: Session, row: tables.Invoice) -> list[tables.PaymentAllocation]:
    """What it was paid with, oldest first (rule I4)."""
    table = tables.PaymentAllocation
    statement = select(table).where(
        table.customer_id == row.customer_id, table.invoice_id == row.invoice_id
    )
    return list(tx.scalars(statement.order_by(table.at, table.entry_id)))


def customer(tx: Session, customer_id: int) -> tables.Customer | None:
    return tx.get(tables.Customer, customer_id)


def organisation(tx: Session, org_id: int) -> tables.Organisation | None:
    return tx.get(tables.Organisation, org_id)


def lock_organisation(tx: Session, org_id: int) -> tables.Organisation | None:
    """The row, locked until the transaction ends."""
    return tx.get(tables.Organisation, org_id, with_for_update=True, populate_existing=True)


def newest_bill(tx: Session, org_id: int) -> tables.Invoice | None:
    """The bill that an organisation issued last, found by its number: it may have millions."""
    series = tx.get(tables.InvoiceSeries, {"org_id": org_id, "series": SERIES})
    if series is None:
        return None
    found = bills_numbered(tx, f"{SERIES}-{series.next_number - 1}", org_id)
    return found[0] if found else None
