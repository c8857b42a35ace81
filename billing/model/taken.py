"""What each member of staff took on a day, for the drawer at its end (rule P1). In micros."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from billing.model.money import Money


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
    is_blind: bool = False
    """What whoever asks took at the desk is left out: its shift is open, and counted first (R4)."""

    def table(self) -> Iterator[tuple[str, ...]]:
        """For a CSV file, its header first; amounts with a decimal point."""
        yield ("day", "organisation", "who", "channel", "currency", "payments", "taken",
               "refunds", "given_back", "left")  # fmt: skip
        for one in self.rows:
            taken, back, left = (
                str(Money(micros, one.currency)).partition(" ")[0]
                for micros in (one.taken_micros, one.refunded_micros, one.net_micros)
            )
            yield (self.day.isoformat(), one.organisation, one.actor, one.channel, one.currency,
                   str(one.payments), taken, str(one.refunds), back, left)  # fmt: skip
