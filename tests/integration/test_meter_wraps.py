"""The meter: counters of 32 bits without gigawords, in every order of arrival (rules U2, U4)."""

from __future__ import annotations

from itertools import pairwise, permutations
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from billing.errors import Unavailable
from billing.model.events import AccountingRecord
from billing.services import evidence
from billing.services.context import Context
from billing.settings import Settings
from tests.integration.meter_world import (
    OTHER_ROUTER,
    Metered,
    MeterWorld,
    Pack,
    Payg,
    at,
    interim,
    start,
    stop,
)

WRAP = 2**32
GB = 10**9


def narrow(
    who: Metered, seconds: int, received: int | None, sent: int | None = 0
) -> AccountingRecord:
    """A report of a NAS that shows the lower 32 bits of these true counters."""
    return interim(
        who,
        at(seconds),
        seconds,
        None if sent is None else sent % WRAP,
        None if received is None else received % WRAP,
        gigawords=False,
    )


def _columns(statement: LiteralString) -> sql.Composed:
    """A statement about the columns of the journal that the hooks may read."""
    names = "customer_id session_id arrived_at event_at session_seconds input_octets output_octets"
    names += " added_input_octets added_output_octets"
    return sql.SQL(statement).format(sql.SQL(", ").join(map(sql.Identifier, names.split())))


def charge_each(world: MeterWorld, *records: AccountingRecord) -> None:
    """One call for each, in this order, when all of them have happened."""
    for one in records:
        world.charge(one, now=at(10_000))


def balances(world: MeterWorld, context: Context, who: Metered) -> None:
    """Journal and slices tell the session's total, no record took anything back, and the raw
    records rated again give the same."""
    session = world.session(who)
    again = evidence.rerate(context, f"id:{session.session_id}", who.username)
    assert again.differences == ()
    total = (session.input_octets, session.output_octets)
    journal = world.journal(who)
    added = [(row.added_input_octets, row.added_output_octets) for row in journal]
    assert all(min(one) >= 0 for one in added)
    slices = world.slices(who)
    assert tuple(map(sum, zip(*added, strict=True))) == total
    assert sum(row.input_octets for row in slices) == total[0]
    assert sum(row.output_octets for row in slices) == total[1]


# Two wraps of what is received, one of what is sent; between two reports less than 4 GiB.
TWO_WRAPS = [
    (300, 2 * GB, 1 * GB),
    (600, 4 * GB, 2 * GB),
    (900, 7 * GB, 4 * GB),
    (1_200, 8 * GB, 5 * GB),
    (1_500, 11 * GB, 6 * GB),
    (1_800, 12 * GB, 7 * GB),
]


@pytest.mark.rule("U2", "U4")
def test_two_wraps_are_counted_in_every_order(world: MeterWorld) -> None:
    for order in permutations(range(6)):
        who = world.customer([Pack()])
        told = [narrow(who, *TWO_WRAPS[place]) for place in order]
        world.charge(*told, now=at(2_000))
        assert world.totals(who) == [(1_800, 7 * GB, 12 * GB)], order
        session = world.session(who)
        assert (session.input_wraps, session.output_wraps) == (1, 2)
        assert (session.input_at_seconds, session.output_at_seconds) == (1_800, 1_800)


@pytest.mark.rule("U2", "U4", "U9")
def test_two_wraps_with_start_stop_and_copies(world: MeterWorld, context: Context) -> None:
    for order in permutations(range(5)):
        who = world.customer([Pack(octets=12_000 * 10**6), Pack(octets=None, seconds=None)])
        told = [
            start(who, at(0), gigawords=False),
            *(narrow(who, *TWO_WRAPS[place]) for place in (1, 2, 3)),
            stop(who, at(1_500), 1_500, 6 * GB % WRAP, 11 * GB % WRAP, gigawords=False),
        ]
        charge_each(world, *(told[place] for place in order))
        charge_each(world, *(told[place] for place in order), *reversed(told))
        assert world.totals(who) == [(1_500, 6 * GB, 11 * GB)], order
        balances(world, context, who)
        assert world.entitlements(who)[0].octets_left == 0


@pytest.mark.rule("U2", "U4")
def test_late_record_from_before_and_from_after_a_wrap(world: MeterWorld, context: Context) -> None:
    who = world.customer([Pack()])
    charge_each(world, narrow(who, 300, 2 * GB), narrow(who, 1_200, 8 * GB))
    assert world.totals(who)[0][2] == 8 * GB - WRAP  # what the two can tell
    charge_each(world, narrow(who, 600, 4 * GB))  # from before it
    assert world.totals(who) == [(1_200, 0, 8 * GB)]
    charge_each(world, narrow(who, 900, 5 * GB))  # from after it: nothing new
    assert world.totals(who) == [(1_200, 0, 8 * GB)]
    charge_each(world, narrow(who, 1_500, 9 * GB))  # the second wrap, seen as it happens
    assert world.totals(who) == [(1_500, 0, 9 * GB)]
    assert world.anomalies(who) == ["counter-wrapped"] * 2
    balances(world, context, who)


@pytest.mark.rule("U2", "U4")
def test_late_record_below_what_is_known_tells_of_a_wrap(
    world: MeterWorld, context: Context
) -> None:
    """Two reports that seem to rise; the one between them fell."""
    who = world.customer([Pack()])
    charge_each(world, narrow(who, 300, 2 * GB), narrow(who, 900, 3 * GB + WRAP))
    assert world.totals(who)[0][2] == 3 * GB
    charge_each(world, narrow(who, 600, 1 * GB + WRAP))
    assert world.totals(who) == [(900, 0, 3 * GB + WRAP)]
    balances(world, context, who)


@pytest.mark.rule("U2", "U4")
def test_lost_records_count_up_to_4_gib_between_those_that_arrive(world: MeterWorld) -> None:
    for lost in range(1, 5):
        kept = [one for place, one in enumerate(TWO_WRAPS) if place != lost]
        gaps = [later[1] - earlier[1] for earlier, later in pairwise(kept)]
        in_order, reversed_order = world.customer([Pack()]), world.customer([Pack()])
        charge_each(world, *(narrow(in_order, *one) for one in kept))
        charge_each(world, *(narrow(reversed_order, *one) for one in reversed(kept)))
        assert world.totals(in_order) == world.totals(reversed_order)
        missing = WRAP * sum(gap >= WRAP for gap in gaps)
        assert world.totals(in_order) == [(1_800, 7 * GB, 12 * GB - missing)]


@pytest.mark.rule("U2", "U4")
def test_readings_of_one_second_in_both_orders(world: MeterWorld) -> None:
    """Two last reports within a second, just before the counter begins anew."""
    for order in permutations(range(3)):
        who = world.customer([Pack()])
        told = [
            narrow(who, 300, WRAP - 5_000),
            narrow(who, 300, WRAP - 1_000),
            narrow(who, 301, WRAP + 1_000),
        ]
        charge_each(world, *(told[place] for place in (*order, *order)))
        assert world.totals(who) == [(301, 0, WRAP + 1_000)], order


@pytest.mark.rule("U4")
def test_late_counter_that_fell_too_fast_is_no_wrap(world: MeterWorld, context: Context) -> None:
    """More than 1 Gbit/s between its neighbours, though not since the last reading that came."""
    for order in permutations(range(3)):
        who = world.customer([Pack()])
        told = [narrow(who, 600, 2 * GB), narrow(who, 605, 1 * GB), narrow(who, 2_000, 2 * GB + 9)]
        charge_each(world, *(told[place] for place in order))
        assert world.totals(who) == [(2_000, 0, 2 * GB + 9)], order
        assert "counter-wrapped" not in world.anomalies(who)
        balances(world, context, who)


@pytest.mark.rule("U2", "U4")
def test_what_was_charged_stays_when_readings_tell_less(
    world: MeterWorld, context: Context
) -> None:
    """A wrong value that passed for a wrap until a record from just before it came: nothing is
    taken back, nothing is added twice, and it goes on from what the readings tell."""
    who = world.customer([Pack()])
    charge_each(world, narrow(who, 100, 1 * GB), narrow(who, 140, GB // 2))
    assert world.totals(who) == [(140, 0, GB // 2 + WRAP)]
    charge_each(world, narrow(who, 139, 1 * GB + 5))
    assert world.totals(who) == [(140, 0, GB // 2 + WRAP)]
    charge_each(world, narrow(who, 200, 2 * GB), narrow(who, 300, 4 * GB))
    assert world.totals(who) == [(300, 0, GB // 2 + WRAP)]
    charge_each(world, narrow(who, 400, 6 * GB), narrow(who, 350, 5 * GB))
    assert world.totals(who) == [(400, 0, 6 * GB)]
    charge_each(world, narrow(who, 500, 9 * GB))
    assert world.totals(who) == [(500, 0, 9 * GB)]
    assert world.session(who).output_wraps == 2
    balances(world, context, who)


@pytest.mark.rule("U2", "U4", "U6")
def test_records_without_session_time_stand_where_their_events_do(
    world: MeterWorld, context: Context
) -> None:
    told = [(300, 2 * GB), (600, 4 * GB), (900, 7 * GB), (1_200, 9 * GB)]
    for order in permutations(range(4)):
        who = world.customer([Pack()])
        world.charge(start(who, at(0), gigawords=False), now=at(10_000))
        records = [
            interim(who, at(seconds), None, 0, received % WRAP, gigawords=False)
            for seconds, received in told
        ]
        # Some NAS tell it now and then.
        records[1] = interim(who, at(600), 600, 0, 4 * GB, gigawords=False)
        charge_each(world, *(records[place] for place in (*order, *order)))
        assert world.totals(who)[0][2] == 9 * GB, order
        assert world.session(who).output_at_seconds == 1_200
        balances(world, context, who)


@pytest.mark.rule("U2", "U4")
def test_records_that_tell_no_time_at_all_count_no_wrap(world: MeterWorld) -> None:
    """A resend looks younger than it is: it must not pass for a wrap."""
    who = world.customer([Pack()])
    world.charge(start(who, at(0), gigawords=False, precise=False))
    for seconds, received in ((300, 2 * GB), (600, 3 * GB), (700, 2 * GB), (900, 5)):
        world.charge(interim(who, at(seconds), None, 0, received, gigawords=False, precise=False))
    assert world.totals(who) == [(0, 0, 3 * GB)]
    assert world.anomalies(who) == ["counter-fell"] * 2


@pytest.mark.rule("U2", "U4")
def test_late_wrap_within_one_batch_and_beside_other_sessions(world: MeterWorld) -> None:
    """Rounds of one call see each other's readings; other sessions and epochs are not mixed in."""
    who, other = world.customer([Pack()]), world.customer([Pack()])
    elsewhere = [
        interim(who, at(seconds), seconds, 0, received, gigawords=False, nas=OTHER_ROUTER)
        for seconds, received in ((200, 100), (700, 4 * GB), (450, 2 * GB))
    ]
    mixed = [narrow(who, 1_200, 8 * GB), narrow(other, 300, 5), narrow(who, 300, 2 * GB)]
    mixed += [*elsewhere, narrow(who, 600, 4 * GB), narrow(other, 200, 4)]
    world.charge(*mixed, now=at(2_000))
    assert sorted(world.totals(who)) == [(700, 0, 4 * GB), (1_200, 0, 8 * GB)]
    assert world.totals(other) == [(300, 0, 5)]


@pytest.mark.rule("U4", "P3")
def test_gigabytes_of_a_late_wrap_are_paid_once(world: MeterWorld, context: Context) -> None:
    who = world.customer(
        payg=Payg(octet_step=GB, octet_step_micros=10), posted_micros=10_000, packs=[]
    )
    told = [narrow(who, *TWO_WRAPS[place]) for place in (5, 0, 3, 1, 4, 2)]
    charge_each(world, *told, *told)
    assert world.totals(who) == [(1_800, 7 * GB, 12 * GB)]
    assert world.wallet(who).unposted_micros == 190
    balances(world, context, who)


@pytest.mark.rule("U4", "U11")
def test_journal_that_lacks_a_part_of_the_session_is_not_derived_from(
    world: MeterWorld, settings: Settings
) -> None:
    """Days are dropped after their retention: a late record then counts as far as it surely may."""
    who = world.customer([Pack()])
    charge_each(world, narrow(who, 300, 2 * GB), narrow(who, 600, 4 * GB), narrow(who, 900, 7 * GB))
    with psycopg.connect(settings.admin_dsn(settings.database_name), autocommit=True) as admin:
        admin.execute(
            "DELETE FROM acct_journal WHERE customer_id = %s AND session_seconds = 300",
            (who.customer_id,),
        )
    charge_each(world, narrow(who, 700, 5 * GB), narrow(who, 650, 4 * GB + 5))
    assert world.totals(who) == [(900, 0, 7 * GB)]
    charge_each(world, narrow(who, 1_200, 9 * GB))
    assert world.totals(who) == [(1_200, 0, 9 * GB)]


@pytest.mark.rule("U4")
def test_ordinary_records_do_not_read_the_journal(world: MeterWorld, settings: Settings) -> None:
    """Records in their order, copies of the newest, and counters of 64 bits: the journal is not
    even readable here. A late one of 32 bits shows that it would be noticed."""
    who, late = world.customer([Pack()]), world.customer([Pack()])
    with psycopg.connect(settings.dsn("owner"), autocommit=True) as owner:
        owner.execute(_columns("REVOKE SELECT ({}) ON acct_journal FROM tollway_radius"))
        try:
            world.charge(start(who, at(0), gigawords=False))
            for one in TWO_WRAPS:
                world.charge(narrow(who, *one), narrow(who, *one))
            assert world.totals(who) == [(1_800, 7 * GB, 12 * GB)]
            wide = interim(who, at(1_700), 1_700, 6 * GB, 11 * GB, gigawords=True)
            world.charge(wide, now=at(1_800))
            world.charge(narrow(late, 600, 9))
            with pytest.raises((psycopg.errors.InsufficientPrivilege, Unavailable)):
                world.charge(narrow(late, 300, 5), now=at(600))
        finally:
            owner.execute(_columns("GRANT SELECT ({}) ON acct_journal TO tollway_radius"))
