"""Cashiers' shifts (rule R4). Amounts are micros of the shift's currency."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

CASH = "cash"
DESK_CHANNELS = (CASH, "card", "bank_transfer")
"""What a cashier takes at the desk; of these only cash lies in the drawer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftLine:
    """What was taken in and given out by one channel. `count`: movements."""

    channel: str
    count: int
    in_micros: int
    out_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftView:
    """A shift. The count is blind: while it is open, nobody is told what should be in the drawer,
    so `expected_micros` is None and `lines` is empty."""

    shift_id: int
    org_id: int
    cashier: str
    currency: str
    opened_at: datetime
    float_micros: int
    """What was in the drawer at the start, counted."""
    closed_at: datetime | None
    closed_by: str | None
    counted_micros: int | None
    expected_micros: int | None
    difference_micros: int | None
    """Counted less expected: what is missing is negative."""
    note: str | None
    lines: tuple[ShiftLine, ...]
    handed_to: str | None
    handed_at: datetime | None
    deposit_reference: str | None
    deposited_at: datetime | None
