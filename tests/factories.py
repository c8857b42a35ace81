"""What tests are about: profiles, plans, subscribers, packages and NAS, each named anew."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import select

from billing.model.events import AccountingRecord, Status
from billing.model.network import Link, Vendor
from billing.model.plan import PlanTerms
from billing.model.profile import BillingKind, BillingProfile, Payment
from billing.services import catalog, customers, enforcement
from billing.services.context import Context
from billing.store import tables
from billing.store.customers import lock_customer
from billing.store.hotpath import HotConnection, charge_usage, usage_row
from rig.nas import SimulatedNas

DAILY = BillingProfile(name="", kind=BillingKind.DAILY, payment=Payment.PREPAID)
MONTHLY = BillingProfile(
    name="",
    kind=BillingKind.MONTHLY,
    payment=Payment.POSTPAID,
    automatic_suspend=True,
    suspended_pool="walled",
)
DAY_PLAN = PlanTerms(
    plan_version_id=0,
    plan_name="",
    price_micros=1_000_000,
    currency="USD",
    validity_minutes=1440,
    pool="pool-normal",
    speed_up_kbps=2_000,
    speed_down_kbps=10_000,
)
MONTH_PLAN = replace(DAY_PLAN, validity_minutes=None, validity_months=1, price_micros=30_000_000)
PASSWORD = "correct horse"

_numbers = count(1)
# The next loopback address for a NAS of this process; its sockets are the test's own.
_hosts = count(2 + secrets.randbelow(200) * 256)


@dataclass
class Subscriber:
    """Ids and the login of one subscription."""

    customer_id: int
    subscription_id: int
    username: str
    password: str = PASSWORD


@dataclass
class Factory:
    """Makes rows through the services; names never collide within a database."""

    context: Context
    radius_dsn: str
    profiles: dict[BillingProfile, int] = field(default_factory=dict)
    plans: dict[PlanTerms, int] = field(default_factory=dict)

    def profile(self, now: datetime, template: BillingProfile = DAILY) -> int:
        """Id of a profile with these switches."""
        if template not in self.profiles:
            named = replace(template, name=f"{template.kind} {next(_numbers)}")
            view = catalog.add_profile(self.context, named, now)
            self.profiles[template] = view.profile_id
        return self.profiles[template]

    def plan(self, now: datetime, template: PlanTerms = DAY_PLAN) -> int:
        """Id of a plan with these terms."""
        if template not in self.plans:
            named = replace(template, plan_name=f"plan {next(_numbers)}")
            self.plans[template] = catalog.add_plan(self.context, named, now).plan_id
        return self.plans[template]

    def subscriber(
        self,
        now: datetime,
        *,
        profile: BillingProfile = DAILY,
        plan: PlanTerms = DAY_PLAN,
        **options: Any,
    ) -> Subscriber:
        """A customer with one subscription on `plan`, nothing bought; options as the service's."""
        username = f"user{next(_numbers)}-{secrets.token_hex(2)}"
        customer = customers.add_customer(
            self.context,
            name=f"Customer {username}",
            profile_id=self.profile(now, profile),
            now=now,
        )
        subscription_id = customers.add_subscription(
            self.context,
            customer_id=customer.customer_id,
            username=username,
            password=PASSWORD,
            plan_id=self.plan(now, plan),
            now=now,
            **options,
        )
        return Subscriber(customer.customer_id, subscription_id, username)

    def package(
        self,
        subscriber: Subscriber,
        now: datetime,
        *,
        valid_from: datetime | None = None,
        valid_for: timedelta | None = timedelta(days=1),
        seconds: int | None = None,
        octets: int | None = None,
        follows: bool = False,
    ) -> int:
        """An entitlement as a sale leaves it, enforcement included; returns its id."""
        starts = valid_from or now
        with self.context.transaction() as tx:
            lock_customer(tx, subscriber.customer_id)
            owner = tx.scalars(
                select(tables.Subscription).where(
                    tables.Subscription.subscription_id == subscriber.subscription_id
                )
            ).one()
            row = tables.Entitlement(
                customer_id=subscriber.customer_id,
                org_id=owner.org_id,
                subscription_id=subscriber.subscription_id,
                plan_version_id=owner.plan_version_id,
                follows=follows,
                validity_minutes=None if valid_for is None else valid_for // timedelta(minutes=1),
                valid_from=starts,
                valid_until=None if valid_for is None else starts + valid_for,
                seconds_total=seconds,
                seconds_left=seconds,
                octets_total=octets,
                octets_left=octets,
                price_micros=0,
                purchased_at=now,
            )
            tx.add(row)
            tx.flush()
            enforcement.reconcile(tx, self.context, subscriber.customer_id, now)
            return row.entitlement_id

    def nas(
        self,
        now: datetime,
        *,
        address: str,
        secret: str,
        coa_port: int,
        vendor: str = Vendor.GENERIC,
    ) -> int:
        """A NAS that Tollway knows; returns its id."""
        with self.context.transaction() as tx:
            row = tables.Nas(
                org_id=1,
                revision=1,
                name=f"nas {next(_numbers)}",
                address=address,
                vendor=vendor,
                secret_sealed=b"",
                coa_port=coa_port,
                swap_octets=False,
                require_message_authenticator=True,
                created_at=now,
            )
            tx.add(row)
            tx.flush()
            row.secret_sealed = self.context.box.seal(secret, f"nas:{row.nas_id}")
            return row.nas_id

    def simulated_nas(
        self,
        now: datetime,
        *,
        vendor: str = Vendor.GENERIC,
        auth_port: int = 0,
        acct_port: int = 0,
    ) -> SimulatedNas:
        """A NAS that runs at a loopback address of its own and is known to Tollway."""
        host = next(_hosts)
        simulated = SimulatedNas(
            secret=secrets.token_hex(16).encode(),
            address=f"127.1.{host // 256 % 250}.{host % 250 + 1}",
            auth_port=auth_port,
            acct_port=acct_port,
        )
        simulated.nas_id = self.nas(
            now,
            address=simulated.address,
            secret=simulated.secret.decode(),
            coa_port=simulated.coa_port,
            vendor=vendor,
        )
        return simulated

    def session(
        self,
        subscriber: Subscriber,
        nas: SimulatedNas,
        now: datetime,
        *,
        suspended: bool = False,
        session_class: str | None = "",
        link: Link = Link.OTHER,
    ) -> int:
        """A running session as its Start leaves it; returns its id."""
        if session_class == "":
            session_class = f"tw1:{subscriber.subscription_id}:{'s' if suspended else 'n'}"
            session_class += f":{link}" if link else ""
        acct_session_id = secrets.token_hex(8)
        start = AccountingRecord(
            status=Status.START,
            username=subscriber.username,
            sent_username=subscriber.username.upper(),
            nas_address=nas.address,
            acct_session_id=acct_session_id,
            arrived_at=now,
            event_at=now,
            precise_time=True,
            framed_ip="10.20.0.7",
            session_class=session_class,
        )
        lane = HotConnection(self.radius_dsn, statement_timeout_ms=5000, lock_timeout_ms=5000)
        try:
            charge_usage(lane, [usage_row(start)], now)
        finally:
            lane.close()
        with self.context.transaction() as tx:
            return tx.scalars(
                select(tables.LiveSession.session_id).where(
                    tables.LiveSession.acct_session_id == acct_session_id
                )
            ).one()
