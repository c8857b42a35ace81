"""Nothing is lost or invented by what customers buy themselves, refunds in parts and undos,
whatever their order, and at the same time (rules R1, M4, M5, radius.md F15)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random

import pytest

from billing.errors import Refused
from billing.services import (
    plan_changes,
    renewal_run,
    resellers,
    self_purchases,
)
from billing.services.context import Context
from billing.settings import Settings
from billing.store import ledger, tables
from billing.store import resellers as reseller_store
from billing.store import self_service as store
from billing.store.ledger import Line
from tests.factories import Factory
from tests.integration.reseller_world import MONTH_OF_30_DAYS, NOON, Trade, opened
from tests.integration.self_service_world import Buyer
from tests.integration.test_resellers_together import together

LATER = NOON + timedelta(days=30)


@pytest.fixture
def trade(context: Context, make: Factory, settings: Settings) -> Iterator[Trade]:
    yield from opened(context, make, settings, pool_size=50)


@dataclass
class Bought:
    """One purchase as the model sees it, in micros; `costs` from the customer's reseller up."""

    who: Buyer
    entitlement_id: int
    entry_id: int
    paid: int
    costs: tuple[int, ...]
    back: int = 0

    def earned(self, depth: int) -> int:
        """Half-up to the micro of what was not given back."""
        comes = (self.paid, *self.costs)[depth]
        whole = comes - self.costs[depth]
        return whole - (2 * whole * self.back + self.paid) // (2 * self.paid)


@dataclass
class Books:
    """What the accounts of two resellers should have by their customers' purchases."""

    trade: Trade
    bought: list[Bought] = field(default_factory=list)

    def check(self) -> None:
        child, parent = self.trade.child, self.trade.parent
        due = {child.org_id: 0, parent.org_id: 0}
        for one in self.bought:
            for depth, org_id in enumerate((child.org_id, parent.org_id)[-len(one.costs) :]):
                due[org_id] += one.earned(depth)
        for shop in (child, parent):
            has = resellers.show(self.trade.context, shop.org_id).available_micros
            assert has == due[shop.org_id]

    def refund(self, one: Bought, micros: int) -> None:
        """A part of what was paid goes back, and once more the same is asked for."""
        with self.trade.context.transaction() as tx:
            reseller_store.lock_chain_of(tx, one.who.customer_id)
            package = tx.get_one(
                tables.Entitlement,
                {"customer_id": one.who.customer_id, "entitlement_id": one.entitlement_id},
            )
            wallet_id = tx.get_one(tables.Subscription, {
                "customer_id": one.who.customer_id, "subscription_id": package.subscription_id,
            }).wallet_id  # fmt: skip
            ledger.post(
                tx,
                customer_id=one.who.customer_id,
                org_id=package.org_id,
                kind="refund",
                memo="a part",
                lines=[Line(ledger.WALLET, micros, wallet_id), Line(ledger.ROUNDING, -micros)],
                currency="USD",
                now=NOON,
                corrects_entry_id=one.entry_id,
            )
            before = one.earned(0)
            one.back += micros
            assert store.take_back(tx, package, NOON) == before - one.earned(0)
            assert store.take_back(tx, package, NOON) == 0


@pytest.mark.rule("R1", "M4")
@pytest.mark.parametrize("seed", range(6))
def test_random_purchases_and_refunds_in_parts_leave_what_the_model_says(
    trade: Trade, seed: int
) -> None:
    random, model = Random(seed), Books(trade)
    buyers = [Buyer(trade, shop, 10_000_00) for shop in (trade.child, trade.parent) * 2]
    plans: list[tuple[int, int, int, int]] = []
    for _ in range(3):
        top = random.randint(1, 700) * 10_000
        low = top + random.randint(0, 300) * 10_000
        price = max(10_000, low + random.randint(-400, 900) * 10_000)
        plan_id = trade.plan(replace(MONTH_OF_30_DAYS, price_micros=price), top, low)
        plans.append((plan_id, price, low, top))
    for step in range(40):
        open_ones = [one for one in model.bought if one.back < one.paid]
        if not open_ones or random.random() < 0.5:
            who, (plan_id, price, low, top) = random.choice(buyers), random.choice(plans)
            receipt = who.buy(f"{seed} {step}", plan_id=plan_id)
            assert receipt.total_micros == price and receipt.entry_id
            costs = (low, top) if who.shop is trade.child else (top,)
            # Nobody passes on more than is paid.
            model.bought.append(Bought(who, receipt.entitlement_id, receipt.entry_id, price,
                                       tuple(min(price, cost) for cost in costs)))  # fmt: skip
        else:
            one = random.choice(open_ones)
            left = one.paid - one.back
            model.refund(one, left if random.random() < 0.3 else random.randint(1, left))
        model.check()
    assert trade.findings() == []
    for one in model.bought:
        if one.back < one.paid:
            model.refund(one, one.paid - one.back)
    for shop in (trade.child, trade.parent):
        assert resellers.show(trade.context, shop.org_id).available_micros == 0
        assert trade.account(shop.account, "commission:reseller") == 0
    assert trade.findings() == []


@pytest.mark.rule("R1")
def test_more_than_was_paid_is_not_taken_back(trade: Trade) -> None:
    model, one = Books(trade), Buyer(trade, trade.child)
    receipt = one.buy()
    assert receipt.entry_id
    bought = Bought(one, receipt.entitlement_id, receipt.entry_id, 10_000_000,
                    (8_000_000, 7_000_000))  # fmt: skip
    with pytest.raises(Exception, match="was given back by 10000001, of 10000000"):
        model.refund(bought, 10_000_001)
    assert trade.wallet(trade.child) == 2_00
    assert trade.findings() == []


@pytest.mark.rule("R1", "R2", "F15")
def test_purchases_sales_renewals_transfers_and_undos_at_once_end_without_a_deadlock(
    trade: Trade, make: Factory
) -> None:
    trade.fund(trade.parent, 2_000_00)
    trade.fund(trade.child, 800_00)
    begun = (trade.wallet(trade.child), trade.wallet(trade.parent))
    buyers = [Buyer(trade, shop, 500_00) for shop in (trade.child, trade.parent) * 3]
    renewing = [Buyer(trade, trade.child, 500_00) for _ in range(4)]
    changing = [Buyer(trade, trade.child, 500_00) for _ in range(3)]
    for one in buyers:
        one.buy("first")
    for one in (*renewing, *changing):
        one.buy("first", NOON if one in renewing else LATER)
    for one in renewing:
        with trade.context.transaction() as tx:
            row = tx.get_one(tables.Subscription, {
                "customer_id": one.customer_id, "subscription_id": one.subscription_id,
            })  # fmt: skip
            row.renews, row.renews_at = True, LATER
    payg = make.plan(
        NOON,
        replace(
            MONTH_OF_30_DAYS,
            validity_minutes=None,
            price_micros=0,
            payg_second_step=60,
            payg_second_step_micros=1_000,
        ),
    )
    acts: list[Callable[[], object]] = []
    for n, one in enumerate(buyers):
        acts += [lambda one=one, k=k: one.buy(f"again {k}", LATER) for k in range(3)]
        acts += [
            lambda one=one: trade.sell(one.shop, one.subscription_id, at=LATER) for _ in range(2)
        ]
        acts += [lambda one=one, n=n: one.pay(1_00, f"money {n}")]
    acts += [lambda: renewal_run.run(trade.context, LATER) for _ in range(3)]
    acts += [lambda: trade.fund(trade.child, 3_00), lambda: trade.fund(trade.child, -1_00)]
    acts += [
        lambda one=one: plan_changes.change_plan(
            trade.context,
            one.subscription_id,
            payg,
            idempotency_key="plan",
            now=LATER,
            when=plan_changes.When.NOW,
        )
        for one in changing
    ]
    done = together(*acts)
    assert [one for one in done if isinstance(one, Refused)] == []
    # 10.00 each: the child's customers bring it 2.00 and its parent 1.00, the parent's own 3.00.
    # First purchases are ten of the child's and three of its parent's; three are given back.
    own = 10 - 3 + 9 + 4
    child = begun[0] + own * 2_00 - 6 * 8_00 + 2_00
    parent = begun[1] + own * 1_00 + (3 + 9) * 3_00 + 6 * 1_00 - 6 * 7_00 - 2_00
    assert (trade.wallet(trade.child), trade.wallet(trade.parent)) == (child, parent)
    assert len(self_purchases.listed(trade.context, trade.child.org_id, limit=500)) == 10 + 9 + 4
    assert trade.findings() == []


@pytest.mark.rule("R1", "M5")
def test_one_purchase_sent_and_undone_many_times_at_once_happens_once(trade: Trade) -> None:
    one = Buyer(trade, trade.child)
    receipts = together(*(lambda: one.buy("key") for _ in range(20)))
    assert len({got.entitlement_id for got in receipts}) == 1  # type: ignore[attr-defined]
    assert trade.wallet(trade.child) == 2_00
    number = one.purchase_id()
    done = together(
        *(
            lambda n=n: self_purchases.undo(
                trade.parent.staff, number, idempotency_key=f"u{n % 2}", now=NOON
            )
            for n in range(20)
        )
    )
    assert sum(not isinstance(got, Refused) and not got.repeated for got in done) == 1  # type: ignore[attr-defined]
    assert (trade.wallet(trade.child), trade.wallet(trade.parent)) == (0, 0)
    assert trade.findings() == []
