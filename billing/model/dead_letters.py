"""Accounting records that belong to no session, as staff read them (radius.md F5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One record, with what of it was readable; passwords were never stored. `nas_name` None: no
    NAS of ours has the address."""

    letter_id: int
    arrived_at: datetime
    nas_address: str
    nas_name: str | None
    reason: str
    text: str
    raw: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterCount:
    """How many came of one reason in the time that was asked for, and when the last one did."""

    reason: str
    text: str
    letters: int
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterPage:
    """Newest first. `since`: what came before was not looked at. `next_before`: the page goes on
    before this letter."""

    counts: tuple[DeadLetterCount, ...]
    letters: tuple[DeadLetter, ...]
    since: datetime
    next_before: int | None
