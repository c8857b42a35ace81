"""Which running sessions do not fit what their subscription may do now (rules A4, A6, A7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from billing.model.access_settings import AccessSettings, OpenSession
from billing.rules.fitting import unfit

MONDAY_NOON = datetime(2026, 3, 9, 12, tzinfo=UTC)
MAC, OTHER = "02005e100001", "02005e100002"
ANY = AccessSettings()
FIRST = OpenSession(
    session_id=1, nas_id=7, calling_station=MAC, framed_ip="198.51.100.1", suspended=False
)
SECOND = replace(FIRST, session_id=2, calling_station=OTHER, framed_ip="198.51.100.2")
UNKNOWN = replace(FIRST, session_id=3, nas_id=8, calling_station=None, framed_ip=None)
ALL = (FIRST, SECOND, UNKNOWN)


@pytest.mark.rule("A4", "A6", "A7")
@pytest.mark.parametrize(
    ("before", "after", "ended"),
    [
        (ANY, ANY, []),
        (ANY, AccessSettings(macs=(OTHER,)), [1, 3]),
        (AccessSettings(macs=(OTHER,)), ANY, []),
        (ANY, AccessSettings(nas_ids=(8,)), [1, 2]),
        (ANY, AccessSettings(session_limit=2), [3]),
        (ANY, AccessSettings(session_limit=1, macs=(OTHER,)), [1, 3]),
        (ANY, AccessSettings(framed_ip="198.51.100.2"), [1, 3]),
        (AccessSettings(framed_ip="198.51.100.2"), ANY, [2]),
        (ANY, AccessSettings(login_hours="mon 08:00-20:00"), [1, 2, 3]),
        (
            AccessSettings(login_hours="mon 08:00-20:00"),
            AccessSettings(login_hours="mon 08:00-20:00"),
            [],
        ),
        (
            AccessSettings(login_hours="tue 08:00-20:00"),
            AccessSettings(login_hours="tue 08:00-20:00"),
            [1, 2, 3],
        ),
    ],
)
def test_who_is_ended(before: AccessSettings, after: AccessSettings, ended: list[int]) -> None:
    assert unfit(ALL, before, after, MONDAY_NOON, "UTC") == ended


@pytest.mark.rule("B10")
def test_who_is_in_the_suspended_pool_has_no_address_of_its_own() -> None:
    suspended = replace(FIRST, suspended=True)
    fixed = AccessSettings(framed_ip="198.51.100.9")
    assert unfit([suspended], ANY, fixed, MONDAY_NOON, "UTC") == []
