"""Bills: numbered without gaps, never changed but for what was paid (rules I2, I4)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.model.bills import BillDraft, IssuedBill
from billing.model.views import InvoiceView
from billing.store import tables
from billing.store.pool import named_query

SERIES = "INV"
CREDIT_SERIES = "CN"
RECEIPT_SERIES = "RC"


def issue(tx: Session, drafts: Sequence[BillDraft], now: datetime) -> list[IssuedBill]:
    """Number and write bills with their journal entries, in this order (rules I2, M4); the
    customers are locked."""
    if not drafts:
        return []
    series = {
        org_id: numbers(tx, org_id, sum(one.org_id == org_id for one in drafts), SERIES)
        for org_id in sorted({one.org_id for one in drafts})
    }
    rows = [
        asdict(one) | {"ord": place, "number": next(series[one.org_id])}
        for place, one in enumerate(drafts)
    ]
    found = tx.connection().exec_driver_sql(
        named_query("issue_bills"), {"bills": json.dumps(rows, default=str), "now": now}
    )
    return [IssuedBill(**row._mapping) for row in found]


def numbers(tx: Session, org_id: int, count: int, series: str) -> Iterator[str]:
    """The series' next numbers, `INV-7`, …; it stays locked until the transaction ends, so numbers
    that are rolled back are used again: no gaps (rule I2)."""
    statement = insert(tables.InvoiceSeries).values(
        org_id=org_id, series=series, next_number=1 + count
    )
    after = tx.scalar(
        statement.on_conflict_do_update(
            index_elements=["org_id", "series"],
            set_={"next_number": tables.InvoiceSeries.next_number + count},
        ).returning(tables.InvoiceSeries.next_number)
    )
    last = after or 1 + count
    return (f"{series}-{number}" for number in range(last - count, last))


def open_invoices(
    tx: Session, customer_id: int, subscription_ids: list[int] | None = None
) -> list[tables.Invoice]:
    """Rows with something left to pay, oldest first (rule I4); the customer is locked already.

    `subscription_ids`: only these subscriptions' bills and those of no subscription.
    """
    statement = select(tables.Invoice).where(
        tables.Invoice.customer_id == customer_id, tables.Invoice.paid_at.is_(None)
    )
    if subscription_ids is not None:
        statement = statement.where(
            tables.Invoice.subscription_id.is_(None)
            | tables.Invoice.subscription_id.in_(subscription_ids)
        )
    return list(tx.scalars(statement.order_by(tables.Invoice.due_on, tables.Invoice.invoice_id)))


def unpaid(tx: Session, customer_id: int, subscription_id: int) -> list[InvoiceView]:
    """Unpaid bills of a subscription (and its customer's general ones), oldest first."""
    return [view(row) for row in open_invoices(tx, customer_id, [subscription_id])]


def find_invoices(
    tx: Session, number: str, customer_id: int | None = None
) -> list[tables.Invoice]:  # fmt: skip
    """Bills of this number, of one customer or of all: each organisation has series of its own."""
    statement = select(tables.Invoice).where(tables.Invoice.number == number)
    if customer_id is not None:
        statement = statement.where(tables.Invoice.customer_id == customer_id)
    return list(tx.scalars(statement.order_by(tables.Invoice.org_id)))


def get_invoice(tx: Session, customer_id: int, invoice_id: int) -> tables.Invoice:
    """As it is now in this transaction; the customer is locked already."""
    key = {"customer_id": customer_id, "invoice_id": invoice_id}
    return tx.get_one(tables.Invoice, key, populate_existing=True)


def cycle_end(tx: Session, customer_id: int, subscription_id: int) -> date | None:
    """The day after the last billed cycle of a subscription, whether paid or not."""
    return tx.scalar(
        select(tables.Invoice.cycle_until)
        .where(
            tables.Invoice.customer_id == customer_id,
            tables.Invoice.subscription_id == subscription_id,
            tables.Invoice.cycle_until.is_not(None),
            tables.Invoice.voided_at.is_(None),
        )
        .order_by(tables.Invoice.cycle_until.desc())
        .limit(1)
    )


def last_of_cycles(tx: Session, customer_id: int, subscription_id: int | None) -> str | None:
    """The number of the bill of a subscription's last billed cycle."""
    bill = tables.Invoice
    return tx.scalar(
        select(bill.number)
        .where(
            bill.customer_id == customer_id,
            bill.subscription_id == subscription_id,
            bill.cycle_until.is_not(None),
            bill.voided_at.is_(None),
        )
        .order_by(bill.cycle_until.desc())
        .limit(1)
    )


def billed_past(
    tx: Session, customer_id: int, subscription_id: int, day: date
) -> list[tuple[tables.Invoice, date, date]]:
    """Bills of cycles that end after the local day `day`, with the cycle's first day and the day
    after its last, latest first; those credited in full are left out. The customer is locked."""
    bill = tables.Invoice
    found = tx.scalars(
        select(bill)
        .where(
            bill.customer_id == customer_id,
            bill.subscription_id == subscription_id,
            bill.cycle_until > day,
            bill.credited_micros < bill.total_micros,
        )
        .order_by(bill.cycle_until.desc())
    )
    return [
        (row, row.cycle_from, row.cycle_until)
        for row in found
        if row.cycle_from and row.cycle_until
    ]


def record_paid(
    tx: Session, row: tables.Invoice, amount_micros: int, entry_id: int, now: datetime
) -> None:
    """Allocate wallet money that the journal entry moved to a bill (rule I4)."""
    row.paid_micros += amount_micros
    if not open_micros(row):
        row.paid_at = now
    allocate(tx, row, amount_micros, entry_id, now)


def tax_left(tx: Session, row: tables.Invoice) -> int:
    """The tax of a bill, less what credit notes took back and what its write-off released, in
    micros."""
    note, given_up, posting = tables.CreditNote, tables.WriteOff, tables.Posting
    credited = select(func.coalesce(func.sum(note.tax_micros), 0)).where(
        note.customer_id == row.customer_id, note.invoice_id == row.invoice_id
    )
    released = (
        select(func.coalesce(func.sum(-posting.amount_micros), 0))
        .join(
            given_up,
            (given_up.customer_id == posting.customer_id) & (given_up.entry_id == posting.entry_id),
        )
        .where(
            given_up.customer_id == row.customer_id,
            given_up.invoice_id == row.invoice_id,
            posting.account == "tax:unpaid",
        )
    )
    return row.tax_micros - int(tx.scalar(credited) or 0) - int(tx.scalar(released) or 0)


def open_micros(row: tables.Invoice) -> int:
    """What is left to pay."""
    return row.total_micros - row.paid_micros - row.credited_micros - row.written_off_micros


def creditable_micros(row: tables.Invoice) -> int:
    """What credit notes may still take back: all that was neither credited nor written off."""
    return row.total_micros - row.credited_micros - row.written_off_micros


def allocate(
    tx: Session, row: tables.Invoice, amount_micros: int, entry_id: int, now: datetime
) -> None:
    """Write down which entry moved how much of wallet money to a bill, or back (negative)."""
    tx.add(
        tables.PaymentAllocation(
            customer_id=row.customer_id,
            invoice_id=row.invoice_id,
            entry_id=entry_id,
            org_id=row.org_id,
            amount_micros=amount_micros,
            at=now,
        )
    )
    tx.flush()


def view(row: tables.Invoice) -> InvoiceView:
    """The bill as services hand it out."""
    return InvoiceView(
        invoice_id=row.invoice_id,
        customer_id=row.customer_id,
        subscription_id=row.subscription_id,
        number=row.number,
        issued_at=row.issued_at,
        due_on=row.due_on,
        cycle_from=row.cycle_from,
        cycle_until=row.cycle_until,
        total_micros=row.total_micros,
        paid_micros=row.paid_micros,
        credited_micros=row.credited_micros,
        written_off_micros=row.written_off_micros,
        currency=row.currency,
        paid_at=row.paid_at,
    )
