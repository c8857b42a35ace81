"""Which package takes over what is unused of another, and how much (rule B4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.model.views import EntitlementView
from billing.rules.rolling import SETTLED_AFTER, Rolling, carried, followed, raised, settled, words

BEGAN = datetime(2026, 3, 10, 8, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
ENDS = BEGAN + DAY
FIVE_MINUTES = timedelta(minutes=5)


def package(number: int, began: datetime | None = BEGAN, **more: Any) -> Rolling:
    known: dict[str, Any] = {
        "entitlement_id": number,
        "rolls_over": True,
        "valid_from": began,
        "valid_until": None if began is None else began + DAY,
        "ended_at": None,
        "seconds_left": None,
        "octets_left": 100,
    }
    return Rolling(**known | more)


def pairs(packages: list[Rolling], now: datetime) -> list[tuple[int, int]]:
    found = followed(packages, now)
    return [(before.entitlement_id, after.entitlement_id) for before, after in found]


FIRST, SECOND_ONE, THIRD = package(1), package(2, ENDS), package(3, ENDS + DAY)


@pytest.mark.rule("B4")
def test_each_is_followed_by_the_one_that_begins_as_it_ends() -> None:
    chain = [THIRD, SECOND_ONE, FIRST]
    assert pairs(chain, ENDS - SECOND) == []
    assert pairs(chain, ENDS) == [(1, 2)]
    assert pairs(chain, ENDS + DAY) == [(1, 2), (2, 3)]


@pytest.mark.rule("B4")
@pytest.mark.parametrize(
    ("after", "found"),
    [(-SECOND, []), (timedelta(0), [(1, 2)]), (FIVE_MINUTES, [(1, 2)]),
     (FIVE_MINUTES + SECOND, [])],
)  # fmt: skip
def test_it_follows_without_a_gap(after: timedelta, found: list[tuple[int, int]]) -> None:
    assert pairs([FIRST, package(2, ENDS + after)], ENDS + DAY) == found


@pytest.mark.rule("B4")
def test_it_lapses_where_nothing_follows_or_the_plan_does_not_say_so() -> None:
    late = ENDS + 3 * DAY
    assert pairs([FIRST], late) == []
    assert pairs([replace(FIRST, rolls_over=False), SECOND_ONE], late) == []
    assert pairs([FIRST, package(2, None)], late) == []
    assert pairs([package(1, None), SECOND_ONE], late) == []
    assert pairs([package(1, BEGAN, valid_until=None), SECOND_ONE], late) == []


@pytest.mark.rule("B4")
def test_what_is_used_up_early_is_followed_then() -> None:
    at = BEGAN + timedelta(hours=3)
    used = replace(FIRST, ended_at=at, octets_left=0, seconds_left=60)
    assert pairs([used, package(2, at)], at) == [(1, 2)]
    assert pairs([used, SECOND_ONE], ENDS) == []
    assert (used.end, used.given_back) == (at, False)
    assert replace(used, valid_until=at - SECOND).end == at - SECOND
    back = replace(used, octets_left=5)
    assert back.given_back
    assert pairs([back, package(2, at)], at) == []
    assert not replace(back, seconds_left=0).given_back
    assert not FIRST.given_back


@pytest.mark.rule("B4")
def test_one_takes_over_from_one_and_keeps_to_it() -> None:
    twin = package(4, BEGAN + SECOND, valid_until=ENDS)
    assert pairs([FIRST, twin, SECOND_ONE], ENDS) == [(4, 2)]
    shorter = package(4, valid_until=ENDS - SECOND)
    assert pairs([FIRST, shorter, SECOND_ONE], ENDS) == [(1, 2)]
    # Of two that begin at once the first takes it.
    assert pairs([FIRST, SECOND_ONE, package(5, ENDS)], ENDS) == [(1, 2)]
    kept = replace(package(3, ENDS + FIVE_MINUTES), carried_from_id=1)
    assert pairs([FIRST, kept, package(2, ENDS)], ENDS + DAY) == [(1, 3)]
    moved = replace(SECOND_ONE, carried_from_id=1)
    used = replace(FIRST, ended_at=BEGAN, octets_left=0)
    assert pairs([used, moved], ENDS) == [(1, 2)]
    assert pairs([moved], ENDS) == []


@pytest.mark.rule("B4")
def test_quantities_that_both_limit_are_carried() -> None:
    both = package(1, seconds_left=60)
    assert carried(both, package(2, seconds_left=1)) == (60, 100)
    assert carried(both, package(2)) == (0, 100)
    assert carried(both, package(2, octets_left=None, seconds_left=0)) == (60, 0)
    assert carried(package(1, octets_left=None), package(2, seconds_left=5)) == (0, 0)
    assert carried(replace(both, ended_at=ENDS), package(2, seconds_left=1)) == (0, 0)


@pytest.mark.rule("B4")
def test_what_is_left_follows_what_was_carried() -> None:
    assert raised(100, 0, 70) == 170
    assert raised(170, 70, 60) == 160
    assert raised(5, 70, 60) == 0
    assert raised(None, 0, 0) is None


@pytest.mark.rule("B4")
@pytest.mark.rule("B16")
def test_why_tells_of_packages_that_are_not_over() -> None:
    def view(
        status: str, seconds: int = 0, octets: int = 0, rolls: bool = False
    ) -> EntitlementView:
        return EntitlementView(
            entitlement_id=1, plan_name="Week", plan_version_id=1, status=status,
            purchased_at=BEGAN, valid_from=BEGAN, valid_until=None, validity_minutes=None,
            seconds_total=None, seconds_left=None, octets_total=None, octets_left=None,
            price_micros=0, ended_at=None, carried_seconds=seconds, carried_octets=octets,
            rolls_over=rolls,
        )  # fmt: skip

    assert words([view("expired", 1, 1, True), view("used_up", 1, 1, True), view("running")]) == []
    assert words([view("running", 60, 2_500_000), view("waiting", 0, 5, True)]) == [
        "'Week' has 60 s, 2.5 MB of the one before it (B4)",
        "'Week' has 5 octets of the one before it (B4)",
        "what is unused of 'Week' goes into what follows it (B4)",
    ]


@pytest.mark.rule("B4")
def test_nothing_changes_when_no_record_can_come_any_more() -> None:
    assert timedelta(days=33) == SETTLED_AFTER
    assert not settled(FIRST, ENDS + SETTLED_AFTER)
    assert settled(FIRST, ENDS + SETTLED_AFTER + SECOND)
    assert not settled(package(1, None), ENDS + 2 * SETTLED_AFTER)
