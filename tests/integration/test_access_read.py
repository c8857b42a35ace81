"""The one read behind a batch of Access-Requests (rules A1, A4, B9, Q1, U6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from billing.model.account import UnpaidBill
from billing.model.events import AccessRequest
from billing.model.plan import Entitlement, PlanTerms
from billing.store import hotpath
from tests.integration.meter_world import (
    ROUTER,
    Metered,
    MeterWorld,
    Pack,
    Payg,
    at,
    interim,
    start,
    stop,
)

STATION = "aabbccddeeff"


def _read(world: MeterWorld, *names: str, now_seconds: float = 0, nas: str = ROUTER) -> list[Any]:
    requests = [AccessRequest(name, nas, STATION) for name in names]
    return hotpath.load_access(world.lane, requests, at(now_seconds))


def _one(world: MeterWorld, who: Metered, now_seconds: float = 0) -> Any:
    (row,) = _read(world, who.username, now_seconds=now_seconds)
    return row


def _packages(text: str | None) -> tuple[Entitlement, ...]:
    """As the access service reads them; the plans do not matter here."""
    terms = PlanTerms(plan_version_id=0, plan_name="", price_micros=0, currency="USD")
    return hotpath.entitlements_of(text, lambda _version: terms)


def _inserted(world: MeterWorld, table: str, values: dict[str, Any]) -> int:
    names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
    row = world.db.execute(
        f"INSERT INTO {table} ({names}) VALUES ({marks}) RETURNING letterhead_id",  # noqa: S608
        list(values.values()),
    ).fetchone()
    assert row is not None
    return int(row[0])


def _bill(world: MeterWorld, who: Metered, number: str, **columns: Any) -> None:
    values = {
        "customer_id": who.customer_id,
        "org_id": 1,
        "number": number,
        "subscription_id": who.subscription_id,
        "issued_at": at(0),
        "due_on": date(2026, 3, 20),
        "cycle_from": date(2026, 3, 10),
        "cycle_until": date(2026, 4, 10),
        "total_micros": 30_000_000,
        "paid_micros": 0,
        "currency": "USD",
    } | columns
    if values["paid_micros"] == values["total_micros"]:
        values["paid_at"] = at(0)
    for side, table, key in (
        ("seller", "organisation_letterhead", {"org_id": 1}),
        ("buyer", "customer_letterhead", {"customer_id": who.customer_id}),
    ):
        more = {"org_id": 1, "name": "as then"} | ({"e_invoice": False} if side == "seller" else {})
        values[f"{side}_letterhead_id"] = _inserted(world, table, more | key)
    names = ", ".join(values)
    marks = ", ".join(["%s"] * len(values))
    world.db.execute(f"INSERT INTO invoice ({names}) VALUES ({marks})", list(values.values()))  # noqa: S608


@pytest.mark.rule("A1")
def test_rows_come_in_the_order_of_the_requests(world: MeterWorld) -> None:
    first, second = world.customer([Pack()]), world.customer([Pack()])
    rows = _read(world, second.username, "stranger", first.username, second.username)
    assert [row.ord for row in rows] == [1, 2, 3, 4]
    assert [row.customer_id for row in rows] == [
        second.customer_id,
        None,
        first.customer_id,
        second.customer_id,
    ]
    assert rows[1].nas_id == world.nas_ids[ROUTER]
    assert (rows[1].open_sessions, rows[1].all_failures, rows[1].entitlements) == (0, 0, None)


@pytest.mark.rule("A4")
def test_unknown_nas_has_no_id(world: MeterWorld) -> None:
    who = world.customer([Pack()])
    (row,) = _read(world, who.username, nas="10.99.9.9")
    assert row.nas_id is None
    assert row.subscription_id == who.subscription_id


@pytest.mark.rule("A4")
def test_account_fields(world: MeterWorld) -> None:
    who = world.customer(
        payg=Payg(second_step=60, second_step_micros=5),
        posted_micros=700,
        credit_limit_micros=50,
    )
    world.db.execute(
        "UPDATE subscription SET secret_sealed = %s, framed_ip = '10.9.8.7', session_limit = 2,"
        " allowed_macs = %s, allowed_nas_ids = %s, login_hours = 'Mo-Fr 08:00-18:00',"
        " speed_up_kbps = 1, speed_down_kbps = 2, hold_note = 'note', hold_until = %s,"
        " hold_behaviour = 'reject', paused_at = %s WHERE subscription_id = %s",
        (b"sealed", [STATION], [5, 6], at(60), at(30), who.subscription_id),
    )
    world.db.execute(
        "UPDATE customer SET discontinue_on = '2026-04-01', promise_until = '2026-04-02',"
        " closed_at = %s WHERE customer_id = %s",
        (at(90), who.customer_id),
    )
    world.db.execute(
        "UPDATE wallet SET unposted_micros = 20, reserved_micros = 30 WHERE wallet_id = %s",
        (who.wallet_id,),
    )
    row = _one(world, who)
    assert (bytes(row.secret_sealed), row.framed_ip) == (b"sealed", "10.9.8.7")
    assert (row.session_limit, row.allowed_macs, row.allowed_nas_ids) == (2, [STATION], [5, 6])
    assert (row.login_hours, row.speed_up_kbps, row.speed_down_kbps) == (
        "Mo-Fr 08:00-18:00",
        1,
        2,
    )
    assert (row.hold_note, row.hold_until, row.hold_behaviour) == ("note", at(60), "reject")
    assert (row.paused_at, row.closed_at) == (at(30), at(90))
    assert (row.discontinue_on, row.promise_until) == (date(2026, 4, 1), date(2026, 4, 2))
    assert (row.posted_micros, row.unposted_micros, row.reserved_micros) == (700, 20, 30)
    assert (row.credit_limit_micros, row.currency) == (50, "USD")
    assert (row.profile_id, row.profile_revision) == (world.profile_id, 1)
    assert row.plan_version_id is not None


@pytest.mark.rule("Q1", "B4")
def test_packages_are_listed_in_the_order_of_use(world: MeterWorld) -> None:
    who = world.customer(
        [
            Pack(octets=1, minutes=9_000),
            Pack(seconds=2, minutes=3_000),
            Pack(octets=3, since_minutes=60, minutes=600, follows=True),
            Pack(octets=4, since_minutes=None, minutes=60),
            Pack(octets=5, since_minutes=-2_000, minutes=60),
        ]
    )
    long, short, follower, first_login, _over = who.entitlement_ids
    listed = _packages(_one(world, who).entitlements)
    assert [one.entitlement_id for one in listed] == [short, long, follower, first_login]
    assert [one.follows for one in listed] == [False, False, True, False]
    assert (listed[0].seconds_left, listed[0].octets_left) == (2, None)
    assert listed[1].valid_from == at(minutes=-1_440)
    assert listed[1].valid_until == at(minutes=9_000 - 1_440)
    assert (listed[3].valid_from, listed[3].valid_until, listed[3].validity_minutes) == (
        None,
        None,
        60,
    )


@pytest.mark.rule("Q1")
def test_a_plan_says_what_is_used_before_what_expires_first(world: MeterWorld) -> None:
    who = world.customer(
        [Pack(octets=1, minutes=3_000), Pack(octets=2, minutes=9_000, use_order=10)]
    )
    soon, preferred = who.entitlement_ids
    listed = _packages(_one(world, who).entitlements)
    assert [one.entitlement_id for one in listed] == [preferred, soon]


@pytest.mark.rule("B2")
def test_package_is_listed_until_its_last_microsecond(world: MeterWorld) -> None:
    who = world.customer([Pack(since_minutes=-60, minutes=60)])
    assert len(_packages(_one(world, who, -0.000001).entitlements)) == 1
    row = _one(world, who, 0)
    assert _packages(row.entitlements) == ()
    (ended,) = _packages(row.last_ended)
    assert ended.valid_until == at(0)


@pytest.mark.rule("B3", "A4")
def test_last_package_tells_why_nothing_is_left(world: MeterWorld) -> None:
    who = world.customer([Pack(octets=100), Pack(since_minutes=-3_000, minutes=60)])
    world.charge(start(who, at(0)), interim(who, at(300), 300, 60, 60), now=at(300))
    row = _one(world, who, 400)
    assert row.entitlements is None
    (ended,) = _packages(row.last_ended)
    assert (ended.entitlement_id, ended.octets_left) == (who.entitlement_ids[0], 0)


def test_past_packages_are_not_read_while_one_lasts(world: MeterWorld) -> None:
    """However many a subscriber has had."""
    past = [Pack(since_minutes=-9_000 - number, minutes=60) for number in range(20)]
    plain, bought_before = world.customer([Pack()]), world.customer([Pack(), *past])
    world.db.execute(
        "UPDATE entitlement SET ended_at = valid_until WHERE valid_until < %s", (at(0),)
    )

    def fetched() -> int:
        (row,) = world.rows(
            "SELECT idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'entitlement'"
        )
        return int(row.idx_tup_fetch)

    def read(who: Metered) -> int:
        with world.db.transaction():
            world.db.execute("SET LOCAL enable_seqscan = off")
            before = fetched()
            world.db.execute(
                "SELECT * FROM load_access_v1(%s, %s, %s::inet[], %s)",
                (at(0), [who.username], [ROUTER], [STATION]),
            ).fetchall()
            return fetched() - before

    assert read(bought_before) == read(plain) == 1


@pytest.mark.rule("B9")
def test_unpaid_bills_of_a_monthly_customer(world: MeterWorld) -> None:
    who = world.customer(requires_entitlement=False)
    _bill(world, who, "2026-2", due_on=date(2026, 4, 20), cycle_until=date(2026, 5, 10))
    _bill(world, who, "A|1", subscription_id=None, paid_micros=10_000_000)
    _bill(world, who, "2025-9", paid_micros=30_000_000, cycle_until=date(2026, 3, 10))
    row = _one(world, who)
    assert row.paid_until == date(2026, 3, 10)
    assert hotpath.unpaid_bills_of(row.bills) == (
        UnpaidBill(number="A|1", due_on=date(2026, 3, 20), open_micros=20_000_000),
        UnpaidBill(number="2026-2", due_on=date(2026, 4, 20), open_micros=30_000_000),
    )


@pytest.mark.rule("B9", "B15")
def test_bills_of_another_subscription_do_not_count(world: MeterWorld) -> None:
    who = world.customer(requires_entitlement=False)
    other = world.subscription(who.customer_id, who.wallet_id, requires_entitlement=False)
    _bill(world, who, "mine")
    assert _one(world, other).bills is None
    assert len(hotpath.unpaid_bills_of(_one(world, who).bills)) == 1


@pytest.mark.rule("A7")
def test_open_sessions_are_those_of_other_stations_that_still_speak(world: MeterWorld) -> None:
    who = world.customer([Pack()])
    world.charge(
        start(who, at(0), sid="own", calling_station=STATION),
        start(who, at(0), sid="other", calling_station="001122334455"),
        start(who, at(0), sid="nameless"),
        start(who, at(0), sid="silent", calling_station="665544332211", arrived_at=at(-960)),
        stop(who, at(0), 0, sid="ended", calling_station="665544332211"),
        now=at(0),
    )
    row = _one(world, who)
    assert (row.open_sessions, row.station_known) == (2, True)
    assert _one(world, who, 16 * 60).open_sessions == 0


@pytest.mark.rule("A4")
def test_failures_count_while_their_window_lasts(world: MeterWorld) -> None:
    who = world.customer([Pack()])
    world.db.execute(
        "INSERT INTO login_throttle VALUES (%s, %s, 3, %s), (%s, '', 8, %s)",
        (who.username, STATION, at(0), who.username, at(0)),
    )
    row = _one(world, who, 299)
    assert (row.station_failures, row.all_failures) == (3, 8)
    row = _one(world, who, 300)
    assert (row.station_failures, row.all_failures) == (0, 0)


@pytest.mark.rule("A1")
def test_batch_is_one_statement(world: MeterWorld) -> None:
    names = [world.customer([Pack()]).username for _ in range(8)]
    calls: list[str] = []

    class Counting(hotpath.HotConnection):
        def fetch(self, query: str, parameters: Sequence[object]) -> list[Any]:
            calls.append(query)
            return super().fetch(query, parameters)

    lane = world.open_lane(Counting)
    requests = [AccessRequest(name, ROUTER) for name in names]
    assert len(hotpath.load_access(lane, requests, at(0))) == 8
    assert len(calls) == 1
    lane.close()


def test_what_few_have_is_seen_by_its_place_in_the_row(world: MeterWorld) -> None:
    who = world.customer()
    row = _one(world, who)
    first, last = row._fields.index("framed_ip"), row._fields.index("promise_until")
    assert hotpath.nothing_of_its_own(row)
    for place, name in enumerate(row._fields):
        rare = not hotpath.nothing_of_its_own(row._replace(**{name: "x"}))
        assert rare == (first <= place <= last), name
