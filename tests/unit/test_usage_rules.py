"""Time and counters of an accounting record (rules U4, U6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules.usage import (
    CLOCK_DISAGREES,
    CLOCK_TOLERANCE,
    EVENT_TIME_CLAMPED,
    LATEST_AHEAD,
    OLDEST_BACK,
    event_time,
    total_octets,
)

ARRIVED_AT = datetime(2026, 3, 10, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.mark.rule("U6")
def test_event_time_is_arrival_minus_delay() -> None:
    event = event_time(ARRIVED_AT, 90, None)
    assert event.at == ARRIVED_AT - timedelta(seconds=90)
    assert event.precise
    assert event.anomalies == ()


@pytest.mark.rule("U6")
def test_without_delay_and_timestamp_the_arrival_stands_but_is_not_precise() -> None:
    event = event_time(ARRIVED_AT, None, None)
    assert (event.at, event.precise) == (ARRIVED_AT, False)


@pytest.mark.rule("U6", "U3")
def test_a_resend_with_an_unchanged_delay_keeps_its_instant() -> None:
    happened_at = ARRIVED_AT - timedelta(seconds=2)
    first = event_time(ARRIVED_AT, 0, happened_at)
    resent = event_time(ARRIVED_AT + MINUTE, 0, happened_at)
    assert first == resent
    assert first.at == happened_at
    assert first.precise


@pytest.mark.rule("U6")
@pytest.mark.parametrize("hours", [-1000, -6, -1, 1, 6])
def test_a_clock_that_disagrees_is_flagged_and_not_believed(hours: int) -> None:
    event = event_time(ARRIVED_AT, 30, ARRIVED_AT + timedelta(hours=hours))
    assert event.at == ARRIVED_AT - timedelta(seconds=30)
    assert event.anomalies == (CLOCK_DISAGREES,)


@pytest.mark.rule("U6")
def test_a_wrong_clock_without_delay_gives_no_precise_time() -> None:
    assert not event_time(ARRIVED_AT, None, ARRIVED_AT - timedelta(hours=2)).precise


@pytest.mark.rule("U6")
def test_a_delay_of_weeks_is_clamped() -> None:
    event = event_time(ARRIVED_AT, 2**32 - 1, None)
    assert event.at == ARRIVED_AT - OLDEST_BACK
    assert event.anomalies == (EVENT_TIME_CLAMPED,)
    assert not event.precise


@pytest.mark.rule("U6")
def test_records_kept_by_the_nas_for_hours_agree_with_their_delay() -> None:
    happened_at = ARRIVED_AT - timedelta(hours=20)
    event = event_time(ARRIVED_AT, 20 * 3600, happened_at)
    assert (event.at, event.anomalies) == (happened_at, ())


@pytest.mark.rule("U6")
@given(
    st.none() | st.integers(min_value=0, max_value=2**62 - 1),
    st.none() | st.datetimes(timezones=st.just(UTC)),
)
def test_event_time_never_leaves_the_window(
    delay_seconds: int | None, timestamp: datetime | None
) -> None:
    event = event_time(ARRIVED_AT, delay_seconds, timestamp)
    assert ARRIVED_AT - OLDEST_BACK <= event.at <= ARRIVED_AT + LATEST_AHEAD
    if timestamp is not None and event.at == timestamp and not event.anomalies:
        expected = ARRIVED_AT - timedelta(seconds=min(delay_seconds or 0, 10**6))
        assert abs(expected - timestamp) <= CLOCK_TOLERANCE


@pytest.mark.rule("U4")
def test_gigawords() -> None:
    assert total_octets(5, 0) == 5
    assert total_octets(5, 3) == 3 * 2**32 + 5
    assert total_octets(2**32 - 1, 2**30 - 1) == 2**62 - 1


@pytest.mark.rule("U4")
@pytest.mark.parametrize(("low", "high"), [(2**32, 0), (0, 2**30), (1, 2**32 - 1), (-1, 0)])
def test_totals_that_no_nas_can_have_carried(low: int, high: int) -> None:
    assert total_octets(low, high) is None
