"""State changes become orders to running sessions (rules S, B3, B4, B9, B10, P9, C1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import select, update

from billing.model.account import HoldBehaviour
from billing.model.commerce import MoneyChannel
from billing.model.events import AccountingRecord, Status
from billing.services import bills, enforcement, holds, orders
from billing.services.context import Context
from billing.settings import Settings
from billing.store import billing_jobs, tables
from billing.store.accounts import load_accounts
from billing.store.customers import lock_customer
from billing.store.hotpath import HotConnection, charge_usage, usage_row
from rig.nas import SimulatedNas
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.waiting import until

ONE_SECOND = timedelta(seconds=1)
A_DAY = timedelta(days=1)


@dataclass
class Row:
    """A subscription's enforced state and its orders, oldest first: (goal, reason, state)."""

    rule: str
    next_change_at: datetime | None
    orders: list[tuple[str, str, str]]


@pytest.fixture
def router(make: Factory, now: datetime) -> Iterator[SimulatedNas]:
    with make.simulated_nas(now) as simulated:
        yield simulated


def look(context: Context, subscriber: Subscriber) -> Row:
    with context.transaction() as tx:
        row = tx.scalars(
            select(tables.Subscription).where(
                tables.Subscription.subscription_id == subscriber.subscription_id
            )
        ).one()
        intents = tx.scalars(
            select(tables.CoaIntent)
            .where(tables.CoaIntent.subscription_id == subscriber.subscription_id)
            .order_by(tables.CoaIntent.intent_id)
        )
        found = [(intent.goal, intent.reason, intent.state) for intent in intents]
        return Row(row.service_rule, row.service_next_change_at, found)


def reconcile(context: Context, subscriber: Subscriber, now: datetime) -> int:
    with context.transaction() as tx:
        lock_customer(tx, subscriber.customer_id)
        return enforcement.reconcile(tx, context, subscriber.customer_id, now)


def unpaid_month(context: Context, make: Factory, now: datetime) -> tuple[Subscriber, date, str]:
    """A monthly subscriber with one unpaid bill; its payment date and number."""
    subscriber = make.subscriber(now, profile=MONTHLY, plan=MONTH_PLAN)
    first_day = now.date().replace(day=1)
    bill = bills.issue_bill(
        context,
        subscriber.subscription_id,
        cycle_from=first_day,
        cycle_until=(first_day + timedelta(days=31)).replace(day=1),
        amount_micros=30_000_000,
        now=now,
    )
    return subscriber, bill.due_on, bill.number


def midnight_after(day: date, now: datetime) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=now.tzinfo) + A_DAY


@pytest.mark.rule("B3")
def test_a_daily_session_is_ended_at_the_instant_of_expiry(
    context: Context, make: Factory, router: SimulatedNas, now: datetime
) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now, valid_for=timedelta(hours=3))
    make.session(subscriber, router, now)
    end = now + timedelta(hours=3)
    assert look(context, subscriber) == Row("S8", end, [])

    enforcement.sweep(context, end - ONE_SECOND)
    assert look(context, subscriber) == Row("S8", end, [])

    enforcement.sweep(context, end)
    assert look(context, subscriber) == Row("S7", None, [("disconnect", "expired", "pending")])

    enforcement.sweep(context, end + ONE_SECOND)
    assert len(look(context, subscriber).orders) == 1


@pytest.mark.rule("B9")
@pytest.mark.rule("B10")
def test_a_monthly_session_is_moved_at_the_cut_and_back_at_the_payment(
    context: Context, make: Factory, router: SimulatedNas, now: datetime
) -> None:
    subscriber, due_on, number = unpaid_month(context, make, now)
    make.session(subscriber, router, now)
    cut = midnight_after(due_on, now)
    assert look(context, subscriber) == Row("S8", cut, [])

    enforcement.sweep(context, cut)
    assert look(context, subscriber) == Row("S5", None, [("suspend", "overdue", "pending")])

    # It was disconnected and has come back, into the suspended pool.
    with context.transaction() as tx:
        tx.execute(
            update(tables.LiveSession)
            .where(tables.LiveSession.subscription_id == subscriber.subscription_id)
            .values(closed_at=cut)
        )
    orders.settle(context, cut)
    make.session(subscriber, router, cut, suspended=True)
    assert reconcile(context, subscriber, cut + ONE_SECOND) == 0

    bills.pay(context, number, idempotency_key="k", now=cut + A_DAY, channel=MoneyChannel.CASH)
    found = look(context, subscriber)
    assert found.rule == "S8"
    assert found.orders[1:] == [("restore", "ok", "pending")]


@pytest.mark.rule("P9")
def test_a_payment_withdraws_an_order_that_was_not_sent_yet(
    context: Context, make: Factory, router: SimulatedNas, now: datetime
) -> None:
    subscriber, due_on, number = unpaid_month(context, make, now)
    make.session(subscriber, router, now)
    cut = midnight_after(due_on, now)
    enforcement.sweep(context, cut)
    bills.pay(context, number, idempotency_key="k", now=cut, channel=MoneyChannel.CASH)
    assert look(context, subscriber).orders == [("suspend", "overdue", "cancelled")]


@pytest.mark.rule("P9")
def test_what_another_cause_holds_stays_held(
    context: Context, make: Factory, router: SimulatedNas, now: datetime
) -> None:
    subscriber, due_on, number = unpaid_month(context, make, now)
    cut = midnight_after(due_on, now)
    enforcement.sweep(context, cut)
    make.session(subscriber, router, cut, suspended=True)
    holds.suspend(
        context,
        subscriber.subscription_id,
        note="abuse",
        behaviour=HoldBehaviour.SUSPENDED_POOL,
        now=cut,
    )
    bills.pay(context, number, idempotency_key="k", now=cut, channel=MoneyChannel.CASH)
    found = look(context, subscriber)
    assert (found.rule, found.orders) == ("S2", [])
    holds.resume(context, subscriber.subscription_id, cut)
    found = look(context, subscriber)
    assert (found.rule, found.orders) == ("S8", [("restore", "ok", "pending")])


@pytest.mark.rule("S2")
def test_a_staff_hold_ends_by_itself(
    context: Context, make: Factory, router: SimulatedNas, now: datetime
) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now, valid_for=timedelta(days=3))
    make.session(subscriber, router, now)
    holds.suspend(context, subscriber.subscription_id, note="check", until=now + A_DAY, now=now)
    found = look(context, subscriber)
    assert found == Row("S2", now + A_DAY, [("disconnect", "staff-suspended", "pending")])
    enforcement.sweep(context, now + A_DAY)
    found = look(context, subscriber)
    assert found.rule == "S8"
    assert found.next_change_at == now + 3 * A_DAY
    assert found.orders == [("disconnect", "staff-suspended", "cancelled")]


@pytest.mark.rule("B4")
def test_a_purchase_gives_a_running_session_its_new_limits_once(
    context: Context, make: Factory, router: SimulatedNas, now: datetime
) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now, valid_for=A_DAY)
    make.session(subscriber, router, now + ONE_SECOND)
    assert look(context, subscriber).orders == []

    later = now + timedelta(hours=1)
    make.package(subscriber, later, valid_from=now + A_DAY, valid_for=A_DAY, follows=True)
    assert look(context, subscriber) == Row("S8", now + 2 * A_DAY, [("refresh", "ok", "pending")])
    assert reconcile(context, subscriber, later) == 0
    with context.transaction() as tx:
        tx.execute(update(tables.CoaIntent).values(state="confirmed", finished_at=later))
    assert reconcile(context, subscriber, later) == 0
    assert reconcile(context, subscriber, later + ONE_SECOND) == 0

    # A session that began after the purchase has the limits already.
    make.session(subscriber, router, later + timedelta(minutes=1))
    assert reconcile(context, subscriber, later + timedelta(minutes=2)) == 0


@pytest.mark.rule("P9")
def test_a_recharge_saves_the_session_that_was_to_be_cut(
    context: Context, settings: Settings, make: Factory, router: SimulatedNas, now: datetime
) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now, octets=1_000_000)
    session_id = make.session(subscriber, router, now)
    with context.transaction() as tx:
        acct_session_id = tx.scalars(
            select(tables.LiveSession.acct_session_id).where(
                tables.LiveSession.session_id == session_id
            )
        ).one()
    later = now + timedelta(minutes=5)
    interim = AccountingRecord(
        status=Status.INTERIM,
        username=subscriber.username,
        sent_username=subscriber.username,
        nas_address=router.address,
        acct_session_id=acct_session_id,
        arrived_at=later,
        event_at=later,
        precise_time=True,
        session_seconds=300,
        input_octets=500_000,
        output_octets=600_000,
        has_gigawords=True,
    )
    lane = HotConnection(settings.dsn("radius"), statement_timeout_ms=5000, lock_timeout_ms=5000)
    try:
        charge_usage(lane, [usage_row(interim)], later)
    finally:
        lane.close()
    found = look(context, subscriber)
    assert (found.rule, found.orders) == ("S7", [("disconnect", "data-used-up", "pending")])

    make.package(subscriber, later + ONE_SECOND, octets=5_000_000)
    found = look(context, subscriber)
    assert found.rule == "S8"
    assert found.orders == [
        ("disconnect", "data-used-up", "cancelled"),
        ("refresh", "ok", "pending"),
    ]
    with context.transaction() as tx:
        cut = tx.scalars(
            select(tables.LiveSession.cut_requested_at).where(
                tables.LiveSession.session_id == session_id
            )
        ).one()
    assert cut is None


@pytest.mark.rule("B10")
def test_where_the_class_is_not_echoed_the_enforced_state_tells_the_pool(
    context: Context, make: Factory, router: SimulatedNas, now: datetime
) -> None:
    subscriber, due_on, number = unpaid_month(context, make, now)
    cut = midnight_after(due_on, now)
    make.session(subscriber, router, now, session_class=None)
    enforcement.sweep(context, cut)
    assert look(context, subscriber).orders == [("suspend", "overdue", "pending")]
    with context.transaction() as tx:
        tx.execute(
            update(tables.LiveSession)
            .where(tables.LiveSession.subscription_id == subscriber.subscription_id)
            .values(closed_at=cut)
        )
    make.session(subscriber, router, cut, session_class=None)
    bills.pay(context, number, idempotency_key="k", now=cut, channel=MoneyChannel.CASH)
    assert look(context, subscriber).orders[-1] == ("restore", "ok", "pending")


@pytest.mark.rule("C1")
def test_orders_are_announced_when_they_are_committed(
    context: Context, make: Factory, router: SimulatedNas, now: datetime
) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now, valid_for=timedelta(hours=1))
    make.session(subscriber, router, now)
    listener = orders.listen(context)
    try:
        assert not listener.heard()
        enforcement.sweep(context, now + timedelta(hours=1))
        until(listener.heard)
        assert not listener.heard()
    finally:
        listener.close()


def test_a_customer_that_cannot_be_decided_does_not_stop_the_sweep(
    context: Context, make: Factory, now: datetime
) -> None:
    broken, sound = make.subscriber(now), make.subscriber(now)
    end = now + timedelta(minutes=30)
    make.package(broken, now, valid_for=timedelta(minutes=30))
    make.package(sound, now, valid_for=timedelta(minutes=30))
    with context.transaction() as tx:
        tx.execute(
            update(tables.Subscription)
            .where(tables.Subscription.subscription_id == broken.subscription_id)
            .values(login_hours="whenever")
        )
    enforcement.sweep(context, end)
    assert look(context, sound).rule == "S7"
    postponed = look(context, broken)
    assert (postponed.rule, postponed.next_change_at) == ("S8", end + timedelta(minutes=1))
    assert _parked(context) == {broken.customer_id: "sweep"}
    with context.transaction() as tx:
        tx.execute(
            update(tables.Subscription)
            .where(tables.Subscription.subscription_id == broken.subscription_id)
            .values(login_hours=None)
        )
    enforcement.sweep(context, end + timedelta(minutes=1))
    assert look(context, broken).rule == "S7"
    assert _parked(context) == {}


def _parked(context: Context) -> dict[int, str]:
    with context.transaction() as tx:
        return {one.customer_id: one.job for one in billing_jobs.parked(tx, None)}


@pytest.mark.rule("B9")
def test_an_account_is_loaded_with_its_bills_and_packages(
    context: Context, make: Factory, now: datetime
) -> None:
    subscriber, due_on, number = unpaid_month(context, make, now)
    with context.transaction() as tx:
        (account,) = load_accounts(tx, context.box, [subscriber.subscription_id], now)
    assert account.credential.cleartext == subscriber.password
    assert [(bill.number, bill.due_on) for bill in account.unpaid_bills] == [(number, due_on)]
    assert account.paid_until is None
    bills.pay(context, number, idempotency_key="k", now=now, channel=MoneyChannel.CASH)
    with context.transaction() as tx:
        (account,) = load_accounts(tx, None, [subscriber.subscription_id], now)
    assert not account.credential.present
    assert account.unpaid_bills == ()
    assert account.paid_until is not None
    assert account.paid_until.day == 1


@pytest.mark.rule("Q1")
def test_packages_are_loaded_in_the_order_of_use(
    context: Context, make: Factory, now: datetime
) -> None:
    subscriber = make.subscriber(now)
    long = make.package(subscriber, now, valid_for=3 * A_DAY)
    short = make.package(subscriber, now, valid_for=A_DAY)
    follower = make.package(
        subscriber, now, valid_from=now + 3 * A_DAY, valid_for=A_DAY, follows=True
    )
    with context.transaction() as tx:
        (account,) = load_accounts(tx, None, [subscriber.subscription_id], now)
        (later,) = load_accounts(tx, None, [subscriber.subscription_id], now + 9 * A_DAY)
    assert [e.entitlement_id for e in account.entitlements] == [short, long, follower]
    assert account.last_ended is None
    assert later.entitlements == ()
    assert later.last_ended is not None
    assert later.last_ended.entitlement_id == follower


def test_profiles_without_a_suspended_pool_disconnect(
    context: Context, make: Factory, router: SimulatedNas, now: datetime
) -> None:
    profile = replace(MONTHLY, suspended_pool=None, automatic_suspend=False)
    subscriber = make.subscriber(now, profile=profile, plan=MONTH_PLAN)
    make.session(subscriber, router, now)
    holds.pause(context, subscriber.subscription_id, now)
    assert look(context, subscriber).orders == [("disconnect", "paused", "pending")]
