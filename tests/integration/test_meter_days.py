"""The meter: usage by local day, whatever the night does to the clock (rules U9, M3)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.integration.meter_world import Metered, MeterWorld, Pack, interim, start, stop


def _by_day(world: MeterWorld, who: Metered) -> dict[date, tuple[int, int, int]]:
    return {
        row.local_day: (row.seconds, row.input_octets, row.output_octets)
        for row in world.slices(who)
    }


def _session(
    world: MeterWorld, zone: str, begins_at: datetime, seconds: int, sent: int, received: int
) -> Metered:
    """A session of which only Start and Stop arrive, in an installation of that zone."""
    world.set_zone(zone)
    who = world.customer([Pack(since_minutes=-500_000, minutes=None)])
    world.charge(start(who, begins_at))
    ends_at = begins_at + timedelta(seconds=seconds)
    world.charge(stop(who, ends_at, seconds, sent, received))
    return who


@pytest.mark.rule("U9", "M3")
def test_midnight_is_the_operators(world: MeterWorld) -> None:
    # 21:30 to 22:30 UTC is 23:30 to 00:30 in Beirut.
    begins_at = datetime(2026, 3, 10, 21, 30, tzinfo=UTC)
    who = _session(world, "Asia/Beirut", begins_at, 3_600, 100, 901)
    assert _by_day(world, who) == {
        date(2026, 3, 10): (1_800, 49, 451),
        date(2026, 3, 11): (1_800, 51, 450),
    }
    who = _session(world, "UTC", begins_at, 3_600, 100, 901)
    assert _by_day(world, who) == {date(2026, 3, 10): (3_600, 100, 901)}


@pytest.mark.rule("U9")
def test_shares_are_exact_where_the_division_is(world: MeterWorld) -> None:
    begins_at = datetime(2026, 3, 10, 23, 40, tzinfo=UTC)
    who = _session(world, "UTC", begins_at, 3_600, 0, 3_000)
    assert _by_day(world, who) == {
        date(2026, 3, 10): (1_200, 0, 1_000),
        date(2026, 3, 11): (2_400, 0, 2_000),
    }


@pytest.mark.rule("U9", "M3")
@pytest.mark.parametrize(
    ("zone", "begins_at", "day_hours"),
    [
        ("Asia/Beirut", datetime(2026, 3, 28, 21, 0, tzinfo=UTC), (1, 23, 1)),
        ("Asia/Beirut", datetime(2026, 10, 23, 20, 0, tzinfo=UTC), (1, 25, 1)),
        ("America/Havana", datetime(2026, 3, 8, 4, 0, tzinfo=UTC), (1, 23, 1)),
        ("America/Havana", datetime(2026, 11, 1, 3, 0, tzinfo=UTC), (1, 25, 1)),
        ("Europe/Madrid", datetime(2026, 10, 24, 21, 0, tzinfo=UTC), (1, 25, 1)),
    ],
    ids=["no midnight", "25 hours", "no midnight, west", "two midnights", "two hours of two"],
)
def test_days_of_23_and_25_hours(
    world: MeterWorld, zone: str, begins_at: datetime, day_hours: tuple[int, int, int]
) -> None:
    hours = sum(day_hours)
    who = _session(world, zone, begins_at, hours * 3_600, 0, hours * 1_000)
    assert [row.seconds for row in world.slices(who)] == [part * 3_600 for part in day_hours]
    assert [row.output_octets for row in world.slices(who)] == [part * 1_000 for part in day_hours]


@pytest.mark.rule("U9")
def test_only_the_stretch_since_the_last_record_is_spread(world: MeterWorld) -> None:
    world.set_zone("UTC")
    who = world.customer([Pack(since_minutes=-500_000, minutes=None)])
    begins_at = datetime(2026, 3, 10, 22, 0, tzinfo=UTC)
    noon = begins_at + timedelta(hours=1)
    world.charge(start(who, begins_at), interim(who, noon, 3_600, 0, 700), now=noon)
    world.charge(stop(who, begins_at + timedelta(hours=3), 10_800, 0, 900))
    assert _by_day(world, who) == {
        date(2026, 3, 10): (7_200, 0, 800),
        date(2026, 3, 11): (3_600, 0, 100),
    }


@pytest.mark.rule("U9")
def test_record_at_midnight_belongs_to_the_day_before(world: MeterWorld) -> None:
    begins_at = datetime(2026, 3, 10, 23, 0, tzinfo=UTC)
    who = _session(world, "UTC", begins_at, 3_600, 10, 20)
    assert _by_day(world, who) == {date(2026, 3, 10): (3_600, 10, 20)}


@pytest.mark.rule("U9")
def test_month_of_silence_is_spread_over_its_days(world: MeterWorld) -> None:
    begins_at = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
    who = _session(world, "UTC", begins_at, 30 * 86_400, 0, 30 * 1_000 + 1)
    days = _by_day(world, who)
    assert len(days) == 30
    assert set(days.values()) == {(86_400, 0, 1_000), (86_400, 0, 1_001)}
