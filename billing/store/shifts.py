"""Cashiers' shifts (rule R4)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from billing.model.collections import COLLECTED
from billing.model.shifts import CASH, DESK_CHANNELS, ShiftLine
from billing.store import tables

_MONEY = "money:"
_COLLECT_BY = "collect_by"


def note(
    tx: Session, customer_id: int, entry_id: int, moved: Mapping[str, int], currency: str
) -> None:
    """An entry that moves money at the desk belongs to the open shift of who posts it, if there is
    one. `moved`: micros by account. Whoever closes the shift waits until the entry is there."""
    taken = {channel: -moved.get(_MONEY + channel, 0) for channel in DESK_CHANNELS}
    if any(taken.values()):
        _note(tx, customer_id, entry_id, taken, currency)


def note_counter(
    tx: Session, customer_id: int, org_id: int, entry_id: int, micros: int, currency: str
) -> None:
    """The same at the counter of the reseller `org_id`, whose own money the entry moves: by the
    channel of `collect_by`, cash unless it was told."""
    channel = tx.info.get(_COLLECT_BY, CASH)
    _note(tx, customer_id, entry_id, {channel: -micros}, currency, org_id)


def collect_by(tx: Session, channel: str) -> None:
    """How what is sold next in this transaction at a reseller's counter is paid by the customer,
    or how its money is given back."""
    tx.info[_COLLECT_BY] = channel


def channel_of(tx: Session, customer_id: int, entry_id: int) -> str | None:
    """By which channel an entry's money was taken in a shift; None: in none."""
    row = tables.ShiftEntry
    found = select(row.channel).where(row.customer_id == customer_id, row.entry_id == entry_id)
    return tx.scalar(found.limit(1))


def _note(
    tx: Session,
    customer_id: int,
    entry_id: int,
    taken: Mapping[str, int],
    currency: str,
    org_id: int | None = None,
) -> None:
    actor = tx.info.get("actor")
    if actor is None:
        return
    shift = tables.Shift
    found = select(shift).where(shift.cashier == actor, shift.closed_at.is_(None))
    row = tx.scalar(found.with_for_update(read=True))
    if row is None or row.currency != currency or org_id not in (None, row.org_id):
        return
    tx.add_all(
        tables.ShiftEntry(
            customer_id=customer_id,
            entry_id=entry_id,
            channel=channel,
            org_id=row.org_id,
            shift_id=row.shift_id,
            amount_micros=micros,
        )
        for channel, micros in taken.items()
        if micros
    )
    tx.flush()


def own_open(tx: Session, currency: str) -> int | None:
    """The number of the actor's open shift in this currency, kept open until the transaction ends;
    None: there is none."""
    shift = tables.Shift
    found = select(shift).where(
        shift.cashier == tx.info.get("actor"), shift.closed_at.is_(None), shift.currency == currency
    )
    row = tx.scalar(found.with_for_update(read=True))
    return None if row is None else row.shift_id


def in_none(tx: Session) -> None:
    """What is posted from now on in this transaction is in nobody's drawer."""
    tx.info["actor"] = None


def get(tx: Session, shift_id: int, *, lock: bool = False) -> tables.Shift | None:
    """`lock`: what is taken meanwhile waits, or is there already."""
    return tx.get(tables.Shift, shift_id, with_for_update=lock, populate_existing=lock)


def open_since(tx: Session, cashier: str) -> datetime | None:
    """When a cashier's shift was opened that is open; None: there is none."""
    row = tables.Shift
    found = select(row.opened_at).where(row.cashier == cashier, row.closed_at.is_(None))
    return tx.scalar(found)


def listed(tx: Session, most: int, cashier: str | None = None) -> list[tables.Shift]:
    """Those that are open first, then the newest; of one cashier, or of all."""
    row = tables.Shift
    found = select(row).order_by(row.closed_at.is_not(None), row.shift_id.desc()).limit(most)
    if cashier is not None:
        found = found.where(row.cashier == cashier)
    return list(tx.scalars(found))


def lines(tx: Session, shift_id: int) -> tuple[ShiftLine, ...]:
    """What was taken and given out, by channel."""
    row = tables.ShiftEntry
    came, went = row.amount_micros > 0, row.amount_micros < 0
    found = tx.execute(
        select(
            row.channel,
            func.count(),
            func.sum(case((came, row.amount_micros), else_=0)),
            func.sum(case((went, -row.amount_micros), else_=0)),
        )
        .where(row.shift_id == shift_id)
        .group_by(row.channel)
        .order_by(row.channel)
    )
    handed = tables.CollectorSettlement
    collected = tx.execute(
        select(func.count(), func.coalesce(func.sum(handed.counted_micros), 0)).where(
            handed.shift_id == shift_id
        )
    ).one()
    taken = [
        ShiftLine(channel=channel, count=count, in_micros=int(inn), out_micros=int(out))
        for channel, count, inn, out in found
    ]
    if collected[0]:
        count, micros = collected
        taken.append(ShiftLine(channel=COLLECTED, count=count, in_micros=int(micros), out_micros=0))
    return tuple(taken)
