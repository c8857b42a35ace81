"""The meter: counters only rise, absent is not zero, 2^32 and the bounds (rule U4)."""

from __future__ import annotations

from itertools import permutations

import pytest

from billing.model.events import COUNTER_LIMIT, Status
from tests.integration.meter_world import GIB, MeterWorld, Pack, at, interim, record, start, stop

WRAP = 2**32


@pytest.mark.rule("U4")
def test_absent_counters_keep_the_last_value(world: MeterWorld) -> None:
    who = world.customer([Pack(octets=1_000)])
    world.charge(start(who, at(0)), interim(who, at(300), 300, 100, 200), now=at(300))
    world.charge(
        interim(who, at(600), 600, None, 250, anomalies=("no-acct-input-octets",)),
        interim(who, at(900), 900, None, None),
        interim(who, at(1_200), None, 150, None),
        stop(who, at(1_500), None, None, None),
        now=at(1_500),
    )
    assert world.totals(who) == [(900, 150, 250)]
    assert world.session(who).closed_at == at(1_500)
    assert world.entitlements(who)[0].octets_left == 600
    assert world.anomalies(who) == ["no-acct-input-octets"]


@pytest.mark.rule("U4")
def test_counters_that_fall_keep_the_maximum_and_are_noted(world: MeterWorld) -> None:
    who = world.customer([Pack(octets=1_000)])
    world.charge(start(who, at(0)), interim(who, at(300), 300, 100, 200), now=at(300))
    world.charge(interim(who, at(600), 600, 50, 300))
    world.charge(interim(who, at(900), 900, 120, 10))
    assert world.totals(who) == [(900, 120, 300)]
    assert world.anomalies(who) == ["counter-fell", "counter-fell"]
    assert world.entitlements(who)[0].octets_left == 580


@pytest.mark.rule("U4")
def test_gigawords_are_counted_in_full(world: MeterWorld) -> None:
    who = world.customer([Pack(octets=100 * GIB)])
    world.charge(start(who, at(0)), interim(who, at(300), 300, 10, 3 * GIB), now=at(300))
    world.charge(interim(who, at(600), 600, 20, 40 * GIB + 5))
    assert world.totals(who) == [(600, 20, 40 * GIB + 5)]
    assert world.entitlements(who)[0].octets_left == 60 * GIB - 25
    assert world.anomalies(who) == []


@pytest.mark.rule("U4")
def test_gigawords_sent_only_once_they_are_not_zero(world: MeterWorld) -> None:
    who = world.customer([Pack()])
    world.charge(start(who, at(0), gigawords=False))
    world.charge(interim(who, at(300), 300, 0, WRAP - 10, gigawords=False))
    world.charge(interim(who, at(600), 600, 0, WRAP + 10, gigawords=True))
    world.charge(interim(who, at(500), 500, 0, WRAP - 5, gigawords=False, arrived_at=at(610)))
    assert world.totals(who) == [(600, 0, WRAP + 10)]


@pytest.mark.rule("U4")
def test_plausible_wrap_of_a_32_bit_counter_counts_and_is_flagged(world: MeterWorld) -> None:
    who = world.customer([Pack(octets=100 * GIB)])
    world.charge(start(who, at(0), gigawords=False))
    world.charge(interim(who, at(300), 300, 5, WRAP - 1_000, gigawords=False))
    world.charge(interim(who, at(600), 600, 6, 4_000, gigawords=False))
    assert world.totals(who) == [(600, 6, WRAP + 4_000)]
    assert world.anomalies(who) == ["counter-wrapped"]
    world.charge(interim(who, at(900), 900, 7, 3_000, gigawords=False))
    assert world.totals(who) == [(900, 7, 2 * WRAP + 3_000)]
    assert world.entitlements(who)[0].octets_left == 100 * GIB - 2 * WRAP - 3_007


@pytest.mark.rule("U4", "U2")
def test_wrap_is_counted_once_in_every_order(world: MeterWorld) -> None:
    for order in permutations(range(4)):
        who = world.customer([Pack()])
        packets = [
            interim(who, at(300), 300, 1, WRAP // 4, gigawords=False),
            interim(who, at(600), 600, 2, WRAP - 1_000, gigawords=False),
            interim(who, at(900), 900, 3, 4_000, gigawords=False),
            stop(who, at(1_200), 1_200, 4, WRAP // 2, gigawords=False),
        ]
        for place in (*order, *order):
            world.charge(packets[place], now=at(1_300))
        assert world.totals(who) == [(1_200, 4, WRAP + WRAP // 2)]


@pytest.mark.rule("U4", "U2")
def test_records_that_carry_one_counter_only(world: MeterWorld) -> None:
    """A late counter is compared with the last one of its own direction."""
    half = WRAP // 2
    for order in permutations(range(4)):
        who = world.customer([Pack()])
        packets = [
            interim(who, at(300), 300, 1_000, WRAP - 1_000, gigawords=False),
            interim(who, at(600), 600, 2_000, None, gigawords=False),
            interim(who, at(900), 900, None, 4_000, gigawords=False),
            stop(who, at(1_200), 1_200, half, None, gigawords=False),
        ]
        for place in (*order, *order):
            world.charge(packets[place], now=at(1_300))
        assert world.totals(who) == [(1_200, half, WRAP + 4_000)]


@pytest.mark.rule("U4", "U2")
def test_late_counter_of_one_direction_is_no_wrap(world: MeterWorld) -> None:
    who = world.customer([Pack()])
    world.charge(interim(who, at(600), 600, 3_000, None, gigawords=False))
    world.charge(interim(who, at(900), 900, None, 9_000, gigawords=False))
    world.charge(interim(who, at(700), 700, 5_000, None, gigawords=False, arrived_at=at(910)))
    world.charge(interim(who, at(800), 800, None, 8_000, gigawords=False, arrived_at=at(920)))
    world.charge(interim(who, at(650), 650, 4_000, None, gigawords=False, arrived_at=at(930)))
    assert world.totals(who) == [(900, 5_000, 9_000)]
    assert world.anomalies(who) == []


@pytest.mark.rule("U4")
def test_implausible_wrap_is_a_fallen_counter(world: MeterWorld) -> None:
    who = world.customer([Pack()])
    world.charge(start(who, at(0), gigawords=False))
    world.charge(interim(who, at(300), 300, 0, 1_000_000_000, gigawords=False))
    # Another 3.3 GB within five seconds would be 5 Gbit/s.
    world.charge(interim(who, at(305), 305, 0, 1_000, gigawords=False))
    assert world.totals(who) == [(305, 0, 1_000_000_000)]
    assert world.anomalies(who) == ["counter-fell"]


@pytest.mark.rule("U4")
def test_counters_at_the_bounds(world: MeterWorld) -> None:
    """What the hook lets through at most: two counters below 2^62, ten years."""
    who = world.customer([Pack(octets=1_000), Pack(octets=None, seconds=None)])
    limit = COUNTER_LIMIT - 1
    ten_years = 10 * 366 * 86_400
    world.charge(record(who, Status.STOP, at(0), seconds=ten_years, sent=limit, received=limit))
    assert world.totals(who) == [(ten_years, limit, limit)]
    slices = world.slices(who)
    assert sum(row.input_octets + row.output_octets for row in slices) == 2 * limit
    assert sum(row.seconds for row in slices) == ten_years
    assert len({row.local_day for row in slices}) == 3_661
    limited, endless = world.entitlements(who)
    assert (limited.octets_left, endless.octets_left) == (0, None)
