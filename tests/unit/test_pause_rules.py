"""What a pause is good for (rule S3)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from billing.rules.cycles import Cycle
from billing.rules.pauses import Standing, allowed, free_days, own_problem, resumed

BEGUN = datetime(2026, 3, 20, 9, tzinfo=UTC)
PAUSED = BEGUN + timedelta(days=2)
NOW = PAUSED + timedelta(days=5, minutes=7, seconds=3)
PAUSE = NOW - PAUSED
YEARLY = timedelta(days=30)
DAY = timedelta(days=1)
pytestmark = pytest.mark.rule("S3")


def window(
    begin: datetime, days: int, *, follows: bool = False, most: timedelta = YEARLY
) -> Standing:
    return Standing(begin, begin + days * DAY, follows, most)


def windows(*packages: Standing) -> list[tuple[datetime | None, datetime | None]]:
    moved, _ = resumed(packages, PAUSED, NOW)
    return [(one.valid_from, one.valid_until) for one in moved]


def test_validity_stands_still_to_the_second() -> None:
    running = window(BEGUN, 10)
    assert windows(running) == [(BEGUN, BEGUN + 10 * DAY + PAUSE)]
    assert resumed([running], PAUSED, NOW)[1] == PAUSE


def test_an_hour_that_clocks_skip_is_no_time() -> None:
    """29 March 2026 has 23 hours in Madrid: a pause is what passed, not what clocks say."""
    madrid = ZoneInfo("Europe/Madrid")
    begin = datetime(2026, 3, 28, 12, tzinfo=madrid).astimezone(UTC)
    end = datetime(2026, 3, 29, 12, tzinfo=madrid).astimezone(UTC)
    running = Standing(begin - DAY, begin + DAY, False, YEARLY)
    (moved,), stood = resumed([running], begin, end)
    assert stood == timedelta(hours=23)
    assert moved.valid_until == begin + DAY + timedelta(hours=23)


def test_what_would_have_ended_within_the_pause_is_there_again() -> None:
    assert windows(window(BEGUN, 3)) == [(BEGUN, BEGUN + 3 * DAY + PAUSE)]


def test_what_had_ended_before_stays_so() -> None:
    ended = window(BEGUN - 3 * DAY, 5)
    assert ended.valid_until == PAUSED
    assert windows(ended) == [(ended.valid_from, PAUSED)]


def test_what_waits_begins_when_the_one_before_it_ends() -> None:
    first = window(BEGUN, 3)
    second = window(BEGUN + 3 * DAY, 4, follows=True)
    third = window(BEGUN + 7 * DAY, 1, follows=True)
    end = BEGUN + 3 * DAY + PAUSE
    assert windows(first, second, third) == [
        (BEGUN, end),
        (end, end + 4 * DAY),
        (end + 4 * DAY, end + 5 * DAY),
    ]


def test_what_was_bought_within_the_pause_waits_for_its_end() -> None:
    bought = window(PAUSED + DAY, 1)
    assert windows(bought) == [(PAUSED + DAY, NOW + DAY)]


def test_what_begins_after_the_pause_by_itself_does_not_move() -> None:
    later = window(NOW + DAY, 1)
    assert windows(later) == [(later.valid_from, later.valid_until)]


def test_only_what_follows_the_one_before_it_moves_with_it() -> None:
    first = window(BEGUN, 3)
    # Bought to begin at once: each stands still by itself.
    beside = window(BEGUN + DAY, 1)
    assert windows(window(BEGUN, 9), beside) == [
        (BEGUN, BEGUN + 9 * DAY + PAUSE),
        (BEGUN + DAY, BEGUN + 2 * DAY),
    ]
    # It begins when the other one was to end, but does not wait for it.
    by_chance = window(BEGUN + 3 * DAY, 4)
    stood = NOW - BEGUN - 3 * DAY
    assert windows(first, by_chance)[1] == (BEGUN + 3 * DAY, BEGUN + 7 * DAY + stood)
    # What it was to follow is used up: nothing is before it.
    alone = window(PAUSED + DAY, 1, follows=True)
    assert windows(alone) == [(PAUSED + DAY, NOW + DAY)]


def test_nothing_but_the_window_changes() -> None:
    follower = window(PAUSED + DAY, 1, follows=True)
    assert resumed([follower], PAUSED, NOW)[0] == [Standing(PAUSED + DAY, NOW + DAY, True, YEARLY)]


def test_only_so_many_days_a_year() -> None:
    assert windows(window(BEGUN, 10, most=2 * DAY)) == [(BEGUN, BEGUN + 12 * DAY)]
    assert allowed(10, 4 * DAY) == 6 * DAY
    assert allowed(10, 14 * DAY) == allowed(None, timedelta(0)) == timedelta(0)


def test_what_follows_has_no_days_of_its_own() -> None:
    two = 2 * DAY
    first = window(BEGUN, 3, most=two)
    second = window(BEGUN + 3 * DAY, 1, follows=True, most=two)
    third = window(BEGUN + 4 * DAY, 4, follows=True, most=two + timedelta(hours=1))
    moved, stood = resumed([first, second, third], PAUSED, NOW)
    assert [one.valid_until for one in moved] == [
        BEGUN + 5 * DAY,
        BEGUN + 6 * DAY,
        BEGUN + 10 * DAY + timedelta(hours=1),
    ]
    assert stood == two + timedelta(hours=1)
    # One that allows fewer days than were taken runs on.
    fewer = window(BEGUN + 3 * DAY, 1, follows=True, most=DAY)
    moved, stood = resumed([first, fewer], PAUSED, NOW)
    assert (moved[1].valid_until, stood) == (BEGUN + 6 * DAY, two)
    # Beside another one, each has them all.
    beside = window(BEGUN, 9, most=two)
    moved, stood = resumed([first, beside], PAUSED, NOW)
    assert [one.valid_until for one in moved] == [BEGUN + 5 * DAY, BEGUN + 11 * DAY]
    assert stood == two


def test_a_plan_without_pauses_runs_on_and_what_follows_it_too() -> None:
    first = window(BEGUN, 3, most=timedelta(0))
    second = window(BEGUN + 3 * DAY, 10, follows=True)
    # It begins a day into the pause, and stands still from then on.
    assert windows(first, second) == [
        (BEGUN, BEGUN + 3 * DAY),
        (BEGUN + 3 * DAY, BEGUN + 13 * DAY + PAUSE - DAY),
    ]


def test_a_window_that_is_not_known_yet_stays_so() -> None:
    waiting = Standing(None, None, False, YEARLY)
    endless = Standing(BEGUN, None, False, YEARLY)
    assert windows(waiting, endless) == [(None, None), (BEGUN, None)]


def free(
    paused_at: datetime, now: datetime, pause_days: int | None = 30, used: int = 0
) -> Cycle | None:
    return free_days(paused_at, now, "UTC", pause_days, used)


def test_whole_local_days_are_not_charged() -> None:
    noon = datetime(2026, 3, 20, 12, tzinfo=UTC)
    assert free(noon, noon + 3 * DAY) == Cycle(date(2026, 3, 21), date(2026, 3, 23))
    midnight = datetime(2026, 3, 20, tzinfo=UTC)
    assert free(midnight, midnight + DAY) == Cycle(date(2026, 3, 20), date(2026, 3, 21))
    assert free(noon, noon + DAY) is None


def test_days_are_the_operators() -> None:
    noon = datetime(2026, 3, 20, 12, tzinfo=UTC)
    assert free_days(noon, noon + 2 * DAY, "Pacific/Kiritimati", 30, 0) == Cycle(
        date(2026, 3, 22), date(2026, 3, 23)
    )


def test_the_first_days_up_to_what_the_plan_allows() -> None:
    noon = datetime(2026, 3, 20, 12, tzinfo=UTC)
    week = noon + 7 * DAY
    assert free(noon, week, 10, used=7) == Cycle(date(2026, 3, 21), date(2026, 3, 24))
    assert free(noon, week, 10, used=10) is None
    assert free(noon, week, None) is None


@pytest.mark.parametrize(
    ("allowed_days", "left", "monthly", "reason"),
    [
        (30, timedelta(seconds=1), True, None),
        (30, timedelta(days=30), False, None),
        (0, timedelta(0), True, "your plan has no pause: ask your provider"),
        (0, timedelta(0), False, "you have no package that can be paused: ask your provider"),
        (
            30,
            timedelta(0),
            True,
            "the 30 days of pause a year that your plan has are used up: ask your provider",
        ),
    ],
)
def test_whether_a_customer_may_pause_itself(
    allowed_days: int, left: timedelta, monthly: bool, reason: str | None
) -> None:
    assert own_problem(allowed_days, left, monthly=monthly) == reason
