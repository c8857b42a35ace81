"""The meter: pay-as-you-go prices and wallets that run dry (rules P2, P3, P8, M6, C1)."""

from __future__ import annotations

import psycopg
import pytest

from billing.store import hotpath
from tests.integration.meter_world import (
    MIB,
    Metered,
    MeterWorld,
    Pack,
    Payg,
    at,
    interim,
    start,
    stop,
)

BY_THE_MIB = Payg(octet_step=MIB, octet_step_micros=1_000)
BY_THE_MINUTE = Payg(second_step=60, second_step_micros=500)
RICH = 10**12


def _online(world: MeterWorld, who: Metered, *sids: str) -> None:
    world.charge(*(start(who, at(0), sid=sid) for sid in sids), now=at(0))


@pytest.mark.rule("P3")
def test_steps_apply_to_the_cumulative_usage_of_a_session(world: MeterWorld) -> None:
    who = world.customer(payg=BY_THE_MIB, posted_micros=RICH)
    _online(world, who, "s1")
    for number in range(1, 11):  # ten records of a tenth of a MiB are one step
        world.charge(interim(who, at(number * 60), number * 60, 0, number * MIB // 10))
        assert world.wallet(who).unposted_micros == 1_000
    world.charge(stop(who, at(700), 700, 1, MIB))
    assert world.wallet(who).unposted_micros == 2_000
    session = world.session(who)
    assert (session.charged_micros, session.payg_octets) == (2_000, MIB + 1)
    assert [row.charged_micros for row in world.slices(who)] == [2_000]
    assert sum(row.charged_micros for row in world.journal(who)) == 2_000


@pytest.mark.rule("P3")
def test_started_minutes_are_counted_for_each_session(world: MeterWorld) -> None:
    who = world.customer(payg=BY_THE_MINUTE, posted_micros=RICH)
    _online(world, who, "s1", "s2")
    world.charge(interim(who, at(61), 61), interim(who, at(10), 10, sid="s2"), now=at(61))
    assert world.wallet(who).unposted_micros == 3 * 500


@pytest.mark.rule("P3")
def test_time_and_octets_are_both_priced(world: MeterWorld) -> None:
    both = Payg(octet_step=MIB, octet_step_micros=1_000, second_step=60, second_step_micros=500)
    who = world.customer(payg=both, posted_micros=RICH)
    _online(world, who, "s1")
    world.charge(interim(who, at(120), 120, MIB, MIB))
    assert world.wallet(who).unposted_micros == 2 * 500 + 2 * 1_000


@pytest.mark.rule("P3", "M6")
def test_new_price_begins_a_segment_of_its_own(world: MeterWorld) -> None:
    who = world.customer(payg=BY_THE_MIB, posted_micros=RICH)
    _online(world, who, "s1")
    world.charge(interim(who, at(300), 300, 0, MIB // 2))
    version_id = world.new_version(Payg(octet_step=MIB, octet_step_micros=7_000))
    world.db.execute(
        "UPDATE subscription SET plan_version_id = %s WHERE subscription_id = %s",
        (version_id, who.subscription_id),
    )
    world.charge(interim(who, at(600), 600, 0, MIB))
    assert world.wallet(who).unposted_micros == 1_000 + 7_000
    world.charge(interim(who, at(900), 900, 0, MIB + MIB // 2))
    assert world.wallet(who).unposted_micros == 1_000 + 7_000
    assert {row.plan_version_id: row.charged_micros for row in world.slices(who)} == {
        world.plan_version(BY_THE_MIB): 1_000,
        version_id: 7_000,
    }


@pytest.mark.rule("P3", "Q1")
def test_only_what_packages_leave_is_priced(world: MeterWorld) -> None:
    who = world.customer([Pack(octets=MIB)], payg=BY_THE_MIB, posted_micros=RICH)
    _online(world, who, "s1")
    world.charge(interim(who, at(300), 300, 0, MIB))
    assert world.wallet(who).unposted_micros == 0
    world.charge(interim(who, at(600), 600, 0, 2 * MIB))
    assert world.wallet(who).unposted_micros == 1_000
    assert world.by_kind(who)["payg", 0] == (300, MIB)
    assert world.orders(who) == []


@pytest.mark.rule("P2", "U2")
def test_repeated_records_accrue_nothing(world: MeterWorld) -> None:
    who = world.customer(payg=BY_THE_MIB, posted_micros=RICH)
    packets = [start(who, at(0)), interim(who, at(300), 300, 0, 3 * MIB)]
    packets.append(stop(who, at(600), 600, 0, 5 * MIB))
    world.charge(*packets, *packets, now=at(600))
    world.charge(*reversed(packets), now=at(700))
    wallet = world.wallet(who)
    assert (wallet.posted_micros, wallet.unposted_micros) == (RICH, 5_000)


@pytest.mark.rule("P8", "C1")
def test_exhausted_wallet_cuts_every_subscription_on_it(world: MeterWorld) -> None:
    who = world.customer(payg=BY_THE_MIB, posted_micros=5_000, credit_limit_micros=1_000)
    second = world.subscription(who.customer_id, who.wallet_id, payg=BY_THE_MINUTE)
    supplied = world.subscription(
        who.customer_id, who.wallet_id, [Pack(octets=10**12)], payg=BY_THE_MIB
    )
    world.charge(*(start(one, at(0)) for one in (who, second, supplied)), now=at(0))
    world.charge(interim(who, at(300), 300, 0, 5 * MIB))
    assert world.orders(who) == []  # 1,000 micros of credit are left
    world.charge(interim(who, at(600), 600, 0, 6 * MIB))
    orders = world.orders(who)
    assert {order.subscription_id for order in orders} == {
        who.subscription_id,
        second.subscription_id,
    }
    assert {(order.goal, order.reason) for order in orders} == {("disconnect", "wallet-exhausted")}
    world.charge(interim(who, at(700), 700, 0, 9 * MIB), interim(second, at(700), 700))
    assert len(world.orders(who)) == 2


@pytest.mark.rule("P8")
def test_another_wallet_of_the_customer_is_not_touched(world: MeterWorld) -> None:
    who = world.customer(payg=BY_THE_MIB, posted_micros=1_000)
    (row,) = world.db.execute(
        "INSERT INTO wallet (customer_id, org_id, currency, posted_micros, created_at)"
        " VALUES (%s, 1, 'USD', %s, %s) RETURNING wallet_id",
        (who.customer_id, RICH, at(0)),
    ).fetchall()
    other = world.subscription(who.customer_id, row.wallet_id, payg=BY_THE_MIB)
    world.charge(start(who, at(0)), start(other, at(0)), now=at(0))
    world.charge(interim(who, at(300), 300, 0, MIB))
    assert [order.subscription_id for order in world.orders(who)] == [who.subscription_id]
    assert world.wallet(other).unposted_micros == 0


@pytest.mark.rule("P8", "B10")
def test_who_may_connect_suspended_is_moved_once_and_then_left_alone(world: MeterWorld) -> None:
    who = world.customer(payg=BY_THE_MIB, posted_micros=1_000, requires_entitlement=False)
    normal, pooled = (f"tw1:{who.subscription_id}:{letter}" for letter in "ns")
    world.charge(start(who, at(0), session_class=normal), now=at(0))
    world.charge(interim(who, at(300), 300, 0, MIB, session_class=normal))
    assert [(order.goal, order.reason) for order in world.orders(who)] == [
        ("suspend", "wallet-exhausted")
    ]
    # Connects again: into the suspended pool, with or without an echo of Class.
    world.charge(start(who, at(400), sid="s2", session_class=pooled))
    world.charge(start(who, at(500), sid="s3"))
    world.charge(interim(who, at(700), 200, 10, 10, sid="s3"))
    assert len(world.orders(who)) == 1
    # A session that got the normal pool all the same does not stay there.
    world.charge(start(who, at(800), sid="s4", session_class=normal))
    assert len(world.orders(who)) == 2


@pytest.mark.rule("P3", "F5")
def test_price_beyond_every_bound_stops_its_own_batch_only(world: MeterWorld) -> None:
    """The hook takes such a batch apart (radius.md F15): nothing of it is stored half."""
    absurd = Payg(octet_step=1, octet_step_micros=10**12)
    who = world.customer(payg=absurd, posted_micros=RICH)
    fine = world.customer([Pack()])
    batch = [
        hotpath.usage_row(stop(who, at(300), 300, 2**60, 2**60)),
        hotpath.usage_row(stop(fine, at(300), 300, 1, 1)),
    ]
    with pytest.raises(psycopg.DataError):
        hotpath.charge_usage(world.lane, batch, at(300))
    assert world.sessions(fine) == []
    hotpath.charge_usage(world.lane, batch[1:], at(300))
    assert world.totals(fine) == [(300, 1, 1)]
