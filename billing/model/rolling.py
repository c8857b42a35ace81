"""What was carried from packages into those that follow them (rule B4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing.model.bills import Parked


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """From one package to another of the same subscription; less than nothing: taken back, as use
    of the first was reported late."""

    customer_id: int
    subscription_id: int
    from_id: int
    to_id: int
    seconds: int
    octets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RollingReport:
    """One run."""

    at: datetime
    carried: tuple[Carried, ...]
    parked: tuple[Parked, ...]
