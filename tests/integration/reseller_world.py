"""An operator, a reseller below it, another below that, and one beside them; each with its staff
under the panel's own role."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count

import psycopg

from billing.model.commerce import MoneyChannel
from billing.model.plan import PlanTerms
from billing.model.resellers import ResellerSaleReceipt
from billing.services import books, customers, reseller_money, reseller_sales, resellers
from billing.services.context import Context
from billing.services.customers import NewCustomer, NewSubscription
from billing.settings import Settings
from billing.store import tables
from billing.store.pool import Database
from tests.factories import DAILY, DAY_PLAN, Factory

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
MONTH_OF_30_DAYS = replace(DAY_PLAN, validity_minutes=30 * 1440, price_micros=10_000_000)
_numbers = count(1)


@dataclass
class Shop:
    """A reseller, its staff's context, and a customer of it on a daily profile."""

    org_id: int
    account: int
    staff: Context
    profile_id: int


@dataclass
class Trade:
    """10.00 a package; the parent pays 7.00 for it, the child 8.00."""

    context: Context
    make: Factory
    panel: Database
    settings: Settings
    owner: Context = field(init=False)
    parent: Shop = field(init=False)
    child: Shop = field(init=False)
    stranger: Shop = field(init=False)
    plan_id: int = field(init=False)

    def __post_init__(self) -> None:
        self.parent = self.shop(1)
        self.child = self.shop(self.parent.org_id)
        self.stranger = self.shop(1)
        self.parent.staff = self.acting(self.parent.org_id, self.child.org_id)
        self.owner = self.acting(1, self.parent.org_id, self.child.org_id, self.stranger.org_id)
        self.plan_id = self.make.plan(NOON, MONTH_OF_30_DAYS)
        resellers.set_cost(self.owner, self.parent.org_id, self.plan_id, 7_000_000, NOON)
        resellers.set_cost(self.parent.staff, self.child.org_id, self.plan_id, 8_000_000, NOON)

    def shop(self, parent_org_id: int, **options: object) -> Shop:
        view = resellers.add(
            self.context,
            name=f"Reseller {next(_numbers)}",
            parent_org_id=parent_org_id,
            profile_id=self.make.profile(NOON, DAILY),
            now=NOON,
            email="shop@example.com",
            **options,  # type: ignore[arg-type]
        )
        with self.context.transaction() as tx:
            account = tx.get_one(tables.Customer, view.account_customer_id)
            profile_id = account.profile_id
        return Shop(view.org_id, view.account_customer_id, self.acting(view.org_id), profile_id)

    def acting(self, org_id: int, *org_ids: int) -> Context:
        """Staff of an organisation, by the panel's role."""
        return replace(
            self.context,
            db=self.panel,
            actor=f"staff:{org_id}",
            home_org_id=org_id,
            org_ids=(org_id, *org_ids),
        )

    def cashier(self, shop: Shop, name: str) -> Context:
        """A cashier of the shop, by the panel's role."""
        return replace(shop.staff, actor=name, cashier=True)

    def customer(self, shop: Shop, profile_id: int | None = None) -> int:
        """The number of a new subscription."""
        name = f"r{next(_numbers)}"
        return customers.add_subscriber(
            shop.staff,
            NewCustomer(name=name, profile_id=profile_id or shop.profile_id),
            NewSubscription(username=name, password="correct horse"),
            NOON,
        )

    def plan(self, terms: PlanTerms, parent_cost: int, child_cost: int) -> int:
        """Another plan, on both lists."""
        plan_id = self.make.plan(NOON, terms)
        resellers.set_cost(self.owner, self.parent.org_id, plan_id, parent_cost, NOON)
        resellers.set_cost(self.parent.staff, self.child.org_id, plan_id, child_cost, NOON)
        return plan_id

    def fund(self, shop: Shop, cents: int, by: Context | None = None) -> None:
        """From the parent's wallet, or in cash from the operator."""
        outside = shop.org_id != self.child.org_id
        reseller_money.transfer(
            by or (self.owner if outside else self.parent.staff),
            shop.org_id,
            cents * 10_000,
            idempotency_key=f"fund {next(_numbers)}",
            now=NOON,
            channel=MoneyChannel.CASH if outside else None,
        )

    def sell(
        self, shop: Shop, subscription_id: int, key: str = "", at: datetime = NOON
    ) -> ResellerSaleReceipt:
        return reseller_sales.sell(
            shop.staff,
            subscription_id,
            self.plan_id,
            idempotency_key=key or f"sale {next(_numbers)}",
            now=at,
        )

    def wallet(self, shop: Shop) -> int:
        """In cents."""
        return resellers.show(self.context, shop.org_id).available_micros // 10_000

    def account(self, customer_id: int, account: str) -> int:
        """The sum of a customer's postings on an account, in cents."""
        rows = self.rows(
            "SELECT COALESCE(sum(amount_micros), 0)::bigint FROM posting"
            " WHERE customer_id = %s AND account = %s",
            customer_id,
            account,
        )
        return int(rows[0][0]) // 10_000

    def findings(self) -> list[str]:
        """What the ledger's check says."""
        found = books.check_ledger(self.context, NOON + timedelta(days=1))
        return [f"{one.problem}: {one.subject}" for one in found.findings]

    def rows(self, query: str, *arguments: object) -> list[tuple[object, ...]]:
        """Asked by the superuser."""
        dsn = self.settings.admin_dsn(self.settings.database_name)
        with psycopg.connect(dsn, autocommit=True) as db:
            found = db.execute(query, arguments)  # type: ignore[arg-type]
            return found.fetchall() if found.description else []


def opened(
    context: Context, make: Factory, settings: Settings, pool_size: int = 5
) -> Iterator[Trade]:
    """For a fixture."""
    panel = Database(settings.dsn("panel"), pool_size=pool_size)
    try:
        yield Trade(context, make, panel, settings)
    finally:
        panel.close()
