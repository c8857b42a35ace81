"""Collectors' books, receipts and settlements (rule R4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from billing.errors import Refused
from billing.model.collections import BookView, CollectorLine
from billing.model.money import Money
from billing.store import tables
from billing.store.pool import named_query

_OVER_LIMIT = "TW004"
"""By which SQLSTATE enter_paper_receipt_v1 refuses."""

Found = tuple[tables.PaperReceipt, tables.ReceiptBook, str]
"""A receipt with its book and the customer's name."""


def get_book(tx: Session, book_id: int, *, lock: bool = False) -> tables.ReceiptBook | None:
    return tx.get(tables.ReceiptBook, book_id, with_for_update=lock, populate_existing=lock)


def overlaps(tx: Session, book: tables.ReceiptBook) -> bool:
    """Whether a number of this series is in another book of the organisation; who asks holds the
    lock of `lock_series`."""
    row = tables.ReceiptBook
    found = select(row.book_id).where(
        row.org_id == book.org_id,
        row.series == book.series,
        row.first_number <= book.last_number,
        row.last_number >= book.first_number,
    )
    return tx.scalar(found.limit(1)) is not None


def lock_series(tx: Session, org_id: int) -> None:
    """Books of an organisation are added one after the other."""
    tx.scalar(select(func.pg_advisory_xact_lock(func.hashtext(f"receipt books of {org_id}"))))


def books(tx: Session, collector: str | None) -> list[BookView]:
    """Open ones first, then the newest; of one collector, or of all."""
    book = tables.ReceiptBook
    found = select(book).order_by(book.closed_at.is_not(None), book.book_id.desc())
    if collector is not None:
        found = found.where(book.collector == collector)
    return [book_view(tx, row) for row in tx.scalars(found.limit(200))]


def book_view(tx: Session, row: tables.ReceiptBook) -> BookView:
    used = select(func.count()).where(tables.PaperReceipt.book_id == row.book_id)
    return BookView(
        book_id=row.book_id,
        org_id=row.org_id,
        collector=row.collector,
        series=row.series,
        first_number=row.first_number,
        last_number=row.last_number,
        next_number=_next_number(tx, row),
        used=int(tx.scalar(used) or 0),
        opened_at=row.opened_at,
        closed_at=row.closed_at,
    )


def _next_number(tx: Session, book: tables.ReceiptBook) -> int | None:
    """The first number, or else the lowest that follows a used one and is free."""
    row = tables.PaperReceipt
    if tx.get(row, (book.book_id, book.first_number)) is None:
        return book.first_number
    after = select(row.number + 1).where(row.book_id == book.book_id, row.number < book.last_number)
    used = select(row.number).where(row.book_id == book.book_id)
    return tx.scalar(after.where((row.number + 1).not_in(used)).order_by(row.number).limit(1))


def find(tx: Session, book_id: int, number: int) -> Found | None:
    rows = tx.execute(_receipts().where(_of(book_id, number)))
    return next(((row, book, name) for row, book, name in rows), None)


def enter(
    tx: Session,
    book_id: int,
    number: int,
    customer_id: int,
    payment_id: int | None,
    bill_number: str | None,
    amount: Money,
    *,
    by: str,
    now: datetime,
) -> None:
    """A receipt whose payment is posted (enter_paper_receipt_v1). Raises Refused where the
    collector would hold more than it may: the transaction is over then."""
    tx.flush()
    called = func.enter_paper_receipt_v1(
        book_id,
        number,
        customer_id,
        payment_id,
        bill_number,
        amount.amount_micros,
        amount.currency,
        by,
        now,
    )
    book = tx.get_one(tables.ReceiptBook, book_id)
    limit = limit_of(tx, book.org_id, book.collector)
    try:
        tx.execute(select(called))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _OVER_LIMIT or limit is None:
            raise
        raise Refused(
            f"{book.collector} may hold {Money(limit.limit_micros or 0, limit.currency)} in cash, "
            f"and would hold more with these {amount}: it has to hand over first (rule R4)",
            field="amount",
        ) from None


def limit_of(tx: Session, org_id: int, collector: str) -> tables.CollectorLimit | None:
    return tx.get(tables.CollectorLimit, (org_id, collector), populate_existing=True)


def set_limit(tx: Session, row: tables.CollectorLimit) -> None:
    """In place of the one before; receipts that are being entered come first."""
    values = {
        "limit_micros": row.limit_micros,
        "currency": row.currency,
        "set_at": row.set_at,
        "set_by": row.set_by,
    }
    added = insert(tables.CollectorLimit).values(
        org_id=row.org_id, collector=row.collector, **values
    )
    tx.execute(added.on_conflict_do_update(index_elements=["org_id", "collector"], set_=values))


def limits(tx: Session) -> list[tables.CollectorLimit]:
    """Those that hold, by collector."""
    row = tables.CollectorLimit
    return list(
        tx.scalars(select(row).where(row.limit_micros.is_not(None)).order_by(row.collector))
    )


def open_receipts(tx: Session, org_id: int, collector: str, *, lock: bool = False) -> list[Found]:
    """Those whose money the collector still has, in the order in which they were entered."""
    row, book = tables.PaperReceipt, tables.ReceiptBook
    found = _receipts().where(
        row.org_id == org_id, book.collector == collector, row.settlement_id.is_(None)
    )
    if lock:
        found = found.with_for_update(of=row)
    rows = tx.execute(found.order_by(row.entered_at, row.book_id, row.number))
    return [(one, its_book, name) for one, its_book, name in rows]


def settle(tx: Session, rows: Sequence[Found], settlement_id: int) -> None:
    """They are handed over."""
    row = tables.PaperReceipt
    for one, _, _ in rows:
        tx.execute(
            update(row).where(_of(one.book_id, one.number)).values(settlement_id=settlement_id)
        )
    tx.expire_all()


def settlements(tx: Session, limit: int) -> list[tuple[tables.CollectorSettlement, int]]:
    """Newest first, each with how many receipts."""
    row, receipt = tables.CollectorSettlement, tables.PaperReceipt
    count = select(func.count()).where(receipt.settlement_id == row.settlement_id)
    found = select(row, count.scalar_subquery()).order_by(row.settlement_id.desc()).limit(limit)
    return [(one, number) for one, number in tx.execute(found)]


def report(tx: Session, start: datetime, end: datetime) -> tuple[CollectorLine, ...]:
    rows = tx.connection().exec_driver_sql(
        named_query("collector_report"), {"start": start, "end": end}
    )
    return tuple(CollectorLine(**row._mapping) for row in rows)


def _receipts() -> Select[tables.PaperReceipt, tables.ReceiptBook, str]:
    row, book, customer = tables.PaperReceipt, tables.ReceiptBook, tables.Customer
    return (
        select(row, book, customer.name)
        .join(book, book.book_id == row.book_id)
        .join(customer, customer.customer_id == row.customer_id)
    )


def _of(book_id: int, number: int) -> ColumnElement[bool]:
    row = tables.PaperReceipt
    return (row.book_id == book_id) & (row.number == number)
