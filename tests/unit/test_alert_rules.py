"""When a customer is told that little is left (rule P6)."""

from __future__ import annotations

import pytest

from billing.rules.alerts import (
    Amount,
    BalanceAlert,
    armed_below,
    balance_fell,
    left_at,
    level_reached,
    next_level,
)

TOPPED_UP = 200_000_000
FORTY = 40_000_000


def alert(
    below: int | None = None, *, percent: int | None = 20, topped_up: int | None = TOPPED_UP
) -> BalanceAlert:
    return BalanceAlert(percent=percent, topped_up_micros=topped_up, below_micros=below)


@pytest.mark.rule("P6")
def test_the_threshold_is_a_part_of_what_was_there_after_the_last_top_up() -> None:
    assert alert().threshold_micros == FORTY
    assert alert(percent=1).threshold_micros == 2_000_000
    assert alert(percent=99).threshold_micros == 198_000_000


@pytest.mark.rule("P6")
@pytest.mark.parametrize(
    ("percent", "topped_up"), [(None, TOPPED_UP), (20, None), (20, 0), (20, -5_000_000)]
)
def test_without_a_percentage_or_money_there_is_no_threshold(
    percent: int | None, topped_up: int | None
) -> None:
    assert alert(percent=percent, topped_up=topped_up).threshold_micros is None
    assert armed_below(alert(percent=percent, topped_up=topped_up), TOPPED_UP) is None


@pytest.mark.rule("P6")
def test_a_threshold_between_micros_is_told_of_as_the_fraction_would_be() -> None:
    """50 % of 3 micros are 1.5: 1 is less, 2 is not."""
    odd = alert(percent=50, topped_up=3)
    assert odd.threshold_micros == 2
    assert balance_fell(alert(odd.threshold_micros), 1)
    assert not balance_fell(alert(odd.threshold_micros), 2)


@pytest.mark.rule("P6")
@pytest.mark.parametrize(
    ("below", "available", "told"),
    [
        (FORTY, FORTY + 1, False),
        (FORTY, FORTY, False),
        (FORTY, FORTY - 1, True),
        (FORTY, -1, True),
        (None, -1, False),
    ],
)
def test_it_is_told_when_less_than_the_threshold_is_left_and_it_is_armed(
    below: int | None, available: int, told: bool
) -> None:
    assert balance_fell(alert(below), available) is told


@pytest.mark.rule("P6")
@pytest.mark.parametrize(
    ("below", "available", "armed"),
    [
        (FORTY, 100_000_000, FORTY),  # nothing has happened
        (FORTY, FORTY, FORTY),
        (FORTY, FORTY - 1, None),  # told just now
        (None, FORTY - 1, None),  # told before
        (None, FORTY, None),
        (None, FORTY + 1, FORTY),  # a credit has lifted it over the threshold
        (10_000_000, 100_000_000, FORTY),  # another percentage was set
        (10_000_000, 30_000_000, None),  # which has been passed already
    ],
)
def test_it_is_armed_until_told_and_again_by_a_credit_over_the_threshold(
    below: int | None, available: int, armed: int | None
) -> None:
    assert armed_below(alert(below), available) == armed


@pytest.mark.rule("P6")
def test_a_level_of_use_as_what_is_left_then() -> None:
    assert [left_at(1_000, percent) for percent in (1, 80, 100)] == [990, 200, 0]
    assert left_at(7, 80) == 1  # 80 % of 7 are 5.6: reached by 6, not by 5


@pytest.mark.rule("P6")
@pytest.mark.parametrize(
    ("left", "reached"), [(1_000, 0), (201, 0), (200, 80), (1, 80), (0, 100), (150, 80)]
)
def test_the_highest_level_that_was_reached_is_told(left: int, reached: int) -> None:
    assert level_reached((80, 100), [Amount(1_000, left)]) == reached


@pytest.mark.rule("P6")
def test_the_amount_that_is_nearer_to_its_end_counts() -> None:
    assert level_reached((50, 80), [Amount(1_000, 900), Amount(60, 12)]) == 80
    assert level_reached((50, 80), [Amount(60, 12), Amount(1_000, 900)]) == 80
    assert level_reached((50, 80), []) == 0


@pytest.mark.rule("P6")
@pytest.mark.parametrize(
    ("told", "following"), [(0, 80), (79, 80), (80, 100), (90, 100), (100, None)]
)
def test_the_next_level_is_the_lowest_that_was_not_told(told: int, following: int | None) -> None:
    assert next_level((100, 80), told) == following
