"""Cashiers' shifts (rule R4)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from billing.model.shifts import DESK_CHANNELS, ShiftLine
from billing.store import tables

_MONEY = "money:"


def note(
    tx: Session, customer_id: int, entry_id: int, moved: Mapping[str, int], currency: str
) -> None:
    """An entry that moves money at the desk belongs to the open shift of who posts it, if there is
    one. `moved`: micros by account. Whoever closes the shift waits until the entry is there."""
    taken = {channel: -moved.get(_MONEY + channel, 0) for channel in DESK_CHANNELS}
    actor = tx.info.get("actor")
    if actor is None or not any(taken.values()):
        return
    shift = tables.Shift
    found = select(shift).where(shift.cashier == actor, shift.closed_at.is_(None))
    row = tx.scalar(found.with_for_update(read=True))
    if row is None or row.currency != currency:
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


def get(tx: Session, shift_id: int, *, lock: bool = False) -> tables.Shift | None:
    """`lock`: what is taken meanwhile waits, or is there already."""
    return tx.get(tables.Shift, shift_id, with_for_update=lock, populate_existing=lock)


def open_since(tx: Session, cashier: str) -> datetime | None:
    """When a cashier's shift was opened that is open; None: there is none."""
    row = tables.Shift
    found = select(row.opened_at).where(row.cashier == cashier, row.closed_at.is_(None))
    return tx.scalar(found)


def listed(tx: Session, most: int) -> list[tables.Shift]:
    """Those that are open first, then the newest."""
    row = tables.Shift
    found = select(row).order_by(row.closed_at.is_not(None), row.shift_id.desc()).limit(most)
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
    return tuple(
        ShiftLine(channel=channel, count=count, in_micros=int(inn), out_micros=int(out))
        for channel, count, inn, out in found
    )
