"""The meter: batches, records that belong to nobody, many connections at once (U1, U2, F5, F15)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from billing.model.events import AccountingRecord, Status
from billing.store import hotpath
from tests.integration.meter_world import (
    MIB,
    Metered,
    MeterWorld,
    Pack,
    Payg,
    at,
    interim,
    record,
    start,
    stop,
)

STRANGE_NAS = "10.99.0.1"


def _letters(world: MeterWorld, text: str) -> list[Any]:
    return world.rows(
        "SELECT * FROM acct_dead_letter WHERE raw LIKE %s ORDER BY letter_id", f"%{text}%"
    )


@pytest.mark.rule("U2")
def test_records_of_one_customer_in_a_batch_are_taken_in_order(world: MeterWorld) -> None:
    first = world.customer([Pack(octets=250)])
    second = world.subscription(first.customer_id, first.wallet_id, [Pack(octets=1_000)])
    other = world.customer([Pack(octets=1_000)])
    world.charge(
        start(first, at(0)),
        start(other, at(0)),
        interim(first, at(100), 100, 0, 100),
        interim(second, at(100), 100, 0, 40),
        interim(first, at(200), 200, 0, 200),
        stop(other, at(200), 200, 0, 10),
        interim(first, at(300), 300, 0, 300),
        stop(second, at(300), 300, 0, 50),
        now=at(300),
    )
    assert world.totals(first) == [(300, 0, 300)]
    assert world.totals(second) == [(300, 0, 50)]
    assert world.totals(other) == [(200, 0, 10)]
    assert [row.added_output_octets for row in world.journal(first)] == [0, 100, 100, 100]
    assert world.entitlements(first)[0].octets_left == 0
    assert world.by_kind(first)["overspend", 0] == (0, 50)
    assert [order.subscription_id for order in world.orders(first)] == [first.subscription_id]


@pytest.mark.rule("F5")
def test_unknown_user_and_unknown_nas_are_kept_and_stop_nobody(world: MeterWorld) -> None:
    who = world.customer([Pack()])
    world.charge(
        interim("nobody-here", at(300), 300, 11, 12, sid="ghost"),
        interim(who, at(300), 300, 1, 2),
        interim(who, at(300), 300, 1, 2, nas=STRANGE_NAS, sid="stray"),
        interim("nobody-there", at(300), 300, 1, 2, nas=STRANGE_NAS, sid="both", raw="X=1"),
        now=at(300),
    )
    assert world.totals(who) == [(300, 1, 2)]
    (ghost,) = _letters(world, "session ghost")
    assert (ghost.reason, str(ghost.nas_address), ghost.arrived_at) == (
        "unknown-user",
        "10.1.0.1",
        at(300),
    )
    assert "user nobody-here" in ghost.raw
    assert "seconds 300 input 11 output 12" in ghost.raw
    assert _letters(world, "session stray")[0].reason == "unknown-nas"
    assert _letters(world, "session both")[0].raw.endswith("X=1")


@pytest.mark.rule("F5", "U7")
def test_restart_of_an_unknown_nas_is_kept(world: MeterWorld) -> None:
    before = len(_letters(world, "status 7"))
    world.charge(record("", Status.ON, at(0), sid="", nas=STRANGE_NAS))
    letters = _letters(world, "status 7")
    assert len(letters) == before + 1
    assert letters[-1].reason == "unknown-nas"


def test_empty_batch_does_nothing(world: MeterWorld) -> None:
    nothing = ["{}"] * len(hotpath.usage_row(start("nobody", at(0))))
    (row,) = world.lane.fetch(hotpath.named_query("charge_usage"), (at(0), *nothing))
    assert row.charge_usage_v1 == 0


@pytest.mark.rule("C3", "U12")
def test_addresses_and_names_are_kept_as_sent(world: MeterWorld) -> None:
    who = world.customer([Pack()])
    odd = 'quo"te\\back, {brace} NULL é'
    world.charge(
        start(
            who,
            at(0),
            sid=odd,
            framed_ip="10.20.0.9",
            framed_ipv6_prefix="2001:db8:1::/64",
            framed_ipv6_address="2001:db8::9",
            delegated_ipv6_prefix="2001:db8:2::/56",
            framed_interface_id="0:0:0:1",
            calling_station="aabbccddeeff",
            called_station="hotspot:lobby",
            nas_port_id=odd,
            session_class=f"tw1:{who.subscription_id}:n",
        )
    )
    world.charge(interim(who, at(300), 300, 1, 1, sid=odd))  # tells none of it again
    session = world.session(who)
    assert session.acct_session_id == session.nas_port_id == odd
    assert session.username == who.username.upper()
    assert (str(session.framed_ip), session.framed_ipv6_prefix) == ("10.20.0.9", "2001:db8:1::/64")
    assert session.framed_ipv6_address == "2001:db8::9"
    assert session.delegated_ipv6_prefix == "2001:db8:2::/56"
    assert session.framed_interface_id == "0:0:0:1"
    assert (session.calling_station, session.called_station) == ("aabbccddeeff", "hotspot:lobby")


@pytest.mark.rule("U11")
def test_journal_keeps_what_came_and_what_it_changed(world: MeterWorld) -> None:
    who = world.customer([Pack()], payg=Payg(octet_step=MIB, octet_step_micros=5))
    world.charge(interim(who, at(300), 300, None, 7, raw="Acct-Input-Octets=0xff"), now=at(301))
    (row,) = world.journal(who)
    assert (row.status, row.event_at, row.session_seconds) == (3, at(300), 300)
    assert (row.input_octets, row.output_octets) == (None, 7)
    assert (row.added_seconds, row.added_input_octets, row.added_output_octets) == (300, 0, 7)
    assert (row.outcome, row.raw) == ("counted", "Acct-Input-Octets=0xff")
    assert row.plan_version_id == world.plan_version(Payg(octet_step=MIB, octet_step_micros=5))


def _packets(who: Metered, sid: str) -> list[AccountingRecord]:
    """A session of twenty records: one MiB and one second each."""
    found = [start(who, at(0), sid=sid)]
    found += [interim(who, at(n), n, 0, n * MIB, sid=sid) for n in range(1, 19)]
    return [*found, stop(who, at(19), 19, 0, 19 * MIB, sid=sid)]


@pytest.mark.rule("U2", "P2", "F15")
def test_connections_that_charge_the_same_customers_at_once(world: MeterWorld) -> None:
    """Two customers with two sessions each, every record sent twice over four connections, in
    batches that name the customers in opposite orders."""
    per_mib = Payg(octet_step=MIB, octet_step_micros=10)
    who = [world.customer([Pack(octets=10 * MIB)], payg=per_mib, posted_micros=10**9)]
    who.append(world.customer([Pack(octets=10 * MIB)], payg=per_mib, posted_micros=10**9))

    def send(lane_number: int) -> None:
        lane = world.open_lane()
        order = who if lane_number % 2 else who[::-1]
        sid = f"s{lane_number // 2}"
        for batch in zip(*(_packets(one, sid) for one in order), strict=True):
            hotpath.charge_usage(lane, [hotpath.usage_row(one) for one in batch], at(20))
        lane.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(4)))
    for one in who:
        assert sorted(world.totals(one)) == [(19, 0, 19 * MIB)] * 2
        assert world.entitlements(one)[0].octets_left == 0
        assert world.by_kind(one)["payg", 0][1] == 28 * MIB
        assert world.wallet(one).unposted_micros == 280
        assert sum(row.charged_micros for row in world.slices(one)) == 280


@pytest.mark.rule("U11")
def test_arrivals_far_from_every_partition_are_stored(world: MeterWorld) -> None:
    who = world.customer([Pack()])
    long_ago = datetime(2001, 1, 1, tzinfo=UTC)
    world.charge(stop(who, at(300), 300, 1, 1, arrived_at=long_ago), now=at(300))
    assert [row.arrived_at for row in world.journal(who)] == [long_ago]
