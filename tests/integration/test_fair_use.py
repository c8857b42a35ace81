"""Who has used so much is slowed, online or not, until the period ends (rule Q2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from billing.model.enforcement import Goal
from billing.model.events import AccessRequest, AccountingRecord, Status
from billing.model.network import Vendor
from billing.rules.cycles import cycle_at, day_start
from billing.services import coa, enforcement, speeds, subscribers, upkeep
from billing.services.context import Context
from billing.settings import Settings
from billing.store import tables
from billing.store.hotpath import HotConnection, charge_usage, load_access, usage_row
from rig.nas import SimulatedNas
from tests.factories import DAILY, DAY_PLAN, MONTH_PLAN, MONTHLY, Factory, Subscriber

GB = 10**9
FAIR = replace(DAY_PLAN, fair_use="1000000000:1000 2000000000:256")
FAIR_MONTH = replace(MONTH_PLAN, fair_use="1000000000:1000")
A_DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def router(make: Factory, now: datetime) -> Iterator[SimulatedNas]:
    with make.simulated_nas(now, vendor=Vendor.MIKROTIK) as simulated:
        yield simulated


@pytest.fixture
def lane(settings: Settings) -> Iterator[HotConnection]:
    opened = HotConnection(settings.dsn("radius"), statement_timeout_ms=9000, lock_timeout_ms=9000)
    yield opened
    opened.close()


class Session:
    """A running session of a subscriber, accounted for by the meter."""

    def __init__(
        self, context: Context, lane: HotConnection, make: Factory, subscriber: Subscriber,
        router: SimulatedNas, now: datetime,
    ) -> None:  # fmt: skip
        session_id = make.session(subscriber, router, now)
        with context.transaction() as tx:
            self.acct_session_id = tx.scalars(
                select(tables.LiveSession.acct_session_id).where(
                    tables.LiveSession.session_id == session_id
                )
            ).one()
        self.lane, self.subscriber, self.router, self.started = lane, subscriber, router, now

    def carried(self, total_octets: int, at: datetime) -> None:
        record = AccountingRecord(
            status=Status.INTERIM,
            username=self.subscriber.username,
            sent_username=self.subscriber.username,
            nas_address=self.router.address,
            acct_session_id=self.acct_session_id,
            arrived_at=at,
            event_at=at,
            precise_time=True,
            session_seconds=(at - self.started) // timedelta(seconds=1),
            input_octets=0,
            output_octets=total_octets,
            has_gigawords=True,
        )
        charge_usage(self.lane, [usage_row(record)], at)


def orders(context: Context, subscriber: Subscriber) -> list[tuple[Goal, str]]:
    """Goal and reason, oldest first; of those that are not done."""
    found = coa.list_orders(context, subscription_id=subscriber.subscription_id)
    return [(view.goal, view.reason) for view in reversed(found)]


def login_speed(
    lane: HotConnection, subscriber: Subscriber, router: SimulatedNas, now: datetime
) -> tuple[int | None, int | None]:
    """What the next login would be told of its own: up and down, None for the plan's."""
    request = AccessRequest(subscriber.username, router.address)
    (row,) = load_access(lane, [request], now)
    return row.speed_up_kbps, row.speed_down_kbps


@pytest.mark.rule("Q2")
def test_a_running_session_is_slowed_step_by_step_and_the_next_package_is_fast(
    context: Context, make: Factory, lane: HotConnection, router: SimulatedNas, now: datetime
) -> None:
    subscriber = make.subscriber(now, plan=FAIR)
    make.package(subscriber, now, valid_for=A_DAY)
    session = Session(context, lane, make, subscriber, router, now)

    session.carried(GB - 1, now + MINUTE)
    upkeep.fair_use_steps(context, now + MINUTE)
    assert orders(context, subscriber) == []

    session.carried(GB, now + 2 * MINUTE)
    upkeep.fair_use_steps(context, now + 2 * MINUTE)
    assert orders(context, subscriber) == [(Goal.SPEED, "fair-use")]
    # The plan's 2 Mbit/s up are too much now, too.
    view = subscribers.show(context, subscriber.subscription_id, now + 2 * MINUTE)
    assert (view.slowed_after_octets, view.slowed_up_kbps, view.slowed_down_kbps) == (
        GB,
        1_000,
        1_000,
    )
    assert login_speed(lane, subscriber, router, now + 2 * MINUTE) == (1_000, 1_000)
    upkeep.fair_use_steps(context, now + 2 * MINUTE)
    assert len(orders(context, subscriber)) == 1

    session.carried(2 * GB + 5, now + 3 * MINUTE)
    upkeep.fair_use_steps(context, now + 3 * MINUTE)
    assert login_speed(lane, subscriber, router, now + 3 * MINUTE) == (256, 256)

    make.package(
        subscriber, now + 3 * MINUTE, valid_from=now + A_DAY, valid_for=A_DAY, follows=True
    )
    assert login_speed(lane, subscriber, router, now + 4 * MINUTE) == (256, 256)
    enforcement.sweep(context, now + A_DAY)
    assert login_speed(lane, subscriber, router, now + A_DAY) == (None, None)


@pytest.mark.rule("Q2")
def test_a_monthly_service_is_slowed_until_its_cycle_ends(
    context: Context, make: Factory, lane: HotConnection, router: SimulatedNas, now: datetime
) -> None:
    subscriber = make.subscriber(now, profile=MONTHLY, plan=FAIR_MONTH)
    session = Session(context, lane, make, subscriber, router, now)
    session.carried(3 * GB, now + MINUTE)
    upkeep.fair_use_steps(context, now + MINUTE)
    assert orders(context, subscriber) == [(Goal.SPEED, "fair-use")]
    assert login_speed(lane, subscriber, router, now + MINUTE) == (1_000, 1_000)
    next_cycle = day_start(cycle_at(now, MONTHLY, "UTC").next_first_day, "UTC")
    enforcement.sweep(context, next_cycle - timedelta(seconds=1))
    assert login_speed(lane, subscriber, router, now + MINUTE) == (1_000, 1_000)
    enforcement.sweep(context, next_cycle)
    assert login_speed(lane, subscriber, router, next_cycle) == (None, None)


@pytest.mark.rule("Q2")
def test_a_slower_speed_of_its_own_stays(
    context: Context, make: Factory, lane: HotConnection, router: SimulatedNas, now: datetime
) -> None:
    subscriber = make.subscriber(now, plan=FAIR)
    make.package(subscriber, now, valid_for=A_DAY)
    speeds.set_speed(context, subscriber.subscription_id, up_kbps=128, down_kbps=50_000, now=now)
    session = Session(context, lane, make, subscriber, router, now)
    session.carried(GB, now + MINUTE)
    upkeep.fair_use_steps(context, now + MINUTE)
    assert login_speed(lane, subscriber, router, now + MINUTE) == (128, 1_000)


@pytest.mark.rule("Q2", "Q3")
def test_what_is_free_slows_nobody(
    context: Context, make: Factory, lane: HotConnection, router: SimulatedNas, now: datetime
) -> None:
    always = "always:0123456:0:1440:free"
    for profile, plan in ((DAILY, FAIR), (MONTHLY, FAIR_MONTH)):
        subscriber = make.subscriber(
            now, profile=profile, plan=replace(plan, tariff_windows=always)
        )
        if profile is DAILY:
            make.package(subscriber, now, valid_for=A_DAY)
        session = Session(context, lane, make, subscriber, router, now)
        session.carried(3 * GB, now + MINUTE)
        upkeep.fair_use_steps(context, now + MINUTE)
        assert orders(context, subscriber) == []
        assert login_speed(lane, subscriber, router, now + MINUTE) == (None, None)


def test_plans_without_steps_are_not_looked_at(
    context: Context, make: Factory, lane: HotConnection, router: SimulatedNas, now: datetime
) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now, valid_for=A_DAY)
    session = Session(context, lane, make, subscriber, router, now)
    session.carried(500 * GB, now + MINUTE)
    upkeep.fair_use_steps(context, now + MINUTE)
    assert orders(context, subscriber) == []
