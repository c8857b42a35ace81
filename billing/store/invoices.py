"""Bills: numbered without gaps, never changed but for what was paid (rules I2, I4)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import date, datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.model.bills import BillDraft, BillPayment, IssuedBill
from billing.model.charges import ChargeKind
from billing.model.views import InvoiceView
from billing.store import letterheads, tables, write_offs
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
    letterheads.keep(tx, series, [one.customer_id for one in drafts])
    found = tx.connection().exec_driver_sql(
        named_query("issue_bills"), {"bills": json.dumps(rows, default=str), "now": now}
    )
    return [IssuedBill(**row._mapping) for row in found]


def pay_whole(tx: Session, payments: Sequence[BillPayment], now: datetime) -> None:
    """Pay bills that were just issued from their wallets, an entry each, in this order, in one
    statement (rules M4, I4, P10); the customers are locked."""
    if payments:
        rows = [asdict(one) | {"ord": place} for place, one in enumerate(payments)]
        tx.connection().exec_driver_sql(
            named_query("pay_bills"), {"bills": json.dumps(rows), "now": now}
        )


def owing(tx: Session, customer_ids: Iterable[int]) -> set[int]:
    """Those of these customers that have a bill with something left to pay."""
    bill = tables.Invoice
    return set(
        tx.scalars(
            select(bill.customer_id)
            .where(bill.customer_id.in_(customer_ids), bill.paid_at.is_(None))
            .distinct()
        )
    )


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


def lock_series(tx: Session, org_id: int) -> None:
    """Both series, in one order, by whoever credits before it issues: two of them would wait for
    each other."""
    for series in (SERIES, CREDIT_SERIES):
        numbers(tx, org_id, 0, series)


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


def written_off(tx: Session, customer_id: int) -> list[tables.Invoice]:
    """Bills of which something is given up and did not come in since, newest first."""
    bill = tables.Invoice
    return list(
        tx.scalars(
            select(bill)
            .where(bill.customer_id == customer_id, bill.written_off_micros > 0)
            .order_by(bill.invoice_id.desc())
        )
    )


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


def numbered(tx: Session, numbers: Sequence[str], org_ids: Sequence[int]) -> list[tables.Invoice]:
    """Bills of these numbers, of these organisations."""
    bill = tables.Invoice
    chosen = select(bill).where(bill.number.in_(numbers), bill.org_id.in_(org_ids))
    return list(tx.scalars(chosen.order_by(bill.number, bill.org_id)))


def get_invoice(tx: Session, customer_id: int, invoice_id: int) -> tables.Invoice:
    """As it is now in this transaction; the customer is locked already."""
    key = {"customer_id": customer_id, "invoice_id": invoice_id}
    return tx.get_one(tables.Invoice, key, populate_existing=True)


def cycle_end(tx: Session, customer_id: int, subscription_id: int) -> date | None:
    """The day after the last billed cycle of a subscription, whether paid or not."""
    bill = tables.Invoice
    return tx.scalar(
        select(func.max(_plan_end())).where(
            bill.customer_id == customer_id,
            bill.subscription_id == subscription_id,
            bill.voided_at.is_(None),
        )
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
        .order_by(_plan_end().desc(), bill.invoice_id.desc())
        .limit(1)
    )


def billed_past(
    tx: Session, customer_id: int, subscription_id: int, day: date
) -> list[tuple[tables.Invoice, date, date]]:
    """Bills whose plan's days end after the local day `day`, with the first one and the day after
    the last, latest first; those credited in full are left out. The customer is locked."""
    bill = tables.Invoice
    found = tx.scalars(
        select(bill)
        .where(
            bill.customer_id == customer_id,
            bill.subscription_id == subscription_id,
            _plan_end() > day,
            bill.credited_micros < bill.total_micros,
        )
        .order_by(_plan_end().desc(), bill.cycle_from.desc())
    )
    return [
        (row, row.cycle_from, row.plan_until or row.cycle_until)
        for row in found
        if row.cycle_from and row.cycle_until
    ]


def charged_past(
    tx: Session, customer_id: int, subscription_id: int, day: date
) -> list[tables.Invoice]:
    """Bills that hold recurring charges of the local day `day` or later, latest first; those
    credited in full are left out. The customer is locked."""
    bill, line, charge = tables.Invoice, tables.InvoiceLine, tables.Charge
    found = tx.scalars(
        select(bill)
        .where(
            bill.customer_id == customer_id,
            bill.subscription_id == subscription_id,
            bill.credited_micros < bill.total_micros,
            bill.served_until.is_(None),
            select(line.line)
            .join(
                charge,
                (charge.customer_id == line.customer_id) & (charge.charge_id == line.charge_id),
            )
            .where(
                line.customer_id == bill.customer_id,
                line.invoice_id == bill.invoice_id,
                line.next_first_day > day,
                charge.kind == ChargeKind.RECURRING.value,
            )
            .exists(),
        )
        .order_by(bill.invoice_id.desc())
    )
    return list(found)


def recurring_lines(tx: Session, bill: tables.Invoice) -> list[tuple[int, date, date, int]]:
    """Of a bill's lines those of recurring charges: net in micros, the days, and the tax rate."""
    line, charge = tables.InvoiceLine, tables.Charge
    found = tx.execute(
        select(line.amount_micros, line.first_day, line.next_first_day, line.tax_rate_ppm)
        .join(
            charge,
            (charge.customer_id == line.customer_id) & (charge.charge_id == line.charge_id),
        )
        .where(
            line.customer_id == bill.customer_id,
            line.invoice_id == bill.invoice_id,
            charge.kind == ChargeKind.RECURRING.value,
        )
        .order_by(line.line)
    )
    return [(row[0], row[1], row[2], row[3]) for row in found if row[1] and row[2]]


def plan_lines(
    tx: Session, bill: tables.Invoice
) -> list[tuple[int, date | None, date | None, int]]:
    """Of a bill's lines those of its plan and of discounts on it: net in micros, the days of a
    discount, and the tax rate (rule I1)."""
    line, charge = tables.InvoiceLine, tables.Charge
    found = tx.execute(
        select(line.amount_micros, line.first_day, line.next_first_day, line.tax_rate_ppm)
        .outerjoin(
            charge,
            (charge.customer_id == line.customer_id) & (charge.charge_id == line.charge_id),
        )
        .where(
            line.customer_id == bill.customer_id,
            line.invoice_id == bill.invoice_id,
            line.usage_micros.is_(None),
            line.charge_id.is_(None) | (charge.kind == ChargeKind.DISCOUNT.value),
        )
        .order_by(line.line)
    )
    return [(row[0], row[1], row[2], row[3]) for row in found]


def _plan_end() -> ColumnElement[date | None]:
    """The day after the last one of the bill's plan."""
    return func.coalesce(tables.Invoice.plan_until, tables.Invoice.cycle_until)


def record_paid(
    tx: Session, row: tables.Invoice, amount_micros: int, entry_id: int, now: datetime
) -> None:
    """Allocate wallet money that the journal entry moved to a bill (rule I4)."""
    row.paid_micros += amount_micros
    if not open_micros(row):
        row.paid_at = now
    allocate(tx, row, amount_micros, entry_id, now)


def tax_left(tx: Session, row: tables.Invoice) -> int:
    """The tax of a bill, less what credit notes took back and what its write-off released and
    no recovery made due after all, in micros."""
    note = tables.CreditNote
    credited = select(func.coalesce(func.sum(note.tax_micros), 0)).where(
        note.customer_id == row.customer_id, note.invoice_id == row.invoice_id
    )
    lost = write_offs.given_up(tx, row)
    released_micros = 0 if lost is None else lost.tax_micros - lost.recovered_tax_micros
    return row.tax_micros - int(tx.scalar(credited) or 0) - released_micros


def open_micros(row: tables.Invoice) -> int:
    """What is left to pay."""
    return row.total_micros - row.paid_micros - row.credited_micros - row.written_off_micros


def net_micros(row: tables.Invoice) -> int:
    """What was billed without its tax."""
    return row.total_micros - row.tax_micros - row.rounding_micros


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


def usage_net_micros(tx: Session, row: tables.Invoice) -> int:
    """What its lines of usage say, without tax."""
    line = tables.InvoiceLine
    found = select(func.coalesce(func.sum(line.amount_micros), 0)).where(
        line.customer_id == row.customer_id,
        line.invoice_id == row.invoice_id,
        line.usage_micros.is_not(None),
    )
    return int(tx.scalar(found) or 0)


def allocated_by(tx: Session, row: tables.Invoice, entry_id: int) -> int:
    """How much of wallet money an entry moved to a bill."""
    key = {"customer_id": row.customer_id, "invoice_id": row.invoice_id, "entry_id": entry_id}
    found = tx.get(tables.PaymentAllocation, key)
    return 0 if found is None else found.amount_micros


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
