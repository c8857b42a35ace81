"""A customer who is logged in, and what a browser sent for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from billing.model.staff import SessionLimits

CUSTOMER_LIMITS = SessionLimits(idle=timedelta(hours=12), absolute=timedelta(days=7))
"""When a subscriber's browser must log in again (security.md 5): later than staff's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberLogin:
    """As which subscription of which customer a browser is logged in."""

    customer_id: int
    subscription_id: int
    org_id: int
    username: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberAttempt:
    """What a browser sent. `device`: proof of an earlier login as `device_subscription_id` from the
    same browser, checked by the caller."""

    username: str
    password: str = field(repr=False)
    address: str
    device: str | None = None
    device_subscription_id: int | None = None
