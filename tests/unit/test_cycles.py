"""Local days, cycles, first bills, payment dates and cuts (M3, B6, B7, B9, B11, B12)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from access_builders import at, monthly_profile
from hypothesis import given
from hypothesis import strategies as st

from billing.model.money import Money
from billing.model.profile import DueBasis
from billing.rules.cycles import (
    END_OF_TIME,
    cut_from,
    cut_instant,
    cycle_at,
    cycle_of,
    day_passed_at,
    day_start,
    due_on,
    local_day,
    local_instant,
    partial_cycle,
)

ZONES = st.sampled_from(
    ["UTC", "Europe/Paris", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe",
     "America/Havana", "Pacific/Apia", "Asia/Kolkata"]
)  # fmt: skip
DAYS = st.dates(date(2015, 1, 1), date(2040, 12, 31))
INSTANTS = st.datetimes(datetime(2015, 1, 1), datetime(2040, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 (the zone is the strategy's)
THIRTY = Money(30_000_000, "USD")


@pytest.mark.rule("M3")
@given(INSTANTS, ZONES)
def test_every_instant_lies_in_its_local_day(instant: datetime, zone: str) -> None:
    day = local_day(instant, zone)
    assert day_start(day, zone) <= instant < day_passed_at(day, zone)


@pytest.mark.rule("M3")
def test_a_day_may_have_23_or_25_hours() -> None:
    spring, autumn = date(2026, 3, 29), date(2026, 10, 25)
    for day, hours in ((spring, 23), (autumn, 25)):
        span = day_passed_at(day, "Europe/Paris") - day_start(day, "Europe/Paris")
        assert span == timedelta(hours=hours)


@pytest.mark.rule("M3")
def test_a_local_time_that_does_not_exist_moves_forward() -> None:
    # 02:30 on 29 Mar 2026 is skipped in Paris: it becomes 03:30 summer time.
    assert local_instant(date(2026, 3, 29), 150, "Europe/Paris") == at("2026-03-29 01:30:00")
    # Midnight itself is skipped in Havana: the day begins at 01:00.
    assert day_start(date(2026, 3, 8), "America/Havana") == at("2026-03-08 05:00:00")


@pytest.mark.rule("M3")
def test_a_local_time_that_exists_twice_means_the_first() -> None:
    assert local_instant(date(2026, 10, 25), 150, "Europe/Paris") == at("2026-10-25 00:30:00")


@pytest.mark.rule("M3")
def test_minute_1440_is_the_next_midnight_even_on_a_short_day() -> None:
    day = date(2026, 3, 29)
    assert local_instant(day, 1440, "Europe/Paris") == day_start(date(2026, 3, 30), "Europe/Paris")


@pytest.mark.rule("M3")
def test_the_last_day_of_the_calendar_never_passes() -> None:
    assert day_passed_at(date.max, "Europe/Paris") == END_OF_TIME


@pytest.mark.rule("B6")
def test_cycles_run_from_cycle_day_to_cycle_day() -> None:
    profile = monthly_profile(cycle_day=10)
    assert cycle_of(date(2026, 3, 18), profile).first_day == date(2026, 3, 10)
    assert cycle_of(date(2026, 3, 9), profile).first_day == date(2026, 2, 10)
    cycle = cycle_of(date(2026, 3, 10), profile)
    assert (cycle.first_day, cycle.next_first_day) == (date(2026, 3, 10), date(2026, 4, 10))
    assert cycle.days == 31


@pytest.mark.rule("B6")
def test_day_31_clamps_and_returns() -> None:
    profile = monthly_profile(cycle_day=31)
    starts = []
    day = date(2026, 1, 31)
    for _ in range(4):
        cycle = cycle_of(day, profile)
        starts.append(cycle.first_day)
        day = cycle.next_first_day
    assert starts == [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)]


@pytest.mark.rule("B6")
@given(DAYS, st.integers(1, 31), st.booleans())
def test_cycles_cover_every_day_exactly_once(day: date, cycle_day: int, month_end: bool) -> None:
    profile = monthly_profile(cycle_day=cycle_day, cycle_ends_with_month=month_end)
    cycle = cycle_of(day, profile)
    assert cycle.first_day <= day < cycle.next_first_day
    assert 28 <= cycle.days <= 31
    assert cycle_of(cycle.next_first_day, profile).first_day == cycle.next_first_day
    assert cycle_of(cycle.next_first_day - timedelta(days=1), profile) == cycle


@pytest.mark.rule("B6")
def test_a_cycle_begins_at_local_midnight() -> None:
    profile = monthly_profile(cycle_day=10)
    before, after = at("2026-03-09 22:59:59"), at("2026-03-09 23:00:00")
    assert cycle_at(before, profile, "Europe/Paris").first_day == date(2026, 2, 10)
    assert cycle_at(after, profile, "Europe/Paris").first_day == date(2026, 3, 10)


@pytest.mark.rule("B11")
def test_first_bill_runs_to_the_next_cycle_day() -> None:
    first = partial_cycle(THIRTY, date(2026, 3, 18), monthly_profile(cycle_day=10))
    assert (first.days, first.full_days) == (23, 31)
    assert first.next_first_day == date(2026, 4, 10)
    assert str(first.amount) == "22.26 USD"


@pytest.mark.rule("B12")
def test_first_bill_covers_the_rest_of_the_month() -> None:
    profile = monthly_profile(cycle_day=1, cycle_ends_with_month=True)
    first = partial_cycle(THIRTY, date(2026, 3, 18), profile)
    assert (first.days, first.full_days) == (14, 31)
    assert first.next_first_day == date(2026, 4, 1)
    assert str(first.amount) == "13.55 USD"
    assert cycle_of(first.next_first_day, profile).next_first_day == date(2026, 5, 1)


@pytest.mark.rule("B6")
def test_a_changed_cycle_day_bills_the_bridge() -> None:
    bridge = partial_cycle(THIRTY, date(2026, 4, 10), monthly_profile(cycle_day=15))
    assert (bridge.days, bridge.full_days) == (5, 31)
    assert bridge.next_first_day == date(2026, 4, 15)
    assert str(bridge.amount) == "4.84 USD"


@pytest.mark.rule("B11")
@given(DAYS, st.integers(1, 31))
def test_a_first_bill_is_never_more_than_the_price(day: date, cycle_day: int) -> None:
    profile = monthly_profile(cycle_day=cycle_day)
    first = partial_cycle(THIRTY, day, profile)
    assert 0 < first.amount.amount_micros <= THIRTY.amount_micros
    assert (first.amount == THIRTY) == (cycle_of(day, profile).first_day == day)


@pytest.mark.rule("B7")
def test_the_payment_date_counts_from_the_basis_of_the_profile() -> None:
    issued, start = date(2026, 3, 1), date(2026, 3, 10)
    assert due_on(monthly_profile(due_days=19), issued, start) == date(2026, 3, 20)
    by_cycle = monthly_profile(due_basis=DueBasis.CYCLE_START, due_days=0)
    assert due_on(by_cycle, issued, start) == start


@pytest.mark.rule("B9")
def test_the_whole_payment_date_is_payable() -> None:
    cut = cut_instant(date(2026, 3, 20), monthly_profile(), "Europe/Paris")
    assert cut == at("2026-03-20 23:00:00")  # 21 March, 00:00 in Paris


@pytest.mark.rule("B9")
def test_the_cut_waits_for_its_hour_and_for_a_day_that_is_no_no_cut_day() -> None:
    profile = monthly_profile(
        suspend_at_hour=8,
        no_cut_weekdays=frozenset({5, 6}),
        no_cut_dates=frozenset({date(2026, 3, 23)}),
    )
    # Due on Friday 20 March: the weekend and a holiday on Monday pass, the cut is on Tuesday.
    cut = cut_instant(date(2026, 3, 20), profile, "Europe/Paris")
    assert cut == at("2026-03-24 07:00:00")


@pytest.mark.rule("B9")
def test_a_cut_hour_that_has_gone_by_waits_for_the_next_day() -> None:
    profile = monthly_profile(suspend_at_hour=8)
    cut = cut_from(at("2026-03-20 07:00:01"), profile, "Europe/Paris")
    assert cut == at("2026-03-21 07:00:00")


@pytest.mark.rule("B9")
def test_where_every_weekday_is_a_no_cut_day_nobody_is_cut() -> None:
    profile = monthly_profile(no_cut_weekdays=frozenset(range(7)))
    assert cut_instant(date(2026, 3, 20), profile, "Europe/Paris") is None
    assert cut_instant(date.max, monthly_profile(), "Europe/Paris") is None


@pytest.mark.rule("B9")
@given(DAYS, ZONES, st.integers(0, 23), st.frozensets(st.integers(0, 6), max_size=6))
def test_a_cut_is_never_on_a_no_cut_day_nor_on_the_payment_date(
    day: date, zone: str, hour: int, weekdays: frozenset[int]
) -> None:
    profile = monthly_profile(suspend_at_hour=hour, no_cut_weekdays=weekdays)
    cut = cut_instant(day, profile, zone)
    assert cut is not None
    assert local_day(cut, zone) > day
    assert local_day(cut, zone).weekday() not in weekdays
    assert cut < day_start(day, zone) + timedelta(days=9)
