"""A small ISP with subscribers in every state, made by the services and the real meter."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from billing.model.commerce import MoneyChannel
from billing.model.events import AccountingRecord, LoginRecord, Status
from billing.model.network import Vendor
from billing.model.plan import PlanTerms
from billing.model.profile import BillingKind, BillingProfile, Payment
from billing.services import bills, catalog, customers, metering, nas, pools, sales, subscribers
from billing.services.context import Context
from billing.settings import Settings
from billing.store.admission import admit_logins
from billing.store.hotpath import HotConnection

NAS_ADDRESS = "127.77.0.9"
MB = 10**6
DAILY = BillingProfile(name="Prepaid daily", kind=BillingKind.DAILY, payment=Payment.PREPAID)
MONTHLY = BillingProfile(
    name="Homes monthly",
    kind=BillingKind.MONTHLY,
    payment=Payment.POSTPAID,
    automatic_suspend=True,
    cycle_day=10,
    suspended_pool="walled",
)
WEEK = PlanTerms(
    plan_version_id=0,
    plan_name="Week 20 GB",
    price_micros=5_000_000,
    currency="USD",
    validity_minutes=7 * 1440,
    seconds=40 * 3600,
    octets=20_000 * MB,
    speed_down_kbps=20_000,
    speed_up_kbps=5_000,
    pool="hotspot",
)
HOME = PlanTerms(
    plan_version_id=0,
    plan_name="Home 50",
    price_micros=30_000_000,
    currency="USD",
    validity_months=1,
    speed_down_kbps=50_000,
    speed_up_kbps=10_000,
    pool="homes",
)
PEOPLE = (
    ("Amina Diallo", "amina", 3),
    ("Bruno Costa", "bruno.c", 5),
    ("Chen Wei", "chenwei", 1),
    ("Dana Novak", "dana@fiber", 6),
    ("Esther Okafor", "esther", 2),
)


@dataclass(frozen=True)
class Isp:
    """Ids that the tests open."""

    profile_id: int
    plan_id: int
    running_id: int
    expired_id: int
    overdue_id: int
    pool_id: int
    customer_id: int
    """Of the overdue one."""


def build(context: Context, settings: Settings, now: datetime) -> Isp:
    """Profiles, plans, a NAS, daily subscribers with usage, an expired and an overdue one."""
    long_ago = now - timedelta(days=75)
    daily = catalog.add_profile(context, DAILY, long_ago).profile_id
    monthly = catalog.add_profile(context, MONTHLY, long_ago).profile_id
    week = catalog.add_plan(context, WEEK, long_ago).plan_id
    home = catalog.add_plan(context, HOME, long_ago).plan_id
    day = replace(WEEK, plan_name="Day pass", validity_minutes=1440, price_micros=1_000_000)
    catalog.add_plan(context, replace(day, seconds=None, octets=2_000 * MB), long_ago)
    nas.add_nas(
        context, name="tower-north", address=NAS_ADDRESS, vendor=Vendor.MIKROTIK, now=long_ago
    )
    with closing(_lane(settings)) as lane:
        running = [_daily(context, lane, daily, week, person, now) for person in PEOPLE]
    lapsed = _subscriber(context, daily, "Farid Hassan", "farid", long_ago)
    _sell(context, lapsed, week, now - timedelta(days=9))
    overdue = _subscriber(context, monthly, "Greta Lind", "greta-home", long_ago, home)
    _bill(context, overdue, now)
    _subscriber(context, monthly, "Hugo Martin", "hugo-home", now - timedelta(days=3), home)
    return Isp(
        daily,
        week,
        running[0],
        lapsed,
        overdue,
        _pool(context, settings, running, now),
        customers.customer_of(context, overdue),
    )


def _pool(context: Context, settings: Settings, running: list[int], now: datetime) -> int:
    """A pool of ours: the first subscriber's session has an address, the second waits for his."""
    pool_id = pools.add_pool(
        context, name="leased here", ranges=["10.20.0.7-10.20.0.99"], now=now
    ).pool_id
    with closing(_lane(settings)) as lane:
        for subscription_id in running[:2]:
            row = subscribers.show(context, subscription_id, now).row
            login = LoginRecord(
                username=row.username,
                customer_id=row.customer_id,
                subscription_id=subscription_id,
                nas_address=NAS_ADDRESS,
                calling_station="0242ac110002",
                outcome="accept",
                reason="ok",
                entitlement_id=0,
                at=now,
                pool_id=pool_id,
                silence_seconds=4 * 3600,
            )
            admit_logins(lane, [login], now)
    return pool_id


def _lane(settings: Settings) -> HotConnection:
    return HotConnection(settings.dsn("radius"), statement_timeout_ms=9000, lock_timeout_ms=9000)


def _daily(
    context: Context,
    lane: HotConnection,
    profile_id: int,
    plan_id: int,
    person: tuple[str, str, int],
    now: datetime,
) -> int:
    name, username, days = person
    bought = now - timedelta(days=days)
    subscription_id = _subscriber(context, profile_id, name, username, bought)
    _sell(context, subscription_id, plan_id, bought)
    for past in range(days - 1, -1, -1):
        start = now - timedelta(days=past, hours=3)
        _session(lane, username, f"{username}-{past}", start, 900 + 600 * days, end=past > 0)
    return subscription_id


def _subscriber(
    context: Context,
    profile_id: int,
    name: str,
    username: str,
    at: datetime,
    plan: int | None = None,
) -> int:
    customer = customers.add_customer(
        context,
        name=name,
        profile_id=profile_id,
        now=at,
        email=f"{name.split()[0].lower()}@mail.example",
        phone="+15550100",
    )
    return customers.add_subscription(
        context,
        customer_id=customer.customer_id,
        username=username,
        password="correct horse",
        plan_id=plan,
        now=at,
    )


def _sell(context: Context, subscription_id: int, plan_id: int, at: datetime) -> None:
    sales.sell(
        context,
        subscription_id,
        plan_id,
        idempotency_key=f"sale-{subscription_id}",
        now=at,
        pay_by=MoneyChannel.CASH,
    )


def _bill(context: Context, subscription_id: int, now: datetime) -> None:
    issued = now - timedelta(days=40)
    bills.issue_bill(
        context,
        subscription_id,
        cycle_from=issued.date(),
        cycle_until=issued.date() + timedelta(days=30),
        amount_micros=30_000_000,
        now=issued,
    )


def _session(
    lane: HotConnection, username: str, session: str, start: datetime, seconds: int, *, end: bool
) -> None:
    """Start, an interim and (where it ended) a Stop, through charge_usage_v1."""
    for status, spent in (
        (Status.START, 0),
        (Status.INTERIM, seconds // 2),
        *(((Status.STOP, seconds),) if end else ()),
    ):
        at = start + timedelta(seconds=spent)
        record = AccountingRecord(
            status=status,
            username=username,
            sent_username=username,
            nas_address=NAS_ADDRESS,
            acct_session_id=session,
            arrived_at=at,
            event_at=at,
            precise_time=True,
            session_seconds=spent,
            input_octets=spent * 60_000,
            output_octets=spent * 520_000,
            has_gigawords=True,
            framed_ip="10.20.0.7",
            calling_station="0242ac110002",
            terminate_cause="User-Request" if status is Status.STOP else None,
        )
        metering.meter_batch(lane, [metering.prepare(record)], at)
