"""Collectors take cash in the field, by the numbers of their receipts, and hand it over (rule R4).

A receipt is a payment in cash like one at the desk, but in nobody's drawer: the collector has the
money until it hands it over, when it is counted before anybody is told what should be there. The
difference stays with the settlement; the books say what the receipts say.
"""

from __future__ import annotations

from datetime import date, datetime

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.collections import (
    BookView,
    CollectorReport,
    LimitView,
    PaperReceipt,
    SettlementView,
)
from billing.model.commerce import MoneyChannel
from billing.model.money import Money
from billing.rules.cycles import day_start
from billing.rules.shifts import count_problem
from billing.services import bills, sales
from billing.services.context import Context
from billing.services.identity import checked_name, checked_optional
from billing.services.issuing import operator_of
from billing.services.settling import check_takes_money, checked_amount
from billing.store import audit, receipts, shifts, tables
from billing.store import collections as store
from billing.store.guard import Transaction, unique

BOOK_MOST = 100_000
_LISTED_MOST = 100
_SERIES_MOST = 12
_LARGEST_NUMBER = 10**12


def open_book(
    context: Context,
    collector: str,
    *,
    series: str,
    first: int,
    last: int,
    now: datetime,
) -> BookView:
    """Give a collector the numbers `first` to `last` of a series, printed or not. Raises
    InvalidInput, Refused (a reseller's staff asks), Conflict (another book has some of them)."""
    if not 0 <= first <= last < _LARGEST_NUMBER:
        raise InvalidInput("must be 0 or more, the last not below the first", field="first")
    if last - first >= BOOK_MOST:
        raise InvalidInput(f"must hold {BOOK_MOST} numbers at most", field="last")
    letters = series.strip().upper()
    if len(letters) > _SERIES_MOST or any(one.isspace() for one in letters):
        raise InvalidInput(f"must be at most {_SERIES_MOST} characters, no blanks", field="series")
    with context.transaction() as tx:
        check_takes_money(tx, context.home_org_id)
        row = tables.ReceiptBook(
            org_id=context.home_org_id,
            collector=checked_name(collector),
            series=letters,
            first_number=first,
            last_number=last,
            opened_at=now,
            opened_by=context.actor,
        )
        store.lock_series(tx, context.home_org_id)
        if store.overlaps(tx, row):
            raise Conflict(f"another book of series {letters!r} has some of them", field="first")
        tx.add(row)
        tx.flush()
        detail: dict[str, object] = {"series": letters, "first": first, "last": last}
        detail["collector"] = row.collector
        _audit(context, tx, row.org_id, "book.open", f"receipt_book:{row.book_id}", now, detail)
        return store.book_view(tx, row)


def close_book(context: Context, book_id: int, now: datetime) -> BookView:
    """No number of it is entered any more. Raises NotFound, Refused (it is closed)."""
    with context.transaction() as tx:
        row = _book(tx, book_id, lock=True)
        if row.closed_at is not None:
            raise Refused(f"it was closed on {row.closed_at:%Y-%m-%d %H:%M} UTC", field="book")
        row.closed_at = now
        tx.flush()
        _audit(context, tx, row.org_id, "book.close", f"receipt_book:{book_id}", now, {})
        return store.book_view(tx, row)


def books(context: Context, *, collector: str | None = None) -> list[BookView]:
    """Those that the caller may see: open ones first, then the newest."""
    with context.transaction() as tx:
        return store.books(tx, collector)


def take(
    context: Context,
    book_id: int,
    number: int,
    customer_id: int,
    amount_micros: int,
    now: datetime,
    *,
    bill_number: str | None = None,
) -> PaperReceipt:
    """Enter a receipt: cash of a customer for a bill, or for its wallet, which pays open bills,
    oldest first. Each number once: sent again with the same content, it is the same receipt.

    Raises NotFound, InvalidInput (the number is none of the book's), Refused (the book is closed;
    the collector would hold more cash than it may, which the database looks to; what `bills.pay`
    and `sales.topup` refuse), Conflict (the number was entered with other content).
    """
    with context.together() as joined, joined.transaction() as tx:
        # The money is with the collector, in no drawer.
        shifts.in_none(tx)
        book = _book(tx, book_id, lock=True)
        found = store.find(tx, book_id, number)
        if found is not None:
            return _same(found, customer_id, amount_micros, bill_number)
        if book.closed_at is not None:
            raise Refused("the book is closed", field="book")
        if not book.first_number <= number <= book.last_number:
            raise InvalidInput(f"must be {book.first_number} to {book.last_number}", field="number")
        text = f"{book.series}{number}"
        key = f"book:{book_id}:{number}"
        cash = MoneyChannel.CASH
        if bill_number:
            done = bills.pay(joined, bill_number, idempotency_key=key, now=now,
                             amount_micros=amount_micros, channel=cash, customer_id=customer_id,
                             reference=text)  # fmt: skip
        else:
            done = sales.topup(joined, customer_id, amount_micros, channel=cash,
                               idempotency_key=key, now=now, reference=text)  # fmt: skip
        amount = Money(done.amount_micros, done.currency)
        with unique(tx, f"number {text} was just entered", field="number"):
            store.enter(tx, book_id, number, customer_id, done.payment_id, bill_number or None,
                        amount, by=context.actor, now=now)  # fmt: skip
        return _view(tx, _found(tx, book_id, number))


def receipt(context: Context, book_id: int, number: int) -> PaperReceipt:
    """Raises NotFound."""
    with context.transaction() as tx:
        return _view(tx, _found(tx, book_id, number))


def open_receipts(context: Context, collector: str) -> list[PaperReceipt]:
    """Whose money the collector still has."""
    with context.transaction() as tx:
        return [_view(tx, one) for one in store.open_receipts(tx, context.home_org_id, collector)]


def hand_over(
    context: Context, collector: str, counted_micros: int, now: datetime, *, note: str | None = None
) -> SettlementView:
    """A collector hands over all that it has, counted before it is told what should be there; the
    cash is in the open shift of who takes it. Raises InvalidInput, Refused (it has nothing to hand
    over; the receipts are in several currencies)."""
    with context.transaction() as tx:
        rows = store.open_receipts(tx, context.home_org_id, collector, lock=True)
        currencies = {one.currency for one, _, _ in rows}
        if not rows:
            raise Refused(f"{collector} has nothing to hand over", field="collector")
        if len(currencies) > 1:
            raise Refused("the receipts are in several currencies", field="collector")
        (currency,) = currencies
        if problem := count_problem(Money(counted_micros, currency)):
            raise InvalidInput(problem, field="counted")
        row = tables.CollectorSettlement(
            org_id=context.home_org_id,
            collector=collector,
            shift_id=shifts.own_open(tx, currency),
            currency=currency,
            expected_micros=sum(one.amount_micros for one, _, _ in rows),
            counted_micros=counted_micros,
            at=now,
            by=context.actor,
            note=checked_optional(note, "note"),
        )
        tx.add(row)
        tx.flush()
        store.settle(tx, rows, row.settlement_id)
        done = _settlement(row, len(rows))
        _audit(context, tx, row.org_id, "collector.hand_over",
               f"collector_settlement:{row.settlement_id}", now,
               {"collector": collector, "counted_micros": counted_micros,
                "difference_micros": done.difference_micros})  # fmt: skip
        return done


def set_limit(
    context: Context, collector: str, limit_micros: int | None, now: datetime
) -> LimitView:
    """How much cash a collector may hold before it hands over, from now on; None: as much as it
    takes. What it holds already stays. Raises InvalidInput, Refused (a reseller's staff asks)."""
    with context.transaction() as tx:
        check_takes_money(tx, context.home_org_id)
        currency = operator_of(tx).currency
        if limit_micros is not None:
            limit_micros = checked_amount(limit_micros, currency).amount_micros
        row = tables.CollectorLimit(
            org_id=context.home_org_id,
            collector=checked_name(collector),
            limit_micros=limit_micros,
            currency=currency,
            set_at=now,
            set_by=context.actor,
        )
        store.set_limit(tx, row)
        _audit(context, tx, row.org_id, "collector.limit", f"organisation:{row.org_id}", now,
               {"collector": row.collector, "limit_micros": limit_micros})  # fmt: skip
        return _limit(row)


def limits(context: Context) -> list[LimitView]:
    """Who may hold only so much, by collector."""
    with context.transaction() as tx:
        return [_limit(row) for row in store.limits(tx)]


def limit_of(context: Context, collector: str) -> LimitView | None:
    """None: it may hold as much as it takes."""
    with context.transaction() as tx:
        row = store.limit_of(tx, context.home_org_id, collector)
        return None if row is None or row.limit_micros is None else _limit(row)


def settlements(context: Context) -> list[SettlementView]:
    """Newest first."""
    with context.transaction() as tx:
        return [_settlement(row, count) for row, count in store.settlements(tx, _LISTED_MOST)]


def report(context: Context, first_day: date, next_first_day: date) -> CollectorReport:
    """By collector, of the local days from `first_day` to before `next_first_day`. Raises
    InvalidInput (the days are in the wrong order)."""
    if next_first_day <= first_day:
        raise InvalidInput("must not lie before the first day", field="to")
    with context.transaction() as tx:
        zone = operator_of(tx).time_zone
        lines = store.report(tx, day_start(first_day, zone), day_start(next_first_day, zone))
    return CollectorReport(first_day=first_day, next_first_day=next_first_day, lines=lines)


def _same(
    found: store.Found, customer_id: int, amount_micros: int, bill_number: str | None
) -> PaperReceipt:
    """Raises Conflict where the number was entered with other content."""
    row, book, name = found
    before = (row.customer_id, row.amount_micros, row.bill_number)
    if before != (customer_id, amount_micros, bill_number or None):
        amount = Money(row.amount_micros, row.currency)
        raise Conflict(
            f"number {book.series}{row.number} was entered on {row.entered_at:%Y-%m-%d} by "
            f"{row.entered_by}: {amount} of {name}",
            field="number",
        )
    return _receipt(row, book, name, None, repeated=True)


def _found(tx: Transaction, book_id: int, number: int) -> store.Found:
    found = store.find(tx, book_id, number)
    if found is None:
        raise NotFound(f"no receipt of the book has the number {number}", field="number")
    return found


def _book(tx: Transaction, book_id: int, *, lock: bool = False) -> tables.ReceiptBook:
    row = store.get_book(tx, book_id, lock=lock)
    if row is None:
        raise NotFound(f"no receipt book has the number {book_id}", field="book")
    return row


def _view(tx: Transaction, found: store.Found) -> PaperReceipt:
    row, book, name = found
    paper = receipts.of_payment(tx, row.customer_id, row.payment_id)
    return _receipt(row, book, name, None if paper is None else paper.number)


def _receipt(
    row: tables.PaperReceipt,
    book: tables.ReceiptBook,
    name: str,
    receipt_number: str | None,
    *,
    repeated: bool = False,
) -> PaperReceipt:
    return PaperReceipt(
        book_id=row.book_id,
        series=book.series,
        number=row.number,
        collector=book.collector,
        customer_id=row.customer_id,
        customer_name=name,
        amount_micros=row.amount_micros,
        currency=row.currency,
        bill_number=row.bill_number,
        receipt_number=receipt_number,
        entered_at=row.entered_at,
        entered_by=row.entered_by,
        settlement_id=row.settlement_id,
        repeated=repeated,
    )


def _limit(row: tables.CollectorLimit) -> LimitView:
    return LimitView(
        collector=row.collector,
        limit_micros=row.limit_micros,
        currency=row.currency,
        set_at=row.set_at,
        set_by=row.set_by,
    )


def _settlement(row: tables.CollectorSettlement, count: int) -> SettlementView:
    return SettlementView(
        settlement_id=row.settlement_id,
        org_id=row.org_id,
        collector=row.collector,
        currency=row.currency,
        receipts=count,
        expected_micros=row.expected_micros,
        counted_micros=row.counted_micros,
        at=row.at,
        by=row.by,
        note=row.note,
    )


def _audit(
    context: Context,
    tx: Transaction,
    org_id: int,
    action: str,
    subject: str,
    now: datetime,
    detail: dict[str, object],
) -> None:
    audit.append(
        tx,
        at=now,
        org_id=org_id,
        actor=context.actor,
        action=action,
        subject=subject,
        detail=detail,
    )
