"""Orders to running sessions as people see them: what was sent, and what came back (rule C1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from billing.model.enforcement import Goal, Outcome


class OrderState(StrEnum):
    """Where an order stands. `ACKED`: its NAS has said yes, accounting has not confirmed it yet."""

    PENDING = "pending"
    ACKED = "acked"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    CANCELLED = "cancelled"


NOT_DONE = (OrderState.PENDING, OrderState.ACKED, OrderState.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    """One packet; `error_cause` by the name of RFC 5176 3.5, or its number."""

    attempt: int
    packet: str
    sent_at: datetime
    answered_at: datetime | None
    outcome: Outcome
    error_cause: str | None

    @property
    def text(self) -> str:
        """What came back, in words."""
        match self.outcome:
            case Outcome.ACK:
                return "ACK"
            case Outcome.NAK:
                return f"NAK, {self.error_cause or 'no Error-Cause'}"
            case Outcome.TIMEOUT:
                return "no answer"
            case Outcome.UNSENT:
                return f"not sent, {self.error_cause or 'no reason'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """One order. `next_attempt_at` is None when it is done; `running`: its session has not ended.

    `escalated`: what its NAS would not do by CoA is done by Disconnect.
    """

    order_id: int
    subscription_id: int
    username: str
    session_id: int
    acct_session_id: str | None
    running: bool
    nas_id: int
    nas_name: str
    goal: Goal
    reason: str
    state: OrderState
    created_at: datetime
    retried_at: datetime | None
    next_attempt_at: datetime | None
    finished_at: datetime | None
    tries: int
    escalated: bool
    attempts: tuple[AttemptView, ...] = ()

    @property
    def last_answer(self) -> str:
        """What came back last, in words."""
        return self.attempts[-1].text if self.attempts else "not sent yet"

    @property
    def may_retry(self) -> bool:
        return self.running and self.state in (OrderState.FAILED, OrderState.PENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryView:
    """What became of retrying the failed orders of a NAS: numbers taken up again, and those that
    were not, with the reason."""

    retried: tuple[int, ...]
    left: tuple[tuple[int, str], ...]
