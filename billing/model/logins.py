"""Attempts to log in, as staff read them (rule A3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class LoginOutcome(StrEnum):
    """What the NAS was told."""

    ACCEPT = "accept"
    SUSPENDED = "suspended"
    """Let in, to the suspended pool only (rule B10)."""
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class LoginPlace:
    """Where in the history, newest first: pages begin behind one."""

    at: datetime
    attempt_id: int

    def __str__(self) -> str:
        return f"{self.at.isoformat()}_{self.attempt_id}"

    @classmethod
    def parse(cls, text: str) -> LoginPlace:
        """As `str` writes it. Raises ValueError."""
        at, number = text.split("_")
        found = cls(datetime.fromisoformat(at), int(number))
        if found.at.tzinfo is None or not 0 <= found.attempt_id < 2**63:
            raise ValueError(f"not a place in the history: {text!r}")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFilter:
    """Which attempts; None: any. `since` and `until` bound when they were answered.

    `customer_ids` go with a `username`: whose rows its attempts may be, 0 for nobody's.
    """

    username: str | None = None
    customer_ids: tuple[int, ...] | None = None
    subscription_id: int | None = None
    station: str | None = None
    nas_id: int | None = None
    reason: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginView:
    """One attempt. `subscription_id` None: nobody has the user name. `reason` is a
    decision.Reason, `text` the same in plain words."""

    at: datetime
    attempt_id: int
    username: str
    customer_id: int | None
    subscription_id: int | None
    nas_name: str
    calling_station: str | None
    outcome: str
    reason: str
    text: str

    @property
    def place(self) -> LoginPlace:
        return LoginPlace(self.at, self.attempt_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPage:
    """Newest first. `since`: attempts before it were not looked at; None: all were."""

    rows: tuple[LoginView, ...]
    next_before: LoginPlace | None
    since: datetime | None
