"""What a chain of packages gives: its windows, what a login begins, what waits (B2, B4, Q1, S7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from access_builders import at, package

from billing.model.plan import Entitlement
from billing.model.tariff import tariff_windows_text
from billing.model.tariff_text import read_windows
from billing.rules.chain import ended_last, supply, timeline, usable

NOW = at("2026-03-10 12:00:00")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RUNNING = package(1, NOW - 23 * HOUR)
LATER = package(2, NOW + 2 * HOUR)
FOLLOWER = package(3, None, follows=True)
WAITING = package(4, None)
USED_UP = package(5, NOW - HOUR, octets_left=0)
OVER = package(9, NOW - 49 * HOUR)


@pytest.mark.rule("B4")
@pytest.mark.parametrize(
    ("chain", "last_ended", "starts"),
    [
        ((USED_UP, FOLLOWER), OVER, [None]),
        ((FOLLOWER,), OVER, [OVER.valid_until]),
        ((RUNNING, USED_UP, FOLLOWER), OVER, [RUNNING.valid_from, RUNNING.valid_until]),
    ],
    ids=["used-up-at-an-unknown-instant", "expired", "one-that-runs-goes-on"],
)
def test_what_follows_begins_where_the_end_before_it_is_known(
    chain: tuple[Entitlement, ...], last_ended: Entitlement, starts: list[datetime | None]
) -> None:
    assert [window.start for window in timeline(chain, last_ended)] == starts


@pytest.mark.rule("S7")
def test_what_ended_last_is_what_followed_and_ended_in_its_turn() -> None:
    assert ended_last((FOLLOWER,), OVER, NOW) == FOLLOWER
    assert ended_last((FOLLOWER,), OVER, NOW - 2 * HOUR) == OVER


@pytest.mark.rule("B2")
@pytest.mark.parametrize("begins", [NOW, NOW - HOUR])
def test_a_login_begins_nothing_while_one_runs_from_its_first_instant_on(begins: datetime) -> None:
    for chain in ((package(1, begins), WAITING), (WAITING, package(1, begins))):
        assert supply(chain, None, NOW).starts_id is None


@pytest.mark.rule("Q1")
@pytest.mark.parametrize(
    "chain",
    [
        (LATER, RUNNING),
        (RUNNING, WAITING, FOLLOWER),
        (replace(LATER, follows=True), RUNNING, FOLLOWER),
    ],
    ids=["a-later-one-first", "behind-one-that-waits", "behind-one-that-is-planned"],
)
def test_of_what_is_not_reached_without_a_gap_nothing_counts(
    chain: tuple[Entitlement, ...],
) -> None:
    octets = {1: 5, 2: 70, 3: 600, 4: 8000}
    limited = [replace(one, octets_left=octets[one.entitlement_id]) for one in chain]
    got = supply(limited, None, NOW)
    assert (got.ends_at, got.octets, got.starts_id) == (NOW + HOUR, 5, None)


@pytest.mark.rule("B4")
def test_a_login_does_not_begin_what_follows_a_later_one() -> None:
    assert not supply((LATER, FOLLOWER), None, NOW).usable


@pytest.mark.rule("B4")
@pytest.mark.parametrize("begins", [NOW + HOUR, NOW + HOUR / 2], ids=["at-the-end", "before-it"])
def test_what_was_planned_ends_as_planned(begins: datetime) -> None:
    """Also where its end was moved since, as by a pause."""
    planned = replace(package(2, begins, follows=True), valid_until=NOW + 7 * DAY)
    assert supply((RUNNING, planned), None, NOW).ends_at == NOW + 7 * DAY


@pytest.mark.rule("Q3")
def test_time_of_a_chain_is_walked_through_the_operators_night() -> None:
    """At 23:00 in Paris an hour ends at midnight, and the next one counts from 06:00 on."""
    night = tariff_windows_text(read_windows(("night mon-sun 00:00-06:00 free",), "USD"))
    hour = package(1, NOW, seconds_left=3600, tariff_windows=night)
    got = supply(
        (hour, replace(hour, entitlement_id=2)), None, at("2026-03-10 22:00:00"), "Europe/Paris"
    )
    assert got.ends_at == at("2026-03-11 06:00:00")
    assert usable((replace(hour, valid_from=None, valid_until=None),), None, NOW)
