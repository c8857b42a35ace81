"""Reservations, moment by moment (rule Q4)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from billing.model.grants import NasCan
from billing.services import silence
from billing.services.context import Context
from tests.integration.grant_world import (
    FENCING,
    FIXED,
    HOTSPOT,
    NO_LIMIT,
    PPP,
    broken,
    class_of,
    grants,
    log_in,
    overspends,
    strict_customer,
    strict_version,
)
from tests.integration.meter_world import (
    OTHER_ROUTER,
    Metered,
    MeterWorld,
    Pack,
    at,
    interim,
    resent,
    start,
    stop,
)

pytestmark = pytest.mark.rule("Q4")
_hosts = count(1)
IN_USE = "allowance-in-use"


def goals(world: MeterWorld, who: Metered) -> list[str]:
    """Goals of the orders that were not withdrawn."""
    return [order.goal for order in world.orders(who) if order.state != "cancelled"]


def chilli(world: MeterWorld) -> str:
    """The address of a NAS whose CoA changes limits and interval."""
    address = f"10.1.7.{next(_hosts)}"
    world.nas(address)
    world.db.execute("UPDATE nas SET vendor = 'chilli' WHERE address = %s", (address,))
    return address


def test_each_login_takes_a_slice_until_nothing_is_left(world: MeterWorld) -> None:
    who, plan = strict_customer(world, [Pack(octets=2_500)])
    given = [log_in(world, who, plan, at(0)) for _ in range(4)]
    assert [one.reason for one in given] == ["ok", "ok", "ok", IN_USE]
    assert [one.grant.octets for one in given if one.grant] == [1_000, 1_000, 500]
    assert [(row.state, row.used_octets) for row in grants(world, who)] == [("held", 0)] * 3
    attempts = world.rows(
        "SELECT outcome, reason FROM login_attempt WHERE username = %s ORDER BY attempt_id",
        who.username,
    )
    assert tuple(attempts[-1]) == ("reject", IN_USE)
    assert broken(world, who, at(0)) == []


def test_time_is_reserved_like_data_and_validity_bounds_both(world: MeterWorld) -> None:
    plan = strict_version(world, slice_seconds=600, valid_seconds=400)
    who, _ = strict_customer(world, [Pack(seconds=700)], plan)
    first, second, third = (log_in(world, who, plan, at(0)) for _ in range(3))
    assert (first.grant and first.grant.seconds, second.grant and second.grant.seconds) == (
        400,
        100,
    )
    assert first.grant is not None and first.grant.octets is None
    assert third.reason == IN_USE
    assert [row.granted_seconds for row in grants(world, who)] == [600, 100]


def test_packages_that_follow_can_be_reserved_too(world: MeterWorld) -> None:
    packs = [Pack(octets=300), Pack(octets=400, since_minutes=100, follows=True)]
    who, plan = strict_customer(world, packs)
    assert [log_in(world, who, plan, at(0)).reason for _ in range(2)] == ["ok", IN_USE]
    assert grants(world, who)[0].granted_octets == 700


def test_use_is_posted_once_and_the_rest_is_free_again(world: MeterWorld) -> None:
    who, plan = strict_customer(world, [Pack(octets=1_000)])
    given = log_in(world, who, plan, at(0), station="a")
    told = {"calling_station": "a", "session_class": class_of(who, given)}
    world.charge(start(who, at(1), **told))
    report = interim(who, at(61), 60, 100, 200, **told)
    end = stop(who, at(121), 120, 100, 400, **told)
    for record in (report, report, end, end, resent(report, after_seconds=90)):
        world.charge(record)
        assert broken(world, who, at(130)) == []
    (row,) = grants(world, who)
    assert (row.state, row.granted_octets, row.used_octets) == ("posted", 1_000, 500)
    assert world.entitlements(who)[0].octets_left == 500
    again = log_in(world, who, plan, at(130), station="b")
    assert again.grant is not None and again.grant.octets == 500


def test_a_late_record_after_the_end_gives_nothing_back_again(world: MeterWorld) -> None:
    who, plan = strict_customer(world, [Pack(octets=1_000)])
    log_in(world, who, plan, at(0), station="a")
    world.charge(start(who, at(1), calling_station="a"))
    world.charge(stop(who, at(100), 99, 0, 300, calling_station="a"))
    other = log_in(world, who, plan, at(101), station="b")
    assert other.grant is not None and other.grant.octets == 700
    # The Stop had not told everything: it is charged, and nobody's reservation pays for it.
    world.charge(interim(who, at(98), 97, 0, 350, calling_station="a", arrived_at=at(105)))
    world.charge(stop(who, at(100), 99, 0, 300, calling_station="a", arrived_at=at(110)))
    first, second = grants(world, who)
    assert (first.state, first.used_octets, second.state) == ("posted", 300, "held")
    assert world.entitlements(who)[0].octets_left == 650


def test_a_stop_alone_ends_the_grant(world: MeterWorld) -> None:
    who, plan = strict_customer(world, [Pack(octets=1_000)])
    given = log_in(world, who, plan, at(0), station="a")
    world.charge(stop(who, at(50), 49, 0, 10, session_class=class_of(who, given)))
    (row,) = grants(world, who)
    assert (row.state, row.used_octets) == ("posted", 10)


def test_sessions_of_one_station_are_told_apart_by_class(world: MeterWorld) -> None:
    who, plan = strict_customer(world, [Pack(octets=1_500)])
    first = log_in(world, who, plan, at(0), station="a")
    second = log_in(world, who, plan, at(1), station="a")
    told = {"calling_station": "a", "session_class": class_of(who, second)}
    world.charge(start(who, at(2), sid="s9", **told))
    rows = {row.reservation_id: row.session_id for row in grants(world, who)}
    assert rows[first.reservation_id] is None and rows[second.reservation_id] is not None
    # Copied into another session, the same Class ties nothing twice.
    world.charge(start(who, at(3), sid="s10", **told))
    rows = {row.reservation_id: row.session_id for row in grants(world, who)}
    assert len(set(rows.values()) - {None}) == 2


def test_a_grant_whose_session_never_shows_is_held_while_it_is_valid(
    world: MeterWorld, context: Context
) -> None:
    plan = strict_version(world, valid_seconds=300)
    who, _ = strict_customer(world, [Pack(octets=1_000)], plan)
    assert log_in(world, who, plan, at(0)).reason == "ok"
    assert log_in(world, who, plan, at(299)).reason == IN_USE
    assert log_in(world, who, plan, at(359)).reason == IN_USE
    assert log_in(world, who, plan, at(360)).reason == "ok"
    assert [row.state for row in grants(world, who)] == ["released", "held"]
    silence.release_lapsed_grants(context, at(720))
    silence.release_lapsed_grants(context, at(720))
    assert [row.state for row in grants(world, who)] == ["released", "released"]


def test_a_start_after_the_lapse_takes_again_what_its_nas_allows(world: MeterWorld) -> None:
    plan = strict_version(world, valid_seconds=300)
    who, _ = strict_customer(world, [Pack(octets=1_200)], plan)
    lapsed = log_in(world, who, plan, at(0), station="a")
    assert log_in(world, who, plan, at(400), station="b").reason == "ok"
    told = {"calling_station": "a", "session_class": class_of(who, lapsed)}
    world.charge(interim(who, at(500), 400, 0, 50, **told))
    assert broken(world, who, at(500)) == []
    assert [(row.state, row.granted_octets) for row in grants(world, who)] == [
        ("released", 1_000),
        ("held", 1_000),
        ("held", 200),
    ]


def test_a_silent_session_gives_back_when_its_validity_is_over(
    world: MeterWorld, context: Context
) -> None:
    who, plan = strict_customer(world, [Pack(octets=1_000)])
    log_in(world, who, plan, at(0), station="a")
    world.charge(start(who, at(0), calling_station="a"))
    world.charge(interim(who, at(60), 60, 0, 100, calling_station="a"))
    world.rows("SELECT reap_silent_v1(%s, 1000)", at(2_000))
    assert [row.terminate_cause for row in world.sessions(who)] == ["Lost-Stop"]
    silence.release_lapsed_grants(context, at(2_000))
    assert [row.state for row in grants(world, who)] == ["held"]
    silence.release_lapsed_grants(context, at(3_661))
    (row,) = grants(world, who)
    assert (row.state, row.used_octets) == ("posted", 100)
    # It turns out to run still: it holds again what its NAS allows it.
    world.charge(interim(who, at(3_700), 3_700, 0, 150, calling_station="a"))
    assert broken(world, who, at(3_700)) == []
    assert [row.state for row in grants(world, who)] == ["posted", "held"]


def test_a_reboot_of_the_nas_gives_back_at_once(world: MeterWorld) -> None:
    who, plan = strict_customer(world, [Pack(octets=1_000)])
    log_in(world, who, plan, at(0), station="a", nas=OTHER_ROUTER)
    world.charge(start(who, at(0), calling_station="a", nas=OTHER_ROUTER))
    world.charge(interim(who, at(60), 60, 0, 100, calling_station="a", nas=OTHER_ROUTER))
    world.rows("SELECT close_nas_sessions_v1(%s, %s)", OTHER_ROUTER, at(100))
    (row,) = grants(world, who)
    assert (row.state, row.used_octets) == ("posted", 100)
    again = log_in(world, who, plan, at(101))
    assert again.grant is not None and again.grant.octets == 900


def test_a_session_near_the_end_of_its_slice_is_topped_up(world: MeterWorld) -> None:
    who, plan = strict_customer(world, [Pack(octets=2_500)])
    log_in(world, who, plan, at(0), station="a")
    world.charge(start(who, at(0), calling_station="a"))
    world.charge(interim(who, at(60), 60, 0, 300, calling_station="a"))
    assert goals(world, who) == []
    world.charge(interim(who, at(120), 120, 0, 699, calling_station="a"))
    # Another interval like the last one would pass the slice.
    assert goals(world, who) == ["grant"]
    assert grants(world, who)[0].granted_octets == 2_000
    world.charge(interim(who, at(180), 180, 0, 1_699, calling_station="a"))
    assert grants(world, who)[0].granted_octets == 2_500
    world.charge(interim(who, at(240), 240, 0, 2_400, calling_station="a"))
    (row,) = grants(world, who)
    assert (row.granted_octets, row.final_at) == (2_500, at(240))
    assert goals(world, who) == ["grant"]  # its NAS ends it; the newest order alone stands
    world.charge(stop(who, at(250), 250, 0, 2_500, calling_station="a"))
    assert [row.state for row in grants(world, who)] == ["posted"]
    assert [(row.seconds, row.octets) for row in overspends(world, who)] == [(0, 0)]
    assert broken(world, who, at(250)) == []


def test_time_is_topped_up_where_a_coa_moves_it(world: MeterWorld) -> None:
    who, plan = strict_customer(world, [Pack(seconds=1_500)])
    log_in(world, who, plan, at(0), station="a", able=HOTSPOT)
    world.charge(start(who, at(0), calling_station="a"))
    told = []
    for seconds in (300, 450, 1_100, 1_450):
        world.charge(interim(who, at(seconds), seconds, calling_station="a"))
        (row,) = grants(world, who)
        told.append((row.granted_seconds, row.limit_seconds, row.final_at))
        assert broken(world, who, at(seconds)) == []
    assert told == [
        (1_200, 1_200, None),  # 300 of 600 are left, and the last interval took 300
        (1_200, 1_200, None),
        (1_500, 1_500, None),
        (1_500, 1_500, at(1_450)),
    ]
    world.charge(stop(who, at(1_500), 1_500, calling_station="a"))
    assert [(row.state, row.used_seconds) for row in grants(world, who)] == [("posted", 1_500)]
    assert [(row.seconds, row.octets) for row in overspends(world, who)] == [(0, 0)]


def test_reports_renew_the_validity(world: MeterWorld) -> None:
    plan = strict_version(world, valid_seconds=600)
    who, _ = strict_customer(world, [Pack(octets=1_000)], plan)
    log_in(world, who, plan, at(0), station="a")
    world.charge(start(who, at(0), calling_station="a"))
    world.charge(interim(who, at(300), 300, 0, 1, calling_station="a"))
    assert goals(world, who) == ["grant"]
    (row,) = grants(world, who)
    assert (row.limit_seconds, row.valid_until) == (900, at(900))


@pytest.mark.parametrize("able", [FIXED, HOTSPOT])
def test_where_no_coa_moves_the_limit_nothing_more_is_held(world: MeterWorld, able: NasCan) -> None:
    who, plan = strict_customer(world, [Pack(octets=5_000)])
    log_in(world, who, plan, at(0), station="a", able=able)
    world.charge(start(who, at(0), calling_station="a"))
    world.charge(interim(who, at(60), 60, 0, 900, calling_station="a"))
    assert (goals(world, who), grants(world, who)[0].granted_octets) == ([], 1_000)
    world.charge(stop(who, at(70), 70, 0, 1_000, calling_station="a"))
    again = log_in(world, who, plan, at(71), station="a", able=able)
    assert again.grant is not None and again.grant.octets == 1_000


def test_directions_that_are_limited_apart_share_the_slice(world: MeterWorld) -> None:
    who, plan = strict_customer(world, [Pack(octets=1_901)])
    given = log_in(world, who, plan, at(0), station="a", able=PPP)
    assert given.grant is not None
    assert (given.grant.input_octets, given.grant.output_octets) == (500, 500)
    world.charge(start(who, at(0), calling_station="a"))
    world.charge(interim(who, at(60), 60, 10, 400, calling_station="a"))
    (row,) = grants(world, who)
    assert (row.granted_octets, row.limit_input_octets, row.limit_output_octets) == (
        1_901,
        590,
        1_311,
    )
    assert broken(world, who, at(60)) == []


def test_a_nas_without_a_limit_is_told_to_end_the_session(world: MeterWorld) -> None:
    who, plan = strict_customer(world, [Pack(octets=1_500)])
    log_in(world, who, plan, at(0), station="a", able=NO_LIMIT)
    log_in(world, who, plan, at(0), station="b", able=NO_LIMIT)
    world.charge(start(who, at(0), calling_station="a"))
    world.charge(interim(who, at(60), 60, 0, 900, calling_station="a"))
    assert goals(world, who) == []
    world.charge(interim(who, at(120), 120, 0, 1_100, calling_station="a"))
    world.charge(interim(who, at(121), 121, 0, 1_110, calling_station="a"))
    (order,) = world.orders(who)
    assert (order.goal, order.reason) == ("disconnect", IN_USE)


def test_a_nas_that_fences_in_is_told_to_redirect(world: MeterWorld) -> None:
    plan = strict_version(world, final="redirect")
    who, _ = strict_customer(world, [Pack(octets=1_500)], plan)
    log_in(world, who, plan, at(0), station="a", able=FENCING)
    log_in(world, who, plan, at(0), station="b", able=FENCING)
    world.charge(start(who, at(0), calling_station="a"))
    world.charge(interim(who, at(60), 60, 0, 1_000, calling_station="a"))
    assert goals(world, who) == ["suspend"]


def test_a_session_goes_on_at_the_restricted_speed(world: MeterWorld) -> None:
    plan = strict_version(world, final="restrict-speed", down_kbps=64)
    who, _ = strict_customer(world, [Pack(octets=1_000)], plan)
    log_in(world, who, plan, at(0), station="a")
    world.charge(start(who, at(0), calling_station="a"))
    world.charge(interim(who, at(60), 60, 0, 900, calling_station="a"))
    assert goals(world, who) == ["restrict"]
    world.charge(interim(who, at(120), 120, 0, 1_200, calling_station="a"))
    assert goals(world, who) == ["restrict"]  # used up, and not cut
    assert [(row.seconds, row.octets) for row in overspends(world, who)] == [(0, 200)]
    world.buy(who, Pack(octets=5_000, since_minutes=1, bought_minutes=1), plan)
    world.charge(interim(who, at(180), 180, 0, 1_300, calling_station="a"))
    (row,) = grants(world, who)
    assert (row.restricted_at, row.final_at, row.granted_octets) == (None, None, 2_300)
    assert goals(world, who)[-1] == "refresh"
    assert broken(world, who, at(180)) == []


def test_what_a_stop_gives_back_tops_up_another_session(world: MeterWorld) -> None:
    who, plan = strict_customer(world, [Pack(octets=2_000)])
    for station in "ab":
        log_in(world, who, plan, at(0), station=station)
        world.charge(start(who, at(0), calling_station=station, sid=station))
    world.charge(interim(who, at(60), 60, 0, 950, calling_station="a", sid="a"))
    assert goals(world, who) == []
    world.charge(stop(who, at(61), 61, 0, 100, calling_station="b", sid="b"))
    world.charge(interim(who, at(62), 62, 0, 960, calling_station="a", sid="a"))
    assert goals(world, who) == ["grant"]
    assert [row.granted_octets for row in grants(world, who)] == [1_900, 1_000]


@pytest.mark.rule("F15")
def test_parallel_logins_never_hold_more_than_is_left(world: MeterWorld) -> None:
    who, plan = strict_customer(world, [Pack(octets=10_500)])
    lanes = [world.open_lane() for _ in range(8)]

    def many(lane: object) -> list[str]:
        return [log_in(world, who, plan, at(0), lane=lane).reason for _ in range(4)]

    with ThreadPoolExecutor(len(lanes)) as pool:
        reasons = [reason for found in pool.map(many, lanes) for reason in found]
    for lane in lanes:
        lane.close()
    assert reasons.count("ok") == 11
    assert sum(row.granted_octets for row in grants(world, who)) == 10_500
    assert broken(world, who, at(0)) == []


def test_a_shared_session_of_before_is_let_be(world: MeterWorld) -> None:
    who, plan = strict_customer(world, [Pack(octets=2_000)])
    world.charge(start(who, at(0), calling_station="a", sid="old"))
    log_in(world, who, plan, at(10), station="a")
    world.charge(interim(who, at(60), 60, 0, 100, calling_station="a", sid="old"))
    (row,) = grants(world, who)
    assert row.session_id is None


def test_overspend_of_a_shared_allowance_is_one_row_that_grows(world: MeterWorld) -> None:
    who = world.customer([Pack(octets=1_000)])
    for sid in "ab":
        world.charge(start(who, at(0), sid=sid))
    world.charge(interim(who, at(60), 60, 0, 600, sid="a"))
    world.charge(interim(who, at(61), 61, 0, 700, sid="b"))
    late = stop(who, at(70), 70, 0, 900, sid="a", arrived_at=at(80))
    world.charge(late)
    world.charge(late)
    world.charge(stop(who, at(70), 70, 0, 705, sid="b"))
    (row,) = overspends(world, who)
    assert (row.octets, row.exhausted_at) == (605, at(61))
    assert row.entitlement_ids == list(who.entitlement_ids)
    assert broken(world, who, at(80)) == []
    version = world.plan_version(None)
    world.buy(who, Pack(octets=100, since_minutes=2, bought_minutes=2), version)
    world.charge(start(who, at(130), sid="c"))
    world.charge(interim(who, at(190), 60, 0, 150, sid="c"))
    assert [row.octets for row in overspends(world, who)] == [605, 50]
    assert broken(world, who, at(190)) == []


@pytest.mark.rule("Q5")
def test_near_the_end_of_a_shared_allowance_each_session_is_told_once(world: MeterWorld) -> None:
    who = world.customer([Pack(octets=10_000)])
    on = {"nas": chilli(world)}
    for sid in "ab":
        world.charge(start(who, at(0), sid=sid, **on))
    world.charge(interim(who, at(60), 60, 0, 1_000, sid="a", **on))
    world.charge(interim(who, at(60), 60, 0, 1_000, sid="b", **on))
    assert goals(world, who) == []
    world.charge(interim(who, at(120), 120, 0, 3_500, sid="a", **on))
    # 5,500 are left, and two sessions use 5,000 in an interval.
    assert goals(world, who) == []
    world.charge(interim(who, at(121), 121, 0, 3_500, sid="b", **on))
    world.charge(interim(who, at(180), 180, 0, 4_000, sid="a", **on))
    world.charge(interim(who, at(181), 181, 0, 4_000, sid="b", **on))
    world.charge(interim(who, at(182), 182, 0, 5_000, sid="b", **on))
    orders = [(order.goal, order.reason) for order in world.orders(who)]
    assert orders == [("tighten", "nearly-used-up")]
    assert broken(world, who, at(182)) == []


@pytest.mark.rule("Q5")
def test_a_nas_that_can_change_nothing_is_told_nothing(world: MeterWorld) -> None:
    who = world.customer([Pack(octets=1_000)])
    world.charge(start(who, at(0)))
    world.charge(interim(who, at(60), 60, 0, 600))
    assert goals(world, who) == []


@pytest.mark.rule("Q5")
def test_who_is_alone_has_its_limits_already_but_on_ppp(world: MeterWorld) -> None:
    nas = chilli(world)
    for vendor, told, expected in (
        ("chilli", "", []),
        ("mikrotik", "", []),
        ("mikrotik", ":hotspot", []),
        ("mikrotik", ":ppp", ["tighten"]),
    ):
        world.db.execute("UPDATE nas SET vendor = %s WHERE address = %s", (vendor, nas))
        who = world.customer([Pack(octets=1_000)])
        on = {"nas": nas, "session_class": f"tw1:{who.subscription_id}:n{told}"}
        world.charge(start(who, at(0), **on))
        world.charge(interim(who, at(60), 60, 0, 600, **on))
        assert goals(world, who) == expected


@pytest.mark.rule("Q5")
def test_what_follows_is_no_end(world: MeterWorld) -> None:
    packs = [Pack(octets=1_000), Pack(octets=50_000, since_minutes=90_000, follows=True)]
    who = world.customer(packs)
    nas = chilli(world)
    for sid in "ab":
        world.charge(start(who, at(0), nas=nas, sid=sid))
    world.charge(interim(who, at(60), 60, 0, 600, nas=nas, sid="a"))
    assert goals(world, who) == []
