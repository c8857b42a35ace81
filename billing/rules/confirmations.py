"""When a person proves again who it is before money moves by hand (security.md 16)."""

from __future__ import annotations

from datetime import datetime, timedelta

PROOF_LASTS = timedelta(minutes=5)


def needs_proof(amount_micros: int, limit_micros: int | None) -> bool:
    """Whether so much, in or out, is above the limit; None: nothing is."""
    return limit_micros is not None and abs(amount_micros) > limit_micros


def is_proved(proved_at: datetime | None, now: datetime) -> bool:
    """Whether a proof of then still holds: for five minutes, its last instant included."""
    return proved_at is not None and timedelta(0) <= now - proved_at <= PROOF_LASTS
