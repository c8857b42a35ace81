"""The meter: free nights and peak prices, worked by hand (rules Q3, P3, U9, M3, M6)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.integration.meter_world import (
    MIB,
    Metered,
    MeterWorld,
    Pack,
    Payg,
    interim,
    start,
    stop,
)

MADRID = "Europe/Madrid"
NIGHT = "night:0123456:0:360:free"
LATE = "late:0123456:1320:1560:free"
PEAK = "peak:01234:1080:1380:60:2000:1048576:50"
HOUR = 3_600
RICH = 10**12
ALWAYS = Pack(since_minutes=-500_000, minutes=None, octets=100 * MIB)
BASE = Payg(octet_step=MIB, octet_step_micros=10, second_step=60, second_step_micros=1_000)


def local(text: str) -> datetime:
    """UTC instants are written as they are in March 2026, when Madrid is one hour ahead."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def after(since: datetime, hours: float) -> datetime:
    return since + timedelta(hours=hours)


def slices(world: MeterWorld, who: Metered) -> list[tuple[object, ...]]:
    """(day, kind, window, seconds, octets, micros), in order."""
    return sorted(
        (
            *(row.local_day.isoformat(), row.kind, row.tariff_window),
            *(row.seconds, row.input_octets + row.output_octets, row.charged_micros),
        )
        for row in world.slices(who)
    )


def left(world: MeterWorld, who: Metered) -> tuple[int | None, int | None]:
    (row,) = world.entitlements(who)
    return row.seconds_left, row.octets_left


@pytest.mark.rule("Q3", "M3")
def test_a_free_night_takes_nothing_from_the_package(world: MeterWorld) -> None:
    """22:30 to 07:30 in Madrid: 1½ hours before midnight, 6 free, 1½ after."""
    world.set_zone(MADRID)
    who = world.customer([ALWAYS], windows=NIGHT)
    begins_at = local("2026-03-10T21:30:00")
    world.charge(start(who, begins_at))
    world.charge(stop(who, after(begins_at, 9), 9 * HOUR, 900, 8_100))
    assert slices(world, who) == [
        ("2026-03-10", "entitlement", "", 5_400, 1_500, 0),
        ("2026-03-11", "entitlement", "", 5_400, 1_500, 0),
        ("2026-03-11", "free", "night", 21_600, 6_000, 0),
    ]
    assert left(world, who) == (None, 100 * MIB - 3_000)
    assert [row.input_octets for row in world.slices(who)] == [150, 150, 600]
    (record,) = (row for row in world.journal(who) if row.added_seconds)
    assert record.tariff_version_id == world.plan_version(None, NIGHT)


@pytest.mark.rule("Q3", "M3")
@pytest.mark.parametrize(
    ("begins_at", "free_hours"),
    [("2026-03-28T20:00:00", 5), ("2026-10-24T20:00:00", 7), ("2026-06-10T20:00:00", 6)],
    ids=["23 hours", "25 hours", "24 hours"],
)
def test_a_free_night_is_shorter_or_longer_when_the_clock_changes(
    world: MeterWorld, begins_at: str, free_hours: int
) -> None:
    world.set_zone(MADRID)
    who = world.customer([ALWAYS], windows=NIGHT)
    since = local(begins_at)
    world.charge(start(who, since), now=since)
    world.charge(stop(who, after(since, 24), 24 * HOUR, 0, 24_000))
    free = [row for row in slices(world, who) if row[1] == "free"]
    assert [row[3:5] for row in free] == [(free_hours * HOUR, free_hours * 1_000)]
    assert left(world, who) == (None, 100 * MIB - (24 - free_hours) * 1_000)


@pytest.mark.rule("Q3")
def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins(world: MeterWorld) -> None:
    """Fridays 22:00 to 02:00 only; from Thursday noon to Sunday noon."""
    world.set_zone("UTC")
    who = world.customer([ALWAYS], windows="late:4:1320:1560:free")
    since = local("2026-03-12T12:00:00")
    world.charge(start(who, since), now=since)
    world.charge(stop(who, after(since, 72), 72 * HOUR, 0, 72_000))
    assert [row for row in slices(world, who) if row[1] == "free"] == [
        ("2026-03-13", "free", "late", 2 * HOUR, 2_000, 0),
        ("2026-03-14", "free", "late", 2 * HOUR, 2_000, 0),
    ]


@pytest.mark.rule("Q3", "P3")
def test_a_peak_price_counts_its_own_steps(world: MeterWorld) -> None:
    """17:59:30 to 18:02:10 UTC in three records: 30 s before the peak and 130 s in it."""
    world.set_zone("UTC")
    who = world.customer(payg=BASE, windows=PEAK, posted_micros=RICH)
    since = local("2026-03-10T17:59:30")
    world.charge(start(who, since), now=since)
    charged = []
    for seconds, octets in ((30, 1_000), (100, 3 * MIB), (160, 4 * MIB)):
        world.charge(interim(who, since + timedelta(seconds=seconds), seconds, 0, octets))
        charged.append(world.wallet(who).unposted_micros)
    # One minute and one MiB at the plan's price; then two minutes and 3 MiB less 1,000 octets,
    # so three begun ones, at the peak's; then one minute and one MiB more of it.
    assert charged == [1_010, 1_010 + 2 * 2_000 + 3 * 50, 1_010 + 3 * 2_000 + 4 * 50]
    assert slices(world, who) == [
        ("2026-03-10", "payg", "", 30, 1_000, 1_010),
        ("2026-03-10", "payg", "peak", 130, 4 * MIB - 1_000, 6_200),
    ]
    session = world.session(who)
    assert (session.payg_seconds, session.payg_octets, session.payg_micros) == (30, 1_000, 1_010)
    assert session.charged_micros == 7_210
    assert sum(row.charged_micros for row in world.journal(who)) == 7_210


@pytest.mark.rule("Q3", "P3")
def test_steps_go_on_on_the_next_day_of_the_same_window(world: MeterWorld) -> None:
    """Half a minute of the peak on Tuesday and half a one on Wednesday are one begun minute."""
    world.set_zone("UTC")
    price = "peak:0123456:1080:1380:60:2000:0:0"
    who = world.customer(payg=BASE, windows=price, posted_micros=RICH)
    since = local("2026-03-10T22:59:30")
    world.charge(start(who, since), now=since)
    world.charge(interim(who, since + timedelta(seconds=30), 30))
    before = since + timedelta(seconds=19 * HOUR + 30)  # 18:00:00
    world.charge(interim(who, before, 19 * HOUR + 30))
    world.charge(stop(who, before + timedelta(seconds=30), 19 * HOUR + 60))
    peak = [row for row in slices(world, who) if row[2] == "peak"]
    assert [row[3] for row in peak] == [30, 30]
    assert sum(int(str(row[5])) for row in peak) == 2_000


@pytest.mark.rule("Q3", "Q1")
def test_the_package_pays_in_the_peak_and_the_rest_is_dear(world: MeterWorld) -> None:
    """Four hours, one MiB each: 17:00 to 21:00. The package has 2½ of them."""
    world.set_zone("UTC")
    pack = Pack(since_minutes=-500_000, minutes=None, octets=5 * MIB // 2)
    who = world.customer([pack], payg=BASE, windows=PEAK, posted_micros=RICH)
    since = local("2026-03-10T17:00:00")
    world.charge(start(who, since), now=since)
    world.charge(stop(who, after(since, 4), 4 * HOUR, 0, 4 * MIB))
    # Its time is not limited, so all seconds are the package's; 1½ MiB are not, all in the peak.
    assert slices(world, who) == [
        ("2026-03-10", "entitlement", "", 4 * HOUR, 5 * MIB // 2, 0),
        ("2026-03-10", "payg", "peak", 0, 3 * MIB // 2, 2 * 50),
    ]


@pytest.mark.rule("Q3", "M6")
def test_a_package_keeps_its_windows_when_the_plan_loses_them(world: MeterWorld) -> None:
    world.set_zone("UTC")
    who = world.customer([ALWAYS], windows=NIGHT)
    world.set_version(who, world.plan_version(None))
    since = local("2026-03-10T00:00:00")
    world.charge(start(who, since), now=since)
    world.charge(interim(who, after(since, 12), 12 * HOUR, 0, 12_000))
    assert left(world, who) == (None, 100 * MIB - 6_000)
    kinds = {(row.kind, row.plan_version_id) for row in world.slices(who)}
    old = world.plan_version(None, NIGHT)
    assert kinds == {("free", old), ("entitlement", old)}


@pytest.mark.rule("Q3", "M6")
def test_a_new_version_begins_price_segments_of_its_own(world: MeterWorld) -> None:
    world.set_zone("UTC")
    who = world.customer(payg=BASE, windows=PEAK, posted_micros=RICH)
    since = local("2026-03-10T18:00:00")
    world.charge(start(who, since), now=since)
    world.charge(interim(who, since + timedelta(seconds=30), 30))
    dearer = world.new_version(BASE, "peak:0123456:1080:1380:60:7000:0:0")
    world.set_version(who, dearer)
    world.charge(interim(who, since + timedelta(seconds=60), 60))
    world.charge(interim(who, since + timedelta(seconds=90), 90))
    assert world.wallet(who).unposted_micros == 2_000 + 7_000


@pytest.mark.rule("Q3", "U2", "U4")
def test_every_order_of_records_adds_up(world: MeterWorld) -> None:
    """Late and repeated records over a boundary: the same session, nothing lost, nothing twice."""
    world.set_zone("UTC")
    since = local("2026-03-10T23:00:00")
    packets = [(HOUR // 2, 700), (HOUR, 1_401), (2 * HOUR, 2_999), (8 * HOUR, 10_007)]
    for order in ((0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2), (2, 2, 3, 0)):
        who = world.customer([ALWAYS], windows=NIGHT)
        world.charge(start(who, since), now=since)
        for place in order:
            seconds, octets = packets[place]
            at_ = since + timedelta(seconds=seconds)
            world.charge(interim(who, at_, seconds, 7, octets), now=after(since, 9))
        rows = world.slices(who)
        assert sum(row.seconds for row in rows) == 8 * HOUR
        assert sum(row.input_octets for row in rows) == 7
        assert sum(row.output_octets for row in rows) == 10_007
        paid = sum(r.input_octets + r.output_octets for r in rows if r.kind == "entitlement")
        assert left(world, who) == (None, 100 * MIB - paid)


@pytest.mark.rule("Q3")
def test_what_took_no_time_belongs_to_its_instant(world: MeterWorld) -> None:
    world.set_zone("UTC")
    who = world.customer([ALWAYS], windows=NIGHT)
    for begins_at, kind in (
        ("2026-03-10T05:59:59", "free"),
        ("2026-03-10T06:00:00", "entitlement"),
    ):
        at_ = local(begins_at)
        world.charge(stop(who, at_, 0, 10, 20, sid=kind), now=at_)
        assert {row.kind for row in world.slices(who)} >= {kind}
    assert left(world, who) == (None, 100 * MIB - 30)


@pytest.mark.rule("Q3", "P8")
def test_a_free_window_does_not_serve_who_has_nothing(world: MeterWorld) -> None:
    """The package is used up before midnight: the session is cut, free night or not."""
    world.set_zone("UTC")
    pack = Pack(since_minutes=-500_000, minutes=None, octets=1_000)
    who = world.customer([pack], windows=NIGHT)
    since = local("2026-03-10T23:00:00")
    world.charge(start(who, since), now=since)
    world.charge(interim(who, after(since, 1), HOUR, 0, 1_000))
    world.charge(interim(who, after(since, 2), 2 * HOUR, 0, 2_000))
    assert [(order.goal, order.reason) for order in world.orders(who)] == [
        ("disconnect", "data-used-up")
    ]
    assert ("2026-03-11", "free", "night", HOUR, 1_000, 0) in slices(world, who)


@pytest.mark.rule("Q3", "U9")
def test_a_month_of_silence_is_cut_at_every_night(world: MeterWorld) -> None:
    world.set_zone("UTC")
    who = world.customer([ALWAYS], windows=NIGHT)
    since = local("2026-03-01T00:00:00")
    world.charge(stop(who, after(since, 30 * 24), 30 * 24 * HOUR, 0, 24_000_001))
    rows = world.slices(who)
    assert sum(row.output_octets for row in rows) == 24_000_001
    free = [row for row in rows if row.kind == "free"]
    assert {row.local_day for row in free} == {date(2026, 3, day) for day in range(1, 31)}
    assert {row.seconds for row in free} == {6 * HOUR}
    assert sum(row.output_octets for row in free) in range(5_999_999, 6_000_031)
