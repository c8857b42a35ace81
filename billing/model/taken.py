"""What each member of staff took on a day, for the drawer at its end (rule P1). In micros."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """By one actor and one channel, in one currency. Empty `actor`: nobody's name was kept."""

    org_id: int
    organisation: str
    actor: str
    channel: str
    currency: str
    payments: int
    taken_micros: int
    refunds: int
    refunded_micros: int

    @property
    def net_micros(self) -> int:
        return self.taken_micros - self.refunded_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class DayReport:
    """A local day of the operator."""

    day: date
    time_zone: str
    rows: tuple[Taken, ...]
