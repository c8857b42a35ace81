"""Which cycles are billed by a day (rules B6, B7, B11, B12)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.model.profile import BillIn
from billing.rules.bill_run import cycles_due, first_unbilled
from tests.factories import MONTHLY

TENTH = replace(MONTHLY, cycle_day=10)
ARREARS = replace(TENTH, bill_in=BillIn.ARREARS)
LAST = replace(MONTHLY, cycle_day=31)
MONTH_END = replace(MONTHLY, cycle_ends_with_month=True, cycle_day=1)


def due(profile, first: date, today: date) -> list[tuple[date, date]]:
    return [(one.first_day, one.next_first_day) for one in cycles_due(profile, first, today)]


@pytest.mark.rule("B7")
def test_day_one_bills_the_cycle_that_begins_in_the_month() -> None:
    assert due(TENTH, date(2026, 4, 10), date(2026, 3, 31)) == []
    cycle = [(date(2026, 4, 10), date(2026, 5, 10))]
    assert due(TENTH, date(2026, 4, 10), date(2026, 4, 1)) == cycle
    assert due(TENTH, date(2026, 4, 10), date(2026, 4, 30)) == cycle


@pytest.mark.rule("B7")
def test_in_arrears_day_one_bills_what_has_ended() -> None:
    assert due(ARREARS, date(2026, 3, 10), date(2026, 4, 30)) == []
    assert due(ARREARS, date(2026, 3, 10), date(2026, 5, 1)) == [
        (date(2026, 3, 10), date(2026, 4, 10))
    ]


@pytest.mark.rule("B7")
@pytest.mark.parametrize(("cycle_day", "billed"), [(1, True), (2, False)])
def test_in_arrears_a_cycle_that_ends_with_day_one_is_billed_on_it(
    cycle_day: int, billed: bool
) -> None:
    profile = replace(ARREARS, cycle_day=cycle_day)
    cycle = (date(2026, 3, cycle_day), date(2026, 4, cycle_day))
    assert due(profile, cycle[0], date(2026, 4, 1)) == ([cycle] if billed else [])


@pytest.mark.rule("B7")
def test_who_joins_on_the_day_of_the_switch_is_billed_from_that_day() -> None:
    switched = date(2026, 3, 18)
    assert first_unbilled(TENTH, switched, None, switched) == switched
    assert first_unbilled(TENTH, switched - timedelta(days=1), None, switched) == date(2026, 4, 10)


@pytest.mark.rule("B7")
def test_after_months_of_downtime_each_cycle_is_billed_in_its_order() -> None:
    assert due(LAST, date(2026, 1, 31), date(2026, 4, 2)) == [
        (date(2026, 1, 31), date(2026, 2, 28)),
        (date(2026, 2, 28), date(2026, 3, 31)),
        (date(2026, 3, 31), date(2026, 4, 30)),
        (date(2026, 4, 30), date(2026, 5, 31)),
    ]


@pytest.mark.rule("B11")
def test_a_new_customer_gets_what_day_one_would_have_issued() -> None:
    """Created on the 5th: the days until the 10th, and the cycle that begins then."""
    assert due(TENTH, date(2026, 3, 5), date(2026, 3, 5)) == [
        (date(2026, 3, 5), date(2026, 3, 10)),
        (date(2026, 3, 10), date(2026, 4, 10)),
    ]
    assert due(TENTH, date(2026, 3, 18), date(2026, 3, 18)) == [
        (date(2026, 3, 18), date(2026, 4, 10))
    ]


@pytest.mark.rule("B12")
def test_cycles_that_end_with_the_month() -> None:
    assert due(MONTH_END, date(2026, 3, 18), date(2026, 3, 18)) == [
        (date(2026, 3, 18), date(2026, 4, 1))
    ]


@pytest.mark.rule("B7")
def test_nobody_is_billed_for_the_time_before_bills_were_switched_on() -> None:
    created, on = date(2020, 1, 1), date(2026, 3, 18)
    assert first_unbilled(TENTH, created, None, on) == date(2026, 4, 10)
    assert first_unbilled(TENTH, created, None, date(2026, 4, 10)) == date(2026, 4, 10)
    assert first_unbilled(TENTH, created, date(2026, 5, 10), on) == date(2026, 5, 10)
    assert first_unbilled(TENTH, date(2026, 3, 20), None, on) == date(2026, 3, 20)


@pytest.mark.rule("B6")
@given(
    st.sampled_from([TENTH, ARREARS, LAST, MONTH_END]),
    st.dates(date(2024, 1, 1), date(2030, 12, 31)),
    st.lists(st.integers(0, 90), min_size=1, max_size=12),
)
def test_whenever_it_runs_every_day_is_billed_once(profile, first: date, gaps: list[int]) -> None:
    """Days of downtime change nothing but the day of issue."""
    today, cursor, billed = first, first, []
    for gap in gaps:
        today += timedelta(days=gap)
        for cycle in cycles_due(profile, cursor, today):
            assert cycle.first_day == cursor
            assert cycle.days > 0
            billed.append(cycle)
            cursor = cycle.next_first_day
    assert list(cycles_due(profile, first, today)) == billed
