"""What the model of monthly billing keeps: charges, usage, bills, plans."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date


@dataclass
class Extra:
    """A charge or discount; `billed` are the days that bills hold, with the bill's place."""

    kind: str
    starts: date
    ends: date | None
    price_micros: int = 0
    discount_ppm: int = 0
    billed: dict[date, int] = field(default_factory=dict)
    number: int = 0


@dataclass
class Usage:
    """Pay-as-you-go of a local day, tax included; `bill` is the place of the bill that holds it."""

    day: date
    gross: int
    bill: int | None = None


@dataclass
class Bill:
    """Of a cycle, or of what no cycle holds. `plan` holds what is billed by the day: net price and
    days of the plan, then of discounts; `charges` the same of recurring charges. `plan_end`: the
    day after the last of its plan's; `served_until`: nothing was served from that day on."""

    place: int
    first: date | None
    until: date | None
    total: int
    due: date
    issued: date
    plan: list[tuple[int, list[date]]] = field(default_factory=list)
    net: int = 0
    plan_end: date = date.min
    charges: list[tuple[int, list[date]]] = field(default_factory=list)
    served_until: date | None = None
    paid: int = 0
    credited: int = 0
    written_off: int = 0
    void: bool = False

    @property
    def open(self) -> int:
        return self.total - self.paid - self.credited - self.written_off

    @property
    def creditable(self) -> int:
        return self.total - self.credited - self.written_off


@dataclass
class Plan:
    """A price from a day on; `waits`: asked for, and not carried out yet."""

    since: date
    price_micros: int
    waits: bool = False
