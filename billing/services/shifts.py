"""A cashier takes money in a shift: from a counted float to a blind count (rule R4).

What is posted by a cashier whose shift is open, by cash, card or bank transfer, is in that shift
(store/shifts.py). The books keep what the receipts say; what the count found besides is kept with
the shift.
"""

from __future__ import annotations

from datetime import datetime

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.money import Money
from billing.model.shifts import ShiftView
from billing.rules.shifts import count_problem, expected
from billing.services.context import Context
from billing.services.identity import checked_name, checked_optional
from billing.services.issuing import operator_of
from billing.store import audit, tables
from billing.store import shifts as store
from billing.store.guard import Transaction, unique

_LISTED_MOST = 200


def start(context: Context, float_micros: int, now: datetime) -> ShiftView:
    """Open a shift of who asks, with what is counted in the drawer. Raises InvalidInput, Conflict
    (one is open already)."""
    with context.transaction() as tx:
        currency = operator_of(tx).currency
        _check_count(Money(float_micros, currency), "float")
        row = tables.Shift(
            org_id=context.home_org_id,
            cashier=context.actor,
            currency=currency,
            opened_at=now,
            float_micros=float_micros,
        )
        with unique(tx, f"{context.actor} has an open shift: close it first", field="shift"):
            tx.add(row)
        _audit(context, tx, row, "shift.open", now, {"float_micros": float_micros})
        return _view(tx, row)


def close(
    context: Context, shift_id: int, counted_micros: int, now: datetime, *, note: str | None = None
) -> ShiftView:
    """Close a shift with what is counted in the drawer; only then is told what should be in it. The
    difference stays with the shift. Raises InvalidInput, NotFound, Refused (it is closed)."""
    with context.transaction() as tx:
        row = _locked(context, tx, shift_id)
        if row.closed_at is not None:
            raise Refused(f"it was closed on {row.closed_at:%Y-%m-%d %H:%M} UTC", field="shift")
        _check_count(Money(counted_micros, row.currency), "counted")
        should = expected(Money(row.float_micros, row.currency), store.lines(tx, shift_id))
        row.closed_at, row.closed_by = now, context.actor
        row.counted_micros, row.expected_micros = counted_micros, should.amount_micros
        row.note = checked_optional(note, "note")
        tx.flush()
        detail: dict[str, object] = {
            "counted_micros": counted_micros,
            "difference_micros": counted_micros - should.amount_micros,
        }
        _audit(context, tx, row, "shift.close", now, detail)
        return _view(tx, row)


def hand_over(context: Context, shift_id: int, to: str, now: datetime) -> ShiftView:
    """The counted money was handed to somebody, once. Raises InvalidInput, NotFound, Refused."""
    with context.transaction() as tx:
        row = _closed(context, tx, shift_id)
        if row.handed_at is not None:
            raise Refused(f"it was handed to {row.handed_to} already", field="shift")
        row.handed_to, row.handed_at = checked_name(to), now
        tx.flush()
        _audit(context, tx, row, "shift.hand_over", now, {"to": row.handed_to})
        return _view(tx, row)


def deposit(context: Context, shift_id: int, reference: str, now: datetime) -> ShiftView:
    """The money was paid in at the bank, by this reference, once. Raises InvalidInput, NotFound,
    Refused."""
    context.refuse_cashier()
    with context.transaction() as tx:
        row = _closed(context, tx, shift_id)
        if row.deposited_at is not None:
            raise Refused(f"it was deposited by {row.deposit_reference} already", field="shift")
        row.deposit_reference, row.deposited_at = checked_name(reference), now
        tx.flush()
        _audit(context, tx, row, "shift.deposit", now, {"reference": row.deposit_reference})
        return _view(tx, row)


def is_open(context: Context) -> bool:
    """Whether who asks has an open shift."""
    with context.transaction() as tx:
        return store.open_since(tx, context.actor) is not None


def show(context: Context, shift_id: int) -> ShiftView:
    """The report of a shift. Raises NotFound."""
    with context.transaction() as tx:
        return _view(tx, _one(context, tx, shift_id))


def listed(context: Context) -> list[ShiftView]:
    """Those that the caller may see, a reseller's cashier its own: open ones first, then the
    newest."""
    with context.transaction() as tx:
        own = context.actor if context.cashier else None
        return [_view(tx, row) for row in store.listed(tx, _LISTED_MOST, own)]


def check_open(context: Context, tx: Transaction) -> None:
    """Raises Refused where a reseller's cashier would take money out of any shift (rule R4)."""
    if context.cashier and store.open_since(tx, context.actor) is None:
        raise Refused("open your shift first: you sell and take money in it (rule R4)",
                      field="shift")  # fmt: skip


def _one(context: Context, tx: Transaction, shift_id: int, *, lock: bool = False) -> tables.Shift:
    row = store.get(tx, shift_id, lock=lock)
    if row is None or (context.cashier and row.cashier != context.actor):
        raise NotFound(f"no shift has the number {shift_id}", field="shift")
    return row


def _locked(context: Context, tx: Transaction, shift_id: int) -> tables.Shift:
    return _one(context, tx, shift_id, lock=True)


def _closed(context: Context, tx: Transaction, shift_id: int) -> tables.Shift:
    row = _locked(context, tx, shift_id)
    if row.closed_at is None:
        raise Refused("the shift is open: close it first", field="shift")
    return row


def _check_count(counted: Money, field: str) -> None:
    if problem := count_problem(counted):
        raise InvalidInput(problem, field=field)


def _view(tx: Transaction, row: tables.Shift) -> ShiftView:
    counted, should = row.counted_micros, row.expected_micros
    return ShiftView(
        shift_id=row.shift_id,
        org_id=row.org_id,
        cashier=row.cashier,
        currency=row.currency,
        opened_at=row.opened_at,
        float_micros=row.float_micros,
        closed_at=row.closed_at,
        closed_by=row.closed_by,
        counted_micros=counted,
        expected_micros=should,
        difference_micros=None if counted is None or should is None else counted - should,
        note=row.note,
        lines=() if row.closed_at is None else store.lines(tx, row.shift_id),
        handed_to=row.handed_to,
        handed_at=row.handed_at,
        deposit_reference=row.deposit_reference,
        deposited_at=row.deposited_at,
    )


def _audit(
    context: Context,
    tx: Transaction,
    row: tables.Shift,
    action: str,
    now: datetime,
    detail: dict[str, object],
) -> None:
    audit.append(
        tx,
        at=now,
        org_id=row.org_id,
        actor=context.actor,
        action=action,
        subject=f"shift:{row.shift_id}",
        detail=detail,
    )
