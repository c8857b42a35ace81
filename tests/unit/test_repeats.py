"""Warnings that repeat are said seldom, and counted."""

from __future__ import annotations

import logging

from billing.jobs.repeats import EVERY_SECONDS, Repeats


def test_a_warning_is_said_once_and_then_counted() -> None:
    now = 0.0
    repeats = Repeats(clock=lambda: now)

    def said(message: str, *values: object, level: int = logging.WARNING) -> str | None:
        record = logging.LogRecord("sweep", level, "", 1, message, values, None)
        return record.getMessage() if repeats.filter(record) else None

    assert said("waits: %s", "refused") == "waits: refused"
    assert said("other") == "other"
    assert [said("waits: %s", "refused") for _ in range(3)] == [None] * 3
    assert said("waits: %s", "info", level=logging.INFO) == "waits: info"
    now = EVERY_SECONDS
    assert said("waits: %s", "gone") == "waits: gone (3 more since the last line)"
    now = 2 * EVERY_SECONDS
    assert said("waits: %s", "gone") == "waits: gone"
