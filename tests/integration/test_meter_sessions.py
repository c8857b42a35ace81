"""The meter: one record once, whatever the network does (rules U1, U2, U3, U5, U7)."""

from __future__ import annotations

from itertools import permutations

import psycopg
import pytest

from billing.errors import Unavailable
from billing.model.events import Status
from billing.settings import Settings
from billing.store import hotpath
from tests.integration.meter_world import (
    OTHER_ROUTER,
    ROUTER,
    MeterWorld,
    Pack,
    at,
    interim,
    new_id,
    record,
    resent,
    start,
    stop,
)


@pytest.mark.rule("U1")
def test_what_was_acknowledged_is_committed(world: MeterWorld) -> None:
    who = world.customer([Pack()])
    world.charge(start(who, at(0)), interim(who, at(300), 300, 5, 7))
    assert world.totals(who) == [(300, 5, 7)]  # seen by another connection
    (setting,) = world.lane.fetch("SELECT current_setting('synchronous_commit') AS value", ())
    assert setting.value == "on"


@pytest.mark.rule("U1", "U2")
def test_failure_leaves_nothing_and_the_resent_record_counts_once(
    world: MeterWorld, settings: Settings
) -> None:
    who = world.customer([Pack(octets=100)])
    impatient = hotpath.HotConnection(
        settings.dsn("radius"), statement_timeout_ms=5_000, lock_timeout_ms=50
    )
    rows = [hotpath.usage_row(interim(who, at(300), 300, 5, 7))]
    with psycopg.connect(settings.dsn("worker")) as other:
        lock = "SELECT FROM customer WHERE customer_id = %s FOR UPDATE"
        other.execute(lock, (who.customer_id,))
        with pytest.raises(Unavailable):
            hotpath.charge_usage(impatient, rows, at(300))
        assert world.sessions(who) == []
    for _ in range(3):
        hotpath.charge_usage(impatient, rows, at(300))
    impatient.close()
    assert world.totals(who) == [(300, 5, 7)]
    assert world.entitlements(who)[0].octets_left == 88
    assert [row.outcome for row in world.journal(who)] == ["counted", "repeated", "repeated"]


@pytest.mark.rule("U2", "U5")
def test_every_order_of_arrival_gives_the_same_totals(world: MeterWorld) -> None:
    for order in permutations(range(4)):
        who = world.customer([Pack(octets=10_000, seconds=10_000)])
        packets = [
            start(who, at(0)),
            interim(who, at(300), 300, 100, 1_000),
            interim(who, at(600), 600, 150, 3_000),
            stop(who, at(700), 700, 160, 3_500),
        ]
        for place in order:
            world.charge(packets[place], now=at(800))
        session = world.session(who)
        assert (session.started_at, session.last_event_at, session.closed_at) == (
            at(0),
            at(700),
            at(700),
        )
        assert world.totals(who) == [(700, 160, 3_500)]
        package = world.entitlements(who)[0]
        assert (package.seconds_left, package.octets_left) == (9_300, 6_340)
        assert world.by_kind(who) == {("entitlement", package.entitlement_id): (700, 3_660)}


@pytest.mark.rule("U2")
def test_duplicates_in_one_batch_and_in_later_ones_add_nothing(world: MeterWorld) -> None:
    who = world.customer([Pack(octets=10_000)])
    packets = [start(who, at(0)), interim(who, at(300), 300, 100, 1_000)]
    packets.append(stop(who, at(700), 700, 160, 3_500))
    again = [resent(packet, after_seconds=30) for packet in packets]
    world.charge(*packets, *packets, now=at(800))
    world.charge(*again, now=at(830))
    world.charge(*reversed(again), now=at(860))
    assert world.totals(who) == [(700, 160, 3_500)]
    assert world.entitlements(who)[0].octets_left == 10_000 - 3_660
    assert sum(row.added_output_octets for row in world.journal(who)) == 3_500
    assert len(world.journal(who)) == 12  # every record that came is kept


@pytest.mark.rule("U5")
@pytest.mark.parametrize("status", [Status.INTERIM, Status.STOP])
def test_missing_start_is_made_up_from_the_session_time(world: MeterWorld, status: Status) -> None:
    who = world.customer([Pack()])
    world.charge(record(who, status, at(600), seconds=600, sent=1, received=2))
    session = world.session(who)
    assert session.started_at == at(0)
    assert session.closed_at == (at(600) if status is Status.STOP else None)
    assert world.totals(who) == [(600, 1, 2)]


@pytest.mark.rule("U5")
def test_late_interim_raises_a_closed_session_and_leaves_it_closed(world: MeterWorld) -> None:
    who = world.customer([Pack(octets=1_000)])
    world.charge(start(who, at(0)), stop(who, at(700), 700, 100, 200), now=at(700))
    world.charge(interim(who, at(650), 650, 90, 300, arrived_at=at(720)))
    session = world.session(who)
    assert session.closed_at == at(700)
    assert world.totals(who) == [(700, 100, 300)]
    assert world.entitlements(who)[0].octets_left == 600
    assert world.journal(who)[-1].outcome == "late"


@pytest.mark.rule("U5")
def test_second_stop_changes_nothing(world: MeterWorld) -> None:
    who = world.customer([Pack()])
    world.charge(stop(who, at(700), 700, 100, 200, terminate_cause="User-Request"))
    before = world.session(who)
    world.charge(stop(who, at(700), 700, 100, 200, terminate_cause="Lost-Carrier"))
    assert world.session(who) == before


@pytest.mark.rule("U3")
def test_id_used_again_after_a_reboot_is_a_new_epoch(world: MeterWorld) -> None:
    who = world.customer([Pack(octets=100_000)])
    world.charge(start(who, at(0)), interim(who, at(900), 900, 1_000, 2_000), now=at(900))
    # Power cut: no Stop. The counters begin again under the same id.
    world.charge(interim(who, at(1_300), 300, 10, 20))
    assert world.totals(who) == [(900, 1_000, 2_000), (300, 10, 20)]
    assert [row.epoch for row in world.sessions(who)] == [1, 2]
    assert world.entitlements(who)[0].octets_left == 100_000 - 3_030


@pytest.mark.rule("U3", "U2")
def test_epochs_are_told_apart_in_any_order(world: MeterWorld) -> None:
    for order in permutations(range(4)):
        who = world.customer([Pack(octets=100_000)])
        packets = [
            start(who, at(0)),
            stop(who, at(900), 900, 1_000, 2_000),
            start(who, at(1_000)),
            stop(who, at(1_500), 500, 30, 40),
        ]
        for place in order:
            world.charge(packets[place], now=at(2_000))
        assert world.totals(who) == [(900, 1_000, 2_000), (500, 30, 40)]
        assert [row.closed_at for row in world.sessions(who)] == [at(900), at(1_500)]


@pytest.mark.rule("U3", "U4")
def test_record_without_session_time_belongs_to_the_last_epoch_before_it(
    world: MeterWorld,
) -> None:
    who = world.customer([Pack(octets=100_000)])
    world.charge(stop(who, at(900), 900, 1_000, 2_000))
    world.charge(start(who, at(1_000)))
    world.charge(interim(who, at(800), None, 1_100, 2_000))  # late, of the first
    world.charge(interim(who, at(1_300), None, 30, 40))
    assert world.totals(who) == [(900, 1_100, 2_000), (0, 30, 40)]
    assert world.entitlements(who)[0].octets_left == 100_000 - 3_170


@pytest.mark.rule("U3")
def test_lower_session_time_alone_is_a_late_record(world: MeterWorld) -> None:
    who = world.customer([Pack()])
    world.charge(start(who, at(0)), interim(who, at(900), 900, 90, 90), now=at(900))
    world.charge(interim(who, at(300), 300, 30, 30, arrived_at=at(910)))
    assert world.totals(who) == [(900, 90, 90)]
    assert world.anomalies(who) == []


@pytest.mark.rule("U3")
def test_undecidable_record_is_flagged_and_charged_only_above_what_is_known(
    world: MeterWorld,
) -> None:
    who = world.customer([Pack(octets=1_000)])
    world.charge(start(who, at(0)), interim(who, at(900), 900, 90, 90), now=at(900))
    # Began one second after the last event: another session, or an inexact clock.
    world.charge(interim(who, at(941), 40, 5, 5))
    assert world.totals(who) == [(900, 90, 90)]
    assert world.anomalies(who) == ["undecided-epoch"]
    assert world.entitlements(who)[0].octets_left == 820


@pytest.mark.rule("U3", "U6")
def test_resent_start_of_an_inexact_nas_does_not_begin_a_session(world: MeterWorld) -> None:
    who = world.customer([Pack()])
    world.charge(start(who, at(0), precise=False))
    world.charge(start(who, at(45), precise=False))  # the resend carries no Acct-Delay-Time
    world.charge(start(who, at(140), precise=False))
    assert len(world.sessions(who)) == 1
    world.charge(interim(who, at(300), 300, 5, 5, precise=False))
    assert world.totals(who) == [(300, 5, 5)]


@pytest.mark.rule("U3")
def test_nas_that_begins_to_count_after_its_start(world: MeterWorld) -> None:
    who = world.customer([Pack(octets=100)])
    world.charge(start(who, at(0)))
    world.charge(interim(who, at(300), 280, 5, 5))
    world.charge(interim(who, at(600), 580, 9, 9))
    assert world.totals(who) == [(580, 9, 9)]
    assert world.session(who).started_at == at(0)
    assert world.entitlements(who)[0].octets_left == 82


@pytest.mark.rule("U3")
def test_inexact_nas_reuses_an_id_after_a_stop(world: MeterWorld) -> None:
    who = world.customer([Pack()])
    world.charge(stop(who, at(600), 600, 5, 5, precise=False))
    world.charge(start(who, at(700), precise=False))
    world.charge(interim(who, at(1_000), 300, 2, 2, precise=False))
    assert world.totals(who) == [(600, 5, 5), (300, 2, 2)]


@pytest.mark.rule("U3")
def test_nas_and_user_are_part_of_the_identity(world: MeterWorld) -> None:
    first, second = world.customer([Pack()]), world.customer([Pack()])
    sid = new_id()
    world.charge(
        interim(first, at(300), 300, 1, 1, sid=sid),
        interim(first, at(300), 300, 2, 2, sid=sid, nas=OTHER_ROUTER),
        interim(second, at(300), 300, 3, 3, sid=sid),
    )
    assert sorted(world.totals(first)) == [(300, 1, 1), (300, 2, 2)]
    assert world.totals(second) == [(300, 3, 3)]


@pytest.mark.rule("U7")
@pytest.mark.parametrize("status", [Status.ON, Status.OFF])
def test_accounting_on_closes_older_sessions_of_that_nas_only(
    world: MeterWorld, status: Status
) -> None:
    old, elsewhere, young = (world.customer([Pack()]) for _ in range(3))
    world.charge(
        interim(old, at(300), 300, 1, 1),
        interim(elsewhere, at(300), 300, 1, 1, nas=OTHER_ROUTER),
        start(young, at(500)),
        now=at(500),
    )
    world.charge(record("", status, at(400), sid="", arrived_at=at(510)))
    closed = world.session(old)
    assert (closed.closed_at, closed.terminate_cause) == (at(300), "NAS-Reboot")
    assert world.session(elsewhere).closed_at is None
    assert world.session(young).closed_at is None
    assert world.totals(old) == [(300, 1, 1)]
    (kept,) = world.rows(
        "SELECT * FROM acct_journal WHERE customer_id = 0 AND status = %s", int(status)
    )
    assert (kept.nas_id, kept.event_at, kept.arrived_at) == (
        world.nas_ids[ROUTER],
        at(400),
        at(510),
    )


@pytest.mark.rule("U7", "U3")
def test_accounting_on_and_what_follows_it_in_one_batch(world: MeterWorld) -> None:
    who = world.customer([Pack()])
    world.charge(interim(who, at(300), 300, 1, 1))
    restart = record("", Status.ON, at(400), sid="")
    world.charge(restart, start(who, at(420)), interim(who, at(720), 300, 7, 7), now=at(720))
    assert world.totals(who) == [(300, 1, 1), (300, 7, 7)]
    assert [row.closed_at for row in world.sessions(who)] == [at(300), None]


@pytest.mark.rule("U7", "U5")
def test_session_that_outlived_an_accounting_on_is_open_again(world: MeterWorld) -> None:
    who = world.customer([Pack()])
    world.charge(interim(who, at(300), 300, 1, 1))
    world.charge(record("", Status.ON, at(400), sid=""))
    world.charge(interim(who, at(600), 600, 4, 4))
    session = world.session(who)
    assert (session.closed_at, session.terminate_cause) == (None, None)
    world.charge(stop(who, at(700), 700, 5, 5, terminate_cause="User-Request"))
    session = world.session(who)
    assert (session.closed_at, session.terminate_cause) == (at(700), "User-Request")
    assert world.totals(who) == [(700, 5, 5)]


@pytest.mark.rule("U5", "U7")
def test_late_record_of_a_session_that_its_nas_ended_leaves_it_closed(world: MeterWorld) -> None:
    """A NAS that stops its sessions before it restarts, and tells no instants of events: what was
    on its way comes after the Stop and looks younger."""
    who = world.customer([Pack()])
    world.charge(start(who, at(0), precise=False))
    world.charge(stop(who, at(900), 900, 9, 9, precise=False, terminate_cause="NAS-Reboot"))
    world.charge(interim(who, at(930), 600, 6, 6, precise=False))
    world.charge(start(who, at(940), precise=False))
    session = world.session(who)
    assert (session.closed_at, session.terminate_cause) == (at(900), "NAS-Reboot")
    assert world.totals(who) == [(900, 9, 9)]
