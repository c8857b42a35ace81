"""The demo's ISP: profiles, plans, NAS, resellers, and the people of the story. Repeatable."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from dateutil.relativedelta import relativedelta
from sqlalchemy import func, select

from billing.errors import NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.network import Vendor
from billing.model.plan import PlanTerms
from billing.model.profile import BillingKind, BillingProfile, Payment
from billing.rules.cycles import cycle_at, day_start
from billing.services import bills, catalog, customers, nas, sales
from billing.services.context import Context
from billing.store import tables
from rig.nas import SimulatedNas

ROUTER = "demo-router"
ROUTER_ADDRESS = "127.77.0.1"
ENTRANCE = "walled-garden"
MEGABYTE = 10**6

DAILY = BillingProfile(name="Prepaid packages", kind=BillingKind.DAILY, payment=Payment.PREPAID)
MONTHLY = BillingProfile(
    name="Homes, billed monthly",
    kind=BillingKind.MONTHLY,
    payment=Payment.POSTPAID,
    automatic_suspend=True,
    cycle_day=1,
    due_days=10,
    suspended_pool=ENTRANCE,
)
HOUR = PlanTerms(
    plan_version_id=0,
    plan_name="Hour pass, 500 MB",
    price_micros=2_000_000,
    currency="",
    validity_minutes=1440,
    seconds=3600,
    octets=500 * MEGABYTE,
    speed_up_kbps=2_000,
    speed_down_kbps=10_000,
    pool="hotspot",
)
WEEK = replace(
    HOUR,
    plan_name="Week, 20 GB",
    price_micros=9_000_000,
    validity_minutes=7 * 1440,
    seconds=None,
    octets=20_000 * MEGABYTE,
    speed_up_kbps=5_000,
    speed_down_kbps=20_000,
)
HOME = replace(
    HOUR,
    plan_name="Home 50",
    price_micros=30_000_000,
    validity_minutes=None,
    validity_months=1,
    seconds=None,
    octets=None,
    speed_up_kbps=10_000,
    speed_down_kbps=50_000,
    pool="homes",
)
RESELLERS = ("Corner Shop Wi-Fi", "Harbour Net")

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Isp:
    """Ids of what everybody in the demo uses; `orgs` are the operator and its resellers."""

    daily: int
    monthly: int
    hour: int
    week: int
    home: int
    orgs: tuple[int, ...]
    time_zone: str


@dataclass(frozen=True)
class Person:
    """A subscriber who can log in."""

    username: str
    password: str
    subscription_id: int


def open_isp(context: Context, now: datetime) -> Isp:
    """Make what is missing of the ISP. Raises Refused where real customers are served."""
    _refuse_real_installation(context)
    operator = catalog.operator(context)
    began = now - timedelta(days=120)

    def profile(template: BillingProfile) -> int:
        return _or_made(
            lambda: catalog.find_profile(context, template.name),
            lambda: catalog.add_profile(context, template, began),
        ).profile_id

    def plan(template: PlanTerms) -> int:
        terms = replace(template, currency=operator.currency)
        return _or_made(
            lambda: catalog.find_plan(context, terms.plan_name, now),
            lambda: catalog.add_plan(context, terms, began),
        ).plan_id

    return Isp(
        daily=profile(DAILY),
        monthly=profile(MONTHLY),
        hour=plan(HOUR),
        week=plan(WEEK),
        home=plan(HOME),
        orgs=(context.home_org_id, *_resellers(context, began)),
        time_zone=operator.time_zone,
    )


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the played router is, and where its servers are."""

    address: str = ROUTER_ADDRESS
    server: str = "127.0.0.1"
    auth_port: int
    acct_port: int
    coa_port: int


def open_router(context: Context, place: Place, now: datetime) -> SimulatedNas:
    """The played router, known to Tollway with a secret of its own from the first demo on."""
    with context.transaction() as tx:
        row = tx.scalar(select(tables.Nas).where(tables.Nas.name == ROUTER))
        if row is not None:
            row.address, row.coa_port = place.address, place.coa_port
            secret = context.box.open(row.secret_sealed, f"nas:{row.nas_id}")
    if row is None:
        _, secret = nas.add_nas(
            context,
            name=ROUTER,
            address=place.address,
            vendor=Vendor.MIKROTIK,
            coa_port=place.coa_port,
            now=now,
        )
    return SimulatedNas(
        secret=secret.encode(),
        address=place.address,
        server=place.server,
        auth_port=place.auth_port,
        acct_port=place.acct_port,
        coa_port=place.coa_port,
    )


def add_person(
    context: Context, name: str, username: str, profile_id: int, plan_id: int | None, at: datetime
) -> Person:
    """A customer with one subscription and a random password."""
    customer = customers.add_customer(
        context,
        name=name,
        profile_id=profile_id,
        now=at,
        email=f"{username.partition('@')[0]}@mail.example",
    )
    password = secrets.token_urlsafe(12)
    subscription_id = customers.add_subscription(
        context,
        customer_id=customer.customer_id,
        username=username,
        password=password,
        plan_id=plan_id,
        now=at,
    )
    return Person(username, password, subscription_id)


def sell(context: Context, subscription_id: int, plan_id: int, at: datetime) -> None:
    """A package, paid in cash at the desk."""
    sales.sell(
        context,
        subscription_id,
        plan_id,
        idempotency_key=f"demo-{secrets.token_hex(8)}",
        now=at,
        pay_by=MoneyChannel.CASH,
    )


def add_debtor(context: Context, isp: Isp, name: str, username: str, now: datetime) -> Person:
    """A monthly customer who paid the month before last, and never the last one's bill.

    That bill's payment date, ten days after the last month began, has always passed.
    """
    last = cycle_at(now, MONTHLY, isp.time_zone).first_day - relativedelta(months=1)
    joined = day_start(last - relativedelta(months=1), isp.time_zone)
    person = add_person(context, name, username, isp.monthly, isp.home, joined)
    sell(context, person.subscription_id, isp.home, joined)
    bills.issue_bill(
        context,
        person.subscription_id,
        cycle_from=last,
        cycle_until=last + relativedelta(months=1),
        amount_micros=HOME.price_micros,
        now=day_start(last, isp.time_zone),
    )
    return person


def _resellers(context: Context, at: datetime) -> tuple[int, ...]:
    with context.transaction() as tx:
        known = {
            row.name: row.org_id
            for row in tx.scalars(
                select(tables.Organisation).where(
                    tables.Organisation.parent_org_id == context.home_org_id
                )
            )
        }
        for name in RESELLERS:
            if name not in known:
                row = tables.Organisation(
                    parent_org_id=context.home_org_id, name=name, created_at=at
                )
                tx.add(row)
                tx.flush()
                known[name] = row.org_id
    return tuple(known[name] for name in RESELLERS)


def _refuse_real_installation(context: Context) -> None:
    """Demo customers and the demo's login do not belong among real ones (security.md 3)."""
    with context.transaction() as tx:
        known = tx.scalar(select(tables.Nas.nas_id).where(tables.Nas.name == ROUTER))
        served = tx.scalar(select(func.count()).select_from(tables.Customer)) or 0
    if known is None and served:
        raise Refused(
            f"this installation serves {served} customers already; give the demo one of its own: "
            "TOLLWAY_STATE_DIR=DIRECTORY ./run demo"
        )


def _or_made(find: Callable[[], _Found], make: Callable[[], _Found]) -> _Found:
    try:
        return find()
    except NotFound:
        return make()
