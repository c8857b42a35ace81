"""Lines of the login history (rule A3), encoded for the database as soon as they are known: they
may wait, in memory or on the disk, and travel between processes."""

from __future__ import annotations

from datetime import datetime

from billing.model.events import AccessRequest, LoginRecord
from billing.store import hotpath
from billing.store.hotpath import HotConnection, Row

Line = Row


def line_of(login: LoginRecord) -> Line:
    """The line of a finished login."""
    return hotpath.login_row(login)


def granted_line(
    request: AccessRequest,
    customer_id: int | None,
    subscription_id: int | None,
    outcome: str,
    reason: str,
    at_text: str,
) -> Line:
    """The line of a granted login that takes nothing; `at_text` is `instant_text` of its time."""
    return hotpath.plain_login_row(request, customer_id, subscription_id, outcome, reason, at_text)


def instant_text(at: datetime) -> str:
    """A UTC instant as lines have it."""
    return hotpath.instant(at)


def outcome_and_reason(line: Line) -> tuple[str, str]:
    return line[hotpath.OUTCOME_COLUMN], line[hotpath.REASON_COLUMN]


def write_lines(lane: HotConnection, lines: list[Line], now: datetime) -> None:
    """Store them, and count failures for the throttle (rule A4). Raises Unavailable."""
    hotpath.record_logins(lane, lines, now)
