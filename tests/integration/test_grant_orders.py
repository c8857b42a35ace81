"""Orders that follow from grants, as they are sent (rules Q4, Q5, C1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import select

from billing.model.enforcement import Goal, PacketKind, SessionOrder
from billing.model.events import AccountingRecord, LoginRecord, Status
from billing.model.network import Vendor
from billing.model.plan import FinalUnit, PlanTerms, Sharing
from billing.services import enforcement, orders
from billing.services.context import Context
from billing.settings import Settings
from billing.store import tables
from billing.store.admission import admit_logins
from billing.store.customers import lock_customer
from billing.store.hotpath import HotConnection, charge_usage, usage_row
from radius_plugin import vendors
from radius_plugin.coa import packet_for
from rig.nas import SimulatedNas
from tests.factories import DAY_PLAN, Factory, Subscriber

pytestmark = pytest.mark.rule("Q4")
STRICT = replace(
    DAY_PLAN, octets=10_000, sharing=Sharing.STRICT, slice_octets=1_000, slice_seconds=3_600
)
SLOW = replace(
    STRICT,
    final_unit_action=FinalUnit.RESTRICT_SPEED,
    restricted_down_kbps=64,
    restricted_up_kbps=32,
)
GARDEN = replace(STRICT, final_unit_action=FinalUnit.REDIRECT, pay_only_pool="pay")
_sids = count(1)


@dataclass
class Running:
    """A session of a subscriber at a NAS, whose reports tests send."""

    world: World
    who: Subscriber
    nas: SimulatedNas
    sid: str
    told: str | None

    def report(self, seconds: int, received: int, status: Status = Status.INTERIM) -> None:
        at = self.world.now + timedelta(seconds=seconds)
        record = AccountingRecord(
            status=status,
            username=self.who.username,
            sent_username=self.who.username,
            nas_address=self.nas.address,
            acct_session_id=self.sid,
            arrived_at=at,
            event_at=at,
            precise_time=True,
            session_seconds=seconds,
            input_octets=0,
            output_octets=received,
            has_gigawords=True,
            framed_ip="10.20.0.9",
            session_class=self.told,
        )
        charge_usage(self.world.lane, [usage_row(record)], at)


@dataclass
class World:
    context: Context
    make: Factory
    lane: HotConnection
    now: datetime

    def buyer(self, plan: PlanTerms, octets: int) -> Subscriber:
        who = self.make.subscriber(self.now, plan=plan)
        self.make.package(who, self.now, octets=octets)
        return who

    def begin(self, who: Subscriber, nas: SimulatedNas, vendor: Vendor, plan: PlanTerms) -> Running:
        """Log in, with a grant where the plan is strict, and start."""
        sid, told = f"go-{next(_sids)}", f"tw1:{who.subscription_id}:n"
        if plan.sharing is Sharing.STRICT:
            login = LoginRecord(
                username=who.username,
                customer_id=who.customer_id,
                subscription_id=who.subscription_id,
                nas_address=nas.address,
                calling_station=sid,
                outcome="accept",
                reason="ok",
                entitlement_id=0,
                at=self.now,
                grant_version_id=self.version(who),
                nas_can=vendors.for_nas(vendor).capabilities.nas_can,
            )
            (given,) = admit_logins(self.lane, [login], self.now)
            told = f"{told}{given.reservation_id}"
        session = Running(self, who, nas, sid, told)
        session.report(0, 0, Status.START)
        return session

    def version(self, who: Subscriber) -> int:
        with self.context.transaction() as tx:
            found = tx.scalar(
                select(tables.Subscription.plan_version_id).where(
                    tables.Subscription.subscription_id == who.subscription_id
                )
            )
        assert found is not None
        return found

    def due(self, who: Subscriber, seconds: int) -> list[SessionOrder]:
        at = self.now + timedelta(seconds=seconds)
        claimed = orders.claim_due(self.context, at, limit=1000)
        return [one for one in claimed if one.customer_id == who.customer_id]

    def reconcile(self, who: Subscriber, seconds: int) -> None:
        with self.context.transaction() as tx:
            lock_customer(tx, who.customer_id)
            enforcement.reconcile(
                tx, self.context, who.customer_id, self.now + timedelta(seconds=seconds)
            )


@pytest.fixture
def here(context: Context, make: Factory, settings: Settings, now: datetime) -> Iterator[World]:
    lane = HotConnection(settings.dsn("radius"), statement_timeout_ms=9000, lock_timeout_ms=9000)
    yield World(context, make, lane, now)
    lane.close()


@pytest.fixture
def chilli(make: Factory, now: datetime) -> Iterator[SimulatedNas]:
    with make.simulated_nas(now, vendor=Vendor.CHILLI) as simulated:
        yield simulated


@pytest.fixture
def juniper(make: Factory, now: datetime) -> Iterator[SimulatedNas]:
    with make.simulated_nas(now, vendor=Vendor.JUNIPER) as simulated:
        yield simulated


def test_a_top_up_tells_the_limits_of_the_grant(here: World, chilli: SimulatedNas) -> None:
    who = here.buyer(STRICT, 10_000)
    session = here.begin(who, chilli, Vendor.CHILLI, STRICT)
    session.report(60, 900)
    (order,) = here.due(who, 61)
    assert order.goal is Goal.GRANT
    told = dict(packet_for(order)[1])
    # Of the whole session: two slices, and the validity from its last report on.
    assert (told["ChilliSpot-Max-Total-Octets"], told["Session-Timeout"]) == ("2000", "3600")


def test_a_refresh_after_a_purchase_keeps_to_the_grant(here: World, chilli: SimulatedNas) -> None:
    who = here.buyer(STRICT, 10_000)
    session = here.begin(who, chilli, Vendor.CHILLI, STRICT)
    session.report(60, 100)
    here.make.package(who, here.now + timedelta(seconds=70), octets=50_000, follows=True)
    orders_due = here.due(who, 71)
    assert [one.goal for one in orders_due] == [Goal.REFRESH]
    assert dict(packet_for(orders_due[0])[1])["ChilliSpot-Max-Total-Octets"] == "1000"


def test_the_restricted_speed_takes_the_place_of_the_limit(
    here: World, chilli: SimulatedNas
) -> None:
    who = here.buyer(SLOW, 1_000)
    session = here.begin(who, chilli, Vendor.CHILLI, SLOW)
    session.report(60, 900)
    (order,) = here.due(who, 61)
    kind, attributes = packet_for(order)
    told = dict(attributes)
    assert (order.goal, kind) == (Goal.RESTRICT, PacketKind.COA)
    assert told["ChilliSpot-Bandwidth-Max-Down"] == "64"
    assert told["ChilliSpot-Bandwidth-Max-Up"] == "32"
    assert int(told["ChilliSpot-Max-Total-Gigawords"]) > 1_000
    assert int(told["Session-Timeout"]) > 80_000  # until the package expires
    # Used up, it is neither cut by the meter nor by the sweep.
    session.report(120, 1_500)
    here.reconcile(who, 121)
    enforcement.catch_up(here.context, here.now + timedelta(seconds=122))
    assert {one.goal for one in here.due(who, 200)} <= {Goal.RESTRICT}


def test_a_redirect_puts_the_session_into_the_garden(here: World, juniper: SimulatedNas) -> None:
    who = here.buyer(GARDEN, 1_500)
    session = here.begin(who, juniper, Vendor.JUNIPER, GARDEN)
    here.begin(who, juniper, Vendor.JUNIPER, GARDEN)
    session.report(60, 1_000)
    (order,) = here.due(who, 61)
    kind, attributes = packet_for(order)
    assert (order.goal, kind) == (Goal.SUSPEND, PacketKind.COA)
    assert ("ERX-Service-Activate:1", "tollway-garden") in attributes


def test_what_is_used_up_is_redirected_not_disconnected(here: World, juniper: SimulatedNas) -> None:
    who = here.buyer(GARDEN, 1_000)
    session = here.begin(who, juniper, Vendor.JUNIPER, GARDEN)
    session.report(60, 1_200)
    found = here.due(who, 61)
    assert {one.goal for one in found} == {Goal.SUSPEND}
    assert {packet_for(one)[0] for one in found} == {PacketKind.COA}


@pytest.mark.rule("Q5")
def test_near_the_end_a_shared_session_reports_more_often(
    here: World, chilli: SimulatedNas
) -> None:
    who = here.buyer(DAY_PLAN, 10_000)
    session = here.begin(who, chilli, Vendor.CHILLI, DAY_PLAN)
    here.begin(who, chilli, Vendor.CHILLI, DAY_PLAN)
    session.report(60, 4_000)
    session.report(120, 7_000)
    (order,) = here.due(who, 121)
    told = dict(packet_for(order)[1])
    assert order.goal is Goal.TIGHTEN
    assert told["Acct-Interim-Interval"] == "75"
    assert told["ChilliSpot-Max-Total-Octets"] == "10000"
