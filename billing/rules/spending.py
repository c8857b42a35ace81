"""The spending cap of a calendar month (rule P14)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from billing.rules.cycles import day_start, local_day, next_month


@dataclass(frozen=True, slots=True)
class Period:
    """A local calendar month: its first day, and the instant at which the next one begins."""

    first_day: date
    until: datetime


def cap_period(now: datetime, time_zone: str) -> Period:
    """The period that a cap is counted in: the operator's calendar month, whatever the cycles of
    the subscriptions that the wallet pays for."""
    today = local_day(now, time_zone)
    return Period(today.replace(day=1), day_start(next_month(today), time_zone))


def cap_floor(balance_micros: int, cap_micros: int, spent_micros: int) -> int:
    """The balance (posted less unposted) at which a cap is reached: what is spent lowers the
    balance, and every other movement moves the floor with it (store.ledger)."""
    return balance_micros - (cap_micros - spent_micros)
