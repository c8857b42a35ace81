"""The meter: which package pays, and what begins when one is used up (rules Q1, B2, B4, C1)."""

from __future__ import annotations

import pytest

from tests.integration.meter_world import MeterWorld, Pack, at, interim, start, stop


@pytest.mark.rule("Q1")
def test_earliest_expiry_pays_first_across_several_in_one_record(world: MeterWorld) -> None:
    who = world.customer(
        [
            Pack(octets=1_000, minutes=9_000),
            Pack(octets=300, minutes=3_000),
            Pack(octets=200, minutes=2_000),
        ]
    )
    long, middle, short = who.entitlement_ids
    world.charge(start(who, at(0)), interim(who, at(300), 300, 100, 150), now=at(300))
    assert world.by_kind(who) == {
        ("entitlement", short): (300, 200),
        ("entitlement", middle): (0, 50),
    }
    world.charge(stop(who, at(600), 600, 300, 350))
    assert world.by_kind(who) == {
        ("entitlement", short): (300, 200),
        ("entitlement", middle): (300, 300),
        ("entitlement", long): (0, 150),
    }
    rows = {row.entitlement_id: row for row in world.entitlements(who)}
    assert [rows[one].octets_left for one in (short, middle, long)] == [0, 0, 850]
    assert [rows[one].ended_at for one in (short, middle, long)] == [at(300), at(600), None]
    assert world.orders(who) == []


@pytest.mark.rule("Q1")
def test_order_of_use_comes_before_the_earliest_expiry(world: MeterWorld) -> None:
    who = world.customer(
        [
            Pack(octets=1_000, minutes=2_000),
            Pack(octets=300, minutes=9_000, use_order=10),
            Pack(octets=200, minutes=3_000, use_order=90),
        ]
    )
    soonest, first, last = who.entitlement_ids
    world.charge(start(who, at(0)), interim(who, at(300), 300, 200, 300), now=at(300))
    assert world.by_kind(who) == {
        ("entitlement", first): (300, 300),
        ("entitlement", soonest): (0, 200),
    }
    world.charge(stop(who, at(600), 600, 500, 900))
    rows = {row.entitlement_id: row for row in world.entitlements(who)}
    assert [rows[one].octets_left for one in (first, soonest, last)] == [0, 0, 100]


@pytest.mark.rule("Q1")
def test_what_no_package_covers_is_overspend(world: MeterWorld) -> None:
    who = world.customer([Pack(octets=1_000)])
    world.charge(start(who, at(0)), interim(who, at(300), 300, 700, 700), now=at(300))
    (entitlement_id,) = who.entitlement_ids
    assert world.by_kind(who) == {
        ("entitlement", entitlement_id): (300, 1_000),
        ("overspend", 0): (0, 400),
    }


@pytest.mark.rule("Q1")
def test_flat_service_needs_no_package(world: MeterWorld) -> None:
    who = world.customer(requires_entitlement=False)
    world.charge(start(who, at(0)), interim(who, at(300), 300, 700, 700), now=at(300))
    assert world.by_kind(who) == {("flat", 0): (300, 1_400)}
    assert world.orders(who) == []


@pytest.mark.rule("Q1")
def test_time_package_lasts_to_the_second(world: MeterWorld) -> None:
    who = world.customer([Pack(seconds=600)])
    world.charge(start(who, at(0)), interim(who, at(599), 599, 1, 1), now=at(599))
    assert world.orders(who) == []
    world.charge(interim(who, at(600), 600, 2, 2))
    (order,) = world.orders(who)
    assert (order.goal, order.reason) == ("disconnect", "time-used-up")
    assert world.entitlements(who)[0].ended_at == at(600)


@pytest.mark.rule("B4")
def test_follower_is_pulled_forward_when_the_one_before_is_used_up(world: MeterWorld) -> None:
    who = world.customer(
        [
            Pack(octets=1_000, since_minutes=-60, minutes=600),
            Pack(octets=500, since_minutes=540, minutes=600, follows=True),
            Pack(octets=500, since_minutes=1_140, minutes=600, follows=True),
        ]
    )
    world.charge(start(who, at(0)), interim(who, at(300), 300, 600, 600), now=at(300))
    used_up, running, planned = world.entitlements(who)
    assert (used_up.octets_left, used_up.ended_at) == (0, at(300))
    assert (running.octets_left, running.valid_from) == (300, at(300))
    assert running.valid_until == at(300, minutes=600)
    assert (planned.valid_from, planned.valid_until) == (
        at(300, minutes=600),
        at(300, minutes=1_200),
    )
    assert world.orders(who) == []


@pytest.mark.rule("B4")
def test_follower_begins_when_nothing_is_left_over_for_it_yet(world: MeterWorld) -> None:
    who = world.customer(
        [
            Pack(octets=1_000, since_minutes=-60, minutes=600),
            Pack(octets=500, since_minutes=540, minutes=600, follows=True),
        ]
    )
    world.charge(start(who, at(0)), interim(who, at(300), 300, 500, 500), now=at(302))
    follower = world.entitlements(who)[1]
    assert (follower.valid_from, follower.octets_left) == (at(300), 500)
    assert world.orders(who) == []


@pytest.mark.rule("B4")
def test_two_followers_in_one_record(world: MeterWorld) -> None:
    follower = Pack(octets=100, since_minutes=540, minutes=600, follows=True)
    who = world.customer([Pack(octets=100, minutes=2_000), follower, follower])
    world.charge(start(who, at(0)), interim(who, at(300), 300, 0, 250), now=at(300))
    assert [row.octets_left for row in world.entitlements(who)] == [0, 0, 50]
    assert world.entitlements(who)[2].valid_from == at(300)


@pytest.mark.rule("B4")
def test_late_record_does_not_move_a_package_that_has_begun(world: MeterWorld) -> None:
    who = world.customer(
        [
            Pack(octets=100, minutes=2_000),
            Pack(octets=500, since_minutes=560, minutes=600, follows=True),
        ]
    )
    world.charge(start(who, at(0)), interim(who, at(3_600), 3_600, 0, 100), now=at(3_600))
    begun = world.entitlements(who)[1]
    assert begun.valid_from == at(3_600)
    # An hour late, from another session of the same subscriber.
    world.charge(stop(who, at(600), 600, 0, 50, sid="other"), now=at(4_000))
    after = world.entitlements(who)[1]
    assert (after.valid_from, after.valid_until) == (begun.valid_from, begun.valid_until)
    assert after.octets_left == 450


@pytest.mark.rule("B4", "U6")
def test_follower_begins_now_when_the_nas_clock_is_ahead(world: MeterWorld) -> None:
    who = world.customer(
        [
            Pack(octets=100, minutes=2_000),
            Pack(octets=500, since_minutes=560, minutes=600, follows=True),
        ]
    )
    ahead = interim(who, at(400), 300, 0, 150, arrived_at=at(200))
    world.charge(ahead, now=at(200))
    assert world.entitlements(who)[1].valid_from == at(200)
    assert world.orders(who) == []


@pytest.mark.rule("B2")
def test_first_use_begins_a_package_that_waits_for_the_first_login(world: MeterWorld) -> None:
    who = world.customer([Pack(octets=500, since_minutes=None, minutes=60)])
    world.charge(start(who, at(0)), interim(who, at(300), 300, 10, 10), now=at(300))
    package = world.entitlements(who)[0]
    assert package.valid_from in (at(0), at(300))
    assert package.valid_until == package.valid_from.replace(hour=package.valid_from.hour + 1)
    assert package.octets_left == 480


def _bought(waits: bool, minutes: float) -> Pack:
    """A package bought that long after T0; it begins at once, or waits for its first use."""
    since = None if waits else minutes
    return Pack(octets=500, since_minutes=since, minutes=60, bought_minutes=minutes)


@pytest.mark.rule("B2", "Q1", "U6")
@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("minutes", [5.01, 7, 14])
def test_usage_from_before_the_purchase_is_not_the_packages(
    world: MeterWorld, waits: bool, minutes: float
) -> None:
    """A NAS that was cut off sends a record late: by its clock it is older than the purchase."""
    who = world.customer([_bought(waits, minutes)])
    world.charge(stop(who, at(0), 300, 10, 10, arrived_at=at(900)), now=at(900))
    assert world.by_kind(who) == {("overspend", 0): (300, 20)}
    assert world.entitlements(who)[0].octets_left == 500


@pytest.mark.rule("B2", "B4", "Q1", "U6")
@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("minutes", [0.7 / 60, 2, 5])
def test_purchase_pays_although_the_clock_of_the_nas_is_behind(
    world: MeterWorld, waits: bool, minutes: float
) -> None:
    who = world.customer([_bought(waits, minutes)])
    bought_at = at(minutes=minutes)
    world.charge(start(who, at(0), arrived_at=bought_at), now=bought_at)
    world.charge(interim(who, at(0), 1, 10, 10, arrived_at=bought_at), now=bought_at)
    package = world.entitlements(who)[0]
    assert world.by_kind(who) == {("entitlement", package.entitlement_id): (1, 20)}
    assert (package.valid_from, package.valid_until) == (bought_at, at(minutes=minutes + 60))
    assert world.orders(who) == []


@pytest.mark.rule("Q1", "U6")
def test_package_that_begins_after_now_does_not_pay(world: MeterWorld) -> None:
    who = world.customer([Pack(octets=500, since_minutes=2)])
    world.charge(interim(who, at(0), 300, 10, 10), now=at(1))
    assert world.by_kind(who) == {("overspend", 0): (300, 20)}


@pytest.mark.rule("C1", "B3")
def test_exhaustion_orders_every_session_to_end_once(world: MeterWorld) -> None:
    who = world.customer([Pack(octets=1_000)])
    world.charge(start(who, at(0)), start(who, at(0), sid="s2"), now=at(0))
    world.charge(interim(who, at(300), 300, 500, 499))
    assert world.orders(who) == []
    world.charge(interim(who, at(400), 400, 0, 1, sid="s2"))
    orders = world.orders(who)
    assert {order.session_id for order in orders} == {row.session_id for row in world.sessions(who)}
    assert {(order.goal, order.reason, order.state) for order in orders} == {
        ("disconnect", "data-used-up", "pending")
    }
    for seconds in (500, 500, 600):
        world.charge(interim(who, at(seconds), seconds, 600, 600))
    assert len(world.orders(who)) == 2
    assert world.rows(
        "SELECT service_rule FROM subscription WHERE subscription_id = %s", who.subscription_id
    )[0] == ("S7",)


@pytest.mark.rule("C1")
def test_session_that_starts_without_cover_is_ordered_to_end(world: MeterWorld) -> None:
    who = world.customer()
    world.charge(start(who, at(0)))
    (order,) = world.orders(who)
    assert (order.goal, order.reason) == ("disconnect", "no-entitlement")


@pytest.mark.rule("C1")
def test_orders_announce_themselves_when_they_are_committed(world: MeterWorld) -> None:
    world.db.execute("LISTEN tollway_coa")
    who = world.customer([Pack(octets=100)])
    world.charge(start(who, at(0)))
    assert list(world.db.notifies(timeout=0.2)) == []
    world.charge(interim(who, at(300), 300, 100, 100))
    (notice,) = world.db.notifies(timeout=10, stop_after=1)
    assert (notice.channel, notice.payload) == ("tollway_coa", "")
    world.db.execute("UNLISTEN tollway_coa")
