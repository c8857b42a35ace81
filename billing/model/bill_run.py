"""What a bill run did, would do, and could not do (rule B7)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A customer that a job could not serve, and why; it is tried again by the next run."""

    job: str
    customer_id: int
    at: datetime
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BillRunReport:
    """`total_micros` is the sum of the bills issued."""

    at: datetime
    issued: int
    total_micros: int
    currency: str
    parked: tuple[Parked, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BillPreview:
    """A bill that a run would issue, for local days from `first_day` to before `next_first_day`."""

    customer_id: int
    username: str
    first_day: date
    next_first_day: date
    plan_name: str
    total_micros: int
    currency: str
