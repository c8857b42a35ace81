"""What a reseller's customer buys itself earns the chain its margins (rules R1, M4, M5, P10)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest

from billing.errors import Conflict, NotFound, Refused
from billing.model.commerce import MoneyChannel, SaleChannel
from billing.model.resellers import SaleKind
from billing.services import (
    holds,
    offers,
    plan_changes,
    renewal_run,
    reseller_money,
    reseller_sales,
    resellers,
    sales,
    self_purchases,
)
from billing.services.context import Context
from billing.settings import Settings
from tests.factories import Factory
from tests.integration.reseller_world import MONTH_OF_30_DAYS, NOON, Trade, opened
from tests.integration.self_service_world import Buyer, switch

MARCH = date(2026, 3, 1)
EACH = "SELECT kind FROM journal_entry WHERE customer_id = %s ORDER BY entry_id"


@pytest.fixture
def trade(context: Context, make: Factory, settings: Settings) -> Iterator[Trade]:
    yield from opened(context, make, settings)


@pytest.mark.rule("R1", "M4")
def test_a_purchase_credits_the_reseller_and_each_above_it(trade: Trade) -> None:
    one = Buyer(trade, trade.child)
    receipt = one.buy()
    assert receipt.total_micros == 10_000_000
    assert one.wallet() == 90_00
    assert trade.wallet(trade.child) == 2_00
    assert trade.wallet(trade.parent) == 1_00
    for shop, cents in ((trade.child, 2_00), (trade.parent, 1_00)):
        assert trade.rows(EACH, shop.account) == [("self_service",)]
        assert trade.account(shop.account, "commission:reseller") == -cents
        assert trade.account(shop.account, "money:reseller") == 0
    assert trade.findings() == []


@pytest.mark.rule("R1", "M5")
def test_a_purchase_sent_twice_earns_once(trade: Trade) -> None:
    one = Buyer(trade, trade.child)
    one.buy("same")
    assert one.buy("same").repeated
    assert trade.wallet(trade.child) == 2_00
    other = trade.plan(replace(MONTH_OF_30_DAYS, price_micros=9_000_000), 7_000_000, 8_000_000)
    with pytest.raises(Conflict):
        one.buy("same", plan_id=other)
    assert trade.wallet(trade.child) == 2_00


@pytest.mark.rule("R1")
def test_who_earns_pays_its_retail_price_and_it_is_offered_at_it(trade: Trade) -> None:
    resellers.set_retail(trade.child.staff, trade.child.org_id, trade.plan_id, 12_000_000, NOON)
    one = Buyer(trade, trade.child)
    (offer,) = [
        found
        for found in offers.of_subscription(one.context, one.subscription_id, NOON)
        if found.plan_id == trade.plan_id
    ]
    assert offer.total_micros == 12_000_000
    assert one.buy().total_micros == 12_000_000
    assert (trade.wallet(trade.child), trade.wallet(trade.parent)) == (4_00, 1_00)
    switch(trade, trade.child, on=False)
    assert one.buy("at the plan's").total_micros == 10_000_000


@pytest.mark.rule("R1")
@pytest.mark.parametrize(
    ("child", "parent", "earned"),
    [(True, False, (2_00, 0)), (False, True, (0, 1_00)), (False, False, (0, 0))],
)
def test_who_does_not_earn_leaves_its_part_with_the_operator(
    trade: Trade, child: bool, parent: bool, earned: tuple[int, int]
) -> None:
    switch(trade, trade.child, on=child)
    switch(trade, trade.parent, on=parent)
    Buyer(trade, trade.child).buy()
    assert (trade.wallet(trade.child), trade.wallet(trade.parent)) == earned
    assert bool(self_purchases.listed(trade.context, trade.child.org_id)) == any(earned)
    assert trade.findings() == []


@pytest.mark.rule("R1")
def test_a_plan_that_it_could_not_sell_earns_nothing(trade: Trade) -> None:
    resellers.set_cost(trade.owner, trade.parent.org_id, trade.plan_id, None, NOON)
    one = Buyer(trade, trade.child)
    one.buy()
    assert (trade.wallet(trade.child), trade.wallet(trade.parent)) == (0, 0)
    assert one.wallet() == 90_00


@pytest.mark.rule("R1", "P12")
def test_nobody_pays_for_what_a_customer_buys(trade: Trade) -> None:
    # The parent pays 7.00 and has its child pay 6.00; the other plan is sold below its cost.
    resellers.set_cost(
        trade.parent.staff, trade.child.org_id, trade.plan_id, 6_000_000, NOON, below_parent=True
    )
    one = Buyer(trade, trade.child)
    one.buy()
    assert (trade.wallet(trade.child), trade.wallet(trade.parent)) == (3_00, 0)
    cheap = trade.plan(replace(MONTH_OF_30_DAYS, price_micros=7_500_000), 7_000_000, 8_000_000)
    one.buy("cheap", plan_id=cheap)
    assert (trade.wallet(trade.child), trade.wallet(trade.parent)) == (3_00, 50)
    assert trade.findings() == []


@pytest.mark.rule("R1")
def test_what_staff_sells_is_no_purchase_of_the_customer(trade: Trade) -> None:
    one = Buyer(trade, trade.child)
    sales.sell(trade.context, one.subscription_id, trade.plan_id, idempotency_key="desk", now=NOON)
    assert trade.wallet(trade.child) == 0
    assert self_purchases.listed(trade.context, trade.child.org_id) == []


@pytest.mark.rule("R1", "M4")
def test_undone_goes_back_in_proportion_to_the_micro(trade: Trade) -> None:
    one = Buyer(trade, trade.child)
    one.buy()
    later = NOON + timedelta(days=10)
    with pytest.raises(Refused, match="only who is above"):
        self_purchases.undo(trade.child.staff, one.purchase_id(), idempotency_key="late", now=later)
    done = self_purchases.undo(
        trade.parent.staff, one.purchase_id(), idempotency_key="undo", now=later
    )
    again = self_purchases.undo(
        trade.parent.staff, one.purchase_id(), idempotency_key="undo", now=later
    )
    assert again.repeated and again.lost_micros == done.lost_micros
    # 20 of 30 days of 10.00 are 6.67: of 2.00 as much is 1.334, of 1.00 it is 0.667.
    assert (done.back_micros, done.lost_micros) == (6_670_000, 1_334_000)
    assert one.wallet() == 96_67
    has = {
        shop.org_id: resellers.show(trade.context, shop.org_id).available_micros
        for shop in (trade.child, trade.parent)
    }
    assert has == {trade.child.org_id: 666_000, trade.parent.org_id: 333_000}
    with pytest.raises(Refused, match="given back on"):
        self_purchases.undo(
            trade.parent.staff, one.purchase_id(), idempotency_key="other", now=later
        )
    assert trade.findings() == []


@pytest.mark.rule("R1")
def test_undone_at_once_is_undone_whole_and_by_its_own_people_only(trade: Trade) -> None:
    one = Buyer(trade, trade.child)
    one.buy()
    number = one.purchase_id()
    for who in (trade.stranger.staff, trade.cashier(trade.child, "till")):
        with pytest.raises((NotFound, Refused)):
            self_purchases.undo(who, number, idempotency_key="x", now=NOON)
    self_purchases.undo(trade.child.staff, number, idempotency_key="u", now=NOON)
    assert (trade.wallet(trade.child), trade.wallet(trade.parent)) == (0, 0)
    assert one.wallet() == 100_00
    assert trade.findings() == []


@pytest.mark.rule("R1", "B17")
def test_a_change_of_plan_that_gives_a_package_back_takes_the_margin_back(
    trade: Trade, make: Factory
) -> None:
    one = Buyer(trade, trade.child)
    one.buy()
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
    plan_changes.change_plan(
        trade.context,
        one.subscription_id,
        payg,
        idempotency_key="plan",
        now=NOON + timedelta(days=15),
        when=plan_changes.When.NOW,
    )
    assert one.wallet() == 95_00
    assert (trade.wallet(trade.child), trade.wallet(trade.parent)) == (1_00, 50)
    assert trade.findings() == []


@pytest.mark.rule("R1", "P10")
def test_a_package_that_renews_earns_each_time_and_not_where_it_does_not_earn(
    trade: Trade,
) -> None:
    one = Buyer(trade, trade.child, 25_00)
    one.buy()
    holds.set_renewal(trade.context, one.subscription_id, NOON, on=True)
    end = NOON + timedelta(days=30)
    report = renewal_run.run(trade.context, end)
    assert (report.packages, report.parked) == (1, ())
    assert (trade.wallet(trade.child), trade.wallet(trade.parent)) == (4_00, 2_00)
    # Its wallet has 5.00: the money that lacks comes, and the next run buys.
    assert renewal_run.run(trade.context, end + timedelta(days=30)).packages == 0
    sales.topup(
        trade.context,
        one.customer_id,
        5_000_000,
        channel=MoneyChannel.CARD,
        idempotency_key="more",
        now=end + timedelta(days=30, hours=1),
    )
    assert renewal_run.run(trade.context, end + timedelta(days=30, hours=1)).packages == 1
    assert (trade.wallet(trade.child), trade.wallet(trade.parent)) == (6_00, 3_00)
    switch(trade, trade.child, on=False)
    other = Buyer(trade, trade.child)
    with pytest.raises(Refused, match="buys nothing by itself"):
        holds.set_renewal(trade.context, other.subscription_id, NOON, on=True)
    assert trade.findings() == []


@pytest.mark.rule("R1")
def test_the_statement_lists_it_by_its_kind(trade: Trade) -> None:
    trade.fund(trade.parent, 100_00)
    trade.fund(trade.child, 50_00)
    one = Buyer(trade, trade.child)
    trade.sell(trade.child, one.subscription_id)
    one.buy()
    one.buy("wrong")
    self_purchases.undo(trade.child.staff, one.purchase_id(), idempotency_key="u", now=NOON)
    for shop, earned, moved in ((trade.child, 2_00, -6_00), (trade.parent, 1_00, 2_00)):
        found = reseller_money.statement(trade.context, shop.org_id, MARCH)
        lines = {line.kind: line for line in found.lines}
        assert set(lines) == {SaleKind.SALE, SaleKind.SELF_SERVICE}
        own = lines[SaleKind.SELF_SERVICE]
        assert (own.sold, own.undone) == (2, 1)
        assert own.seller_org_id == trade.child.org_id
        assert (own.paid_micros, own.cost_micros) == (10_000_000, 8_000_000)
        assert own.commission_micros == own.wallet_micros == earned * 10_000
        assert found.commission_micros == 2 * earned * 10_000
        assert found.sales_micros == moved * 10_000
    assert trade.findings() == []


@pytest.mark.rule("R1")
def test_a_customer_sees_no_earnings_and_buys_for_nobody_else(trade: Trade) -> None:
    one, other = Buyer(trade, trade.child), Buyer(trade, trade.child)
    one.buy()
    with one.context.transaction() as tx:
        rows = tx.connection().exec_driver_sql("SELECT count(*) FROM self_purchase_share")
        assert rows.scalar() == 0
        rows = tx.connection().exec_driver_sql("SELECT count(*) FROM reseller_cost")
        assert rows.scalar() == 0
    with pytest.raises(NotFound):
        sales.sell(
            one.context,
            other.subscription_id,
            trade.plan_id,
            idempotency_key="theirs",
            now=NOON,
            channel=SaleChannel.PORTAL,
        )
    for text in (
        "SELECT post_self_purchase_v1({other}, {package}, 1, '{{1}}', 'EUR', '', '', now())",
        "SELECT take_back_self_purchase_v1({other}, {package}, '', now())",
    ):
        bought = other.buy(f"k{len(text)}")
        with pytest.raises(Exception, match="who asks"), one.context.transaction() as tx:
            call = text.format(other=other.customer_id, package=bought.entitlement_id)
            tx.connection().exec_driver_sql(call)


@pytest.mark.rule("R1", "M4")
@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        (
            "UPDATE self_purchase SET paid_micros = paid_micros + 1 WHERE purchase_id = %s",
            "purchase by a customer differs from its entries",
        ),
        (
            "UPDATE self_purchase SET back_micros = 0 WHERE purchase_id = %s",
            "purchase by a customer differs from its entries",
        ),
        (
            "UPDATE self_purchase SET back_micros = 0 WHERE purchase_id = %s",
            "taken back of a customer's purchase differs from what it got back",
        ),
        (
            "UPDATE self_purchase_share SET cost_micros = cost_micros - 1"
            " WHERE paid_micros > 0 AND purchase_id = %s",
            "earned by a customer's purchase differs from the price lists",
        ),
        (
            "UPDATE self_purchase_share SET wallet_micros = 0"
            " WHERE paid_micros < 0 AND purchase_id = %s",
            "taken back of a customer's purchase differs from what it got back",
        ),
        (
            "UPDATE self_purchase_share SET wallet_micros = wallet_micros - 1"
            " WHERE purchase_id = %s",
            "account of a reseller differs from its sales and transfers",
        ),
        (
            "DELETE FROM self_purchase_share WHERE purchase_id = %s",
            "purchase by a customer that nobody earns by",
        ),
        (
            "DELETE FROM self_purchase WHERE purchase_id = %s",
            "earned by a customer's purchase differs from the price lists",
        ),
    ],
)
def test_the_ledger_check_finds_what_contradicts(
    trade: Trade, statement: str, problem: str
) -> None:
    one = Buyer(trade, trade.child)
    one.buy()
    self_purchases.undo(
        trade.parent.staff, one.purchase_id(), idempotency_key="u", now=NOON + timedelta(days=3)
    )
    before = set(trade.findings())
    trade.rows(statement, one.purchase_id())
    assert problem in {found.split(": ", 1)[0] for found in set(trade.findings()) - before}


@pytest.mark.rule("R1")
def test_a_refund_without_its_margin_is_found(trade: Trade) -> None:
    one = Buyer(trade, trade.child)
    receipt = one.buy()
    trade.rows(
        "WITH e AS (INSERT INTO journal_entry"
        " (customer_id, org_id, at, kind, memo, corrects_entry_id)"
        " VALUES (%s, %s, now(), 'refund', '', %s) RETURNING customer_id, org_id, entry_id)"
        " INSERT INTO posting"
        " (customer_id, entry_id, line, org_id, account, amount_micros, currency)"
        " SELECT customer_id, entry_id, 1, org_id, 'wallet', 5, 'EUR' FROM e",
        one.customer_id,
        trade.child.org_id,
        receipt.entry_id,
    )
    found = {text.split(": ", 1)[0] for text in trade.findings()}
    assert "purchase by a customer differs from its entries" in found


def test_undoing_needs_the_purchase(trade: Trade) -> None:
    with pytest.raises(NotFound, match="no purchase has the number 99"):
        self_purchases.undo(trade.owner, 99, idempotency_key="x", now=NOON)
    assert reseller_sales.listed(trade.owner, trade.child.org_id) == []
