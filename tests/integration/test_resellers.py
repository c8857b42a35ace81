"""Resellers sell from their wallets, at cost, in the transaction of the package (rules R1, R2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.plan_changes import When
from billing.services import (
    credits,
    customers,
    nas,
    plan_changes,
    reseller_money,
    reseller_sales,
    resellers,
    sales,
)
from billing.services.context import Context
from billing.settings import Settings
from billing.store import tables
from tests.factories import DAY_PLAN, MONTH_PLAN, MONTHLY, Factory
from tests.integration.reseller_world import MONTH_OF_30_DAYS, NOON, Trade, opened

MINUTE = timedelta(minutes=1)


@pytest.fixture
def trade(context: Context, make: Factory, settings: Settings) -> Iterator[Trade]:
    yield from opened(context, make, settings)


@pytest.mark.rule("R1", "R2", "M4")
def test_a_sale_debits_the_wallet_at_cost_and_credits_who_is_above(trade: Trade) -> None:
    trade.fund(trade.parent, 100_00)
    trade.fund(trade.child, 20_00)
    who = trade.customer(trade.child)
    receipt = trade.sell(trade.child, who)
    assert (receipt.total_micros, receipt.cost_micros) == (10_000_000, 8_000_000)
    assert receipt.account_micros == 12_000_000
    assert (trade.wallet(trade.parent), trade.wallet(trade.child)) == (81_00, 12_00)
    # The customer paid 10.00 to the reseller, of which the operator has what the parent pays.
    assert trade.account(receipt.customer_id, "money:reseller") == -10_00
    assert trade.account(trade.child.account, "money:reseller") == 10_00
    assert trade.account(trade.child.account, "commission:reseller") == -2_00
    assert trade.account(trade.parent.account, "commission:reseller") == -1_00
    assert trade.account(receipt.customer_id, "deferred:package") == 10_00
    assert trade.account(receipt.customer_id, "wallet") == 0
    assert trade.findings() == []


@pytest.mark.rule("R1", "P12")
def test_without_funds_nothing_is_sold_and_the_message_says_what_is_missing(trade: Trade) -> None:
    trade.fund(trade.parent, 10_00)
    trade.fund(trade.child, 7_99)
    who = trade.customer(trade.child)
    count = "SELECT (SELECT count(*) FROM entitlement), (SELECT count(*) FROM posting)"
    before = trade.rows(count)
    with pytest.raises(Refused, match=r"has 7\.99 USD; 0\.01 USD more is needed to pay 8\.00"):
        trade.sell(trade.child, who)
    assert trade.rows(count) == before
    trade.fund(trade.child, 1)
    assert trade.sell(trade.child, who).account_micros == 0


@pytest.mark.rule("R1", "M5")
def test_a_sale_that_is_sent_twice_is_carried_out_once(trade: Trade) -> None:
    trade.fund(trade.parent, 50_00)
    who = trade.customer(trade.parent)
    first, again = (trade.sell(trade.parent, who, "key") for _ in range(2))
    assert (again.sale_id, again.repeated) == (first.sale_id, True)
    assert trade.wallet(trade.parent) == 43_00
    with pytest.raises(Conflict):
        reseller_sales.sell(
            trade.parent.staff, who, trade.plan_id + 1, idempotency_key="key", now=NOON
        )


@pytest.mark.rule("R1")
def test_a_plan_without_a_cost_is_not_sold_and_a_cost_is_not_below_the_parents(
    trade: Trade,
) -> None:
    trade.fund(trade.parent, 50_00)
    trade.fund(trade.child, 20_00)
    who = trade.customer(trade.child)
    plan_id = trade.make.plan(NOON, DAY_PLAN)
    with pytest.raises(Refused, match="price list"):
        reseller_sales.sell(trade.context, who, plan_id, idempotency_key="a", now=NOON)
    with pytest.raises(NotFound):
        resellers.set_cost(trade.parent.staff, trade.child.org_id, plan_id, 500_000, NOON)
    with pytest.raises(Refused, match="cannot sell the plan itself"):
        resellers.set_cost(trade.owner, trade.child.org_id, plan_id, 500_000, NOON)
    with pytest.raises(Refused, match=r"6\.99 USD is less than the 7\.00 USD"):
        resellers.set_cost(trade.parent.staff, trade.child.org_id, trade.plan_id, 6_990_000, NOON)
    resellers.set_cost(
        trade.parent.staff, trade.child.org_id, trade.plan_id, 6_500_000, NOON, below_parent=True
    )
    trade.sell(trade.child, who)
    # The parent pays the 0.50 that its child does not.
    assert (trade.wallet(trade.parent), trade.wallet(trade.child)) == (29_50, 13_50)
    assert trade.findings() == []
    resellers.set_cost(trade.parent.staff, trade.child.org_id, trade.plan_id, None, NOON)
    with pytest.raises(Refused, match="price list"):
        trade.sell(trade.child, who)
    assert resellers.price_list(trade.child.staff, trade.child.org_id, NOON) == []


@pytest.mark.rule("R1")
def test_a_parent_that_pays_more_later_does_not_sell_below_it_unless_it_said_so(
    trade: Trade,
) -> None:
    trade.fund(trade.parent, 50_00)
    trade.fund(trade.child, 20_00)
    who = trade.customer(trade.child)
    resellers.set_cost(trade.owner, trade.parent.org_id, trade.plan_id, 9_000_000, NOON)
    with pytest.raises(Refused, match=r"8\.00 USD is less than the 9\.00 USD"):
        trade.sell(trade.child, who)


@pytest.mark.rule("R1")
def test_the_reseller_sets_what_its_customers_pay(trade: Trade) -> None:
    trade.fund(trade.parent, 50_00)
    trade.fund(trade.child, 20_00)
    staff, org_id = trade.child.staff, trade.child.org_id
    with pytest.raises(Refused, match="less than its cost"):
        resellers.set_retail(staff, org_id, trade.plan_id, 7_990_000, NOON)
    with pytest.raises(InvalidInput):
        resellers.set_retail(staff, org_id, trade.plan_id, 9_999_999, NOON)
    resellers.set_retail(staff, org_id, trade.plan_id, 12_500_000, NOON)
    (line,) = resellers.price_list(staff, org_id, NOON)
    assert (line.cost_micros, line.retail_micros, line.margin_micros) == (
        8_000_000,
        12_500_000,
        4_500_000,
    )
    receipt = trade.sell(trade.child, trade.customer(trade.child))
    assert (receipt.total_micros, receipt.cost_micros) == (12_500_000, 8_000_000)
    assert trade.account(trade.child.account, "commission:reseller") == -4_50
    assert trade.findings() == []
    resellers.set_retail(staff, org_id, trade.plan_id, None, NOON)
    assert trade.sell(trade.child, trade.customer(trade.child)).total_micros == 10_000_000


@pytest.mark.rule("R1", "B5", "B11")
def test_a_month_that_is_sold_in_part_costs_the_same_part(trade: Trade) -> None:
    trade.fund(trade.parent, 100_00)
    trade.fund(trade.child, 50_00)
    monthly = trade.make.profile(NOON, MONTHLY)
    with trade.context.transaction() as tx:
        row = tx.get_one(tables.BillingProfile, monthly)
        row.org_id = trade.child.org_id
    who = trade.customer(trade.child, monthly)
    plan_id = trade.plan(MONTH_PLAN, 21_000_000, 24_000_000)
    receipt = reseller_sales.sell(trade.child.staff, who, plan_id, idempotency_key="m", now=NOON)
    # 10 March to 1 April: 22 of 31 days of 30.00, and of 24.00.
    assert receipt.invoice_number is not None
    assert (receipt.total_micros, receipt.cost_micros) == (21_290_000, 17_030_000)
    assert trade.findings() == []
    with pytest.raises(Refused, match="credit note"):
        reseller_sales.undo(trade.child.staff, receipt.sale_id, idempotency_key="u", now=NOON)


@pytest.mark.rule("R1")
def test_a_wrong_sale_is_undone_within_its_window(trade: Trade) -> None:
    trade.fund(trade.parent, 100_00)
    trade.fund(trade.child, 20_00)
    receipt = trade.sell(trade.child, trade.customer(trade.child))
    at = NOON + 15 * MINUTE
    done = reseller_sales.undo(trade.child.staff, receipt.sale_id, idempotency_key="u", now=at)
    # 15 of 43,200 minutes are used: 9.9965 and 7.9972.
    assert (done.back_micros, done.cost_back_micros) == (10_000_000, 8_000_000)
    assert (trade.wallet(trade.parent), trade.wallet(trade.child)) == (80_00, 20_00)
    for account in ("wallet", "money:reseller", "deferred:package"):
        assert trade.account(receipt.customer_id, account) == 0
    for shop in (trade.child, trade.parent):
        assert trade.account(shop.account, "commission:reseller") == 0
    assert trade.findings() == []
    again = reseller_sales.undo(trade.child.staff, receipt.sale_id, idempotency_key="u", now=at)
    assert again.repeated
    with pytest.raises(Refused, match="was undone"):
        reseller_sales.undo(trade.owner, receipt.sale_id, idempotency_key="v", now=at)


@pytest.mark.rule("R1", "R2")
def test_after_the_window_only_who_is_above_undoes_a_sale_and_only_the_unused_share(
    trade: Trade,
) -> None:
    trade.fund(trade.parent, 100_00)
    trade.fund(trade.child, 20_00)
    receipt = trade.sell(trade.child, trade.customer(trade.child))
    late = NOON + 15 * MINUTE + timedelta(seconds=1)
    with pytest.raises(Refused, match="15 minutes ago"):
        reseller_sales.undo(trade.child.staff, receipt.sale_id, idempotency_key="u", now=late)
    with pytest.raises(NotFound):
        reseller_sales.undo(trade.stranger.staff, receipt.sale_id, idempotency_key="u", now=late)
    later = NOON + timedelta(days=10)
    done = reseller_sales.undo(trade.parent.staff, receipt.sale_id, idempotency_key="u", now=later)
    # Two thirds: 6.67 to the customer, 5.33 of 8.00 to the child, 4.67 of 7.00 from the operator.
    assert (done.back_micros, done.cost_back_micros) == (6_670_000, 5_330_000)
    assert trade.wallet(trade.child) == 17_33
    assert trade.wallet(trade.parent) == 81_00 - 5_33 + 4_67
    assert trade.account(trade.child.account, "commission:reseller") == -2_00 + 1_34
    assert trade.findings() == []


@pytest.mark.rule("R1", "R2", "P12")
def test_money_comes_from_above_and_what_is_not_spent_goes_back(trade: Trade) -> None:
    with pytest.raises(Refused, match=r"has 0\.00 USD, which is 5\.00 USD less"):
        trade.fund(trade.child, 5_00)
    trade.fund(trade.parent, 30_00)
    trade.fund(trade.child, 20_00)
    assert (trade.wallet(trade.parent), trade.wallet(trade.child)) == (10_00, 20_00)
    with pytest.raises(Refused, match=r"0\.01 USD less than 20\.01"):
        trade.fund(trade.child, -20_01)
    trade.fund(trade.child, -20_00)
    assert (trade.wallet(trade.parent), trade.wallet(trade.child)) == (30_00, 0)
    with pytest.raises(InvalidInput, match="by no channel"):
        reseller_money.transfer(
            trade.owner,
            trade.child.org_id,
            1_000_000,
            idempotency_key="x",
            now=NOON,
            channel=MoneyChannel.CASH,
        )
    first, again = (
        reseller_money.transfer(
            trade.owner, trade.parent.org_id, 1_000_000, idempotency_key="once", now=NOON
        )
        for _ in range(2)
    )
    assert (first.repeated, again.repeated, trade.wallet(trade.parent)) == (False, True, 31_00)
    assert first.receipt_number == again.receipt_number
    trade.fund(trade.parent, -1_00)
    assert trade.findings() == []


@pytest.mark.rule("R1", "B17")
def test_what_a_reseller_sold_is_not_turned_into_wallet_money(trade: Trade) -> None:
    """It could sell at 1,000.00 what costs it 8.00, and have the customer get the difference."""
    trade.fund(trade.parent, 100_00)
    trade.fund(trade.child, 50_00)
    staff = trade.child.staff
    resellers.set_retail(staff, trade.child.org_id, trade.plan_id, 1_000_000_000, NOON)
    who = trade.customer(trade.child)
    sold = trade.sell(trade.child, who)
    other = trade.plan(DAY_PLAN, 500_000, 600_000)
    for actor in (staff, trade.owner):
        with pytest.raises(Refused, match=f"sale {sold.sale_id}"):
            plan_changes.change_plan(
                actor, who, other, idempotency_key="c", now=NOON, when=When.NOW
            )
    with trade.context.transaction() as tx:
        monthly = trade.make.profile(NOON, MONTHLY)
        tx.get_one(tables.BillingProfile, monthly).org_id = trade.child.org_id
    month = trade.plan(replace(MONTH_PLAN, price_micros=31_000_000), 21_000_000, 24_000_000)
    sold = reseller_sales.sell(
        staff, trade.customer(trade.child, monthly), month, idempotency_key="m", now=NOON
    )
    number, customer_id = str(sold.invoice_number), sold.customer_id
    wanted = {"reason": "wrong", "idempotency_key": "n", "now": NOON, "customer_id": customer_id}
    with pytest.raises(Refused, match="only who is above"):
        credits.credit(staff, number, **wanted)
    credits.credit(trade.owner, number, **wanted)
    assert trade.findings() == []


@pytest.mark.rule("R2")
def test_a_request_is_answered_once_by_who_is_above(trade: Trade) -> None:
    trade.fund(trade.parent, 30_00)
    asked = reseller_money.ask(trade.child.staff, trade.child.org_id, 5_000_000, NOON, note="Float")
    with pytest.raises(Conflict, match="another request waits"):
        reseller_money.ask(trade.child.staff, trade.child.org_id, 5_000_000, NOON)
    with pytest.raises(Refused, match="above"):
        reseller_money.answer(trade.child.staff, asked.request_id, NOON, approve=True)
    with pytest.raises(NotFound):
        reseller_money.answer(trade.stranger.staff, asked.request_id, NOON, approve=True)
    done = reseller_money.answer(trade.parent.staff, asked.request_id, NOON, approve=True)
    assert (done.state, trade.wallet(trade.child), trade.wallet(trade.parent)) == (
        "approved",
        5_00,
        25_00,
    )
    with pytest.raises(Refused, match="was approved"):
        reseller_money.answer(trade.owner, asked.request_id, NOON, approve=False)
    second = reseller_money.ask(trade.child.staff, trade.child.org_id, 99_000_000, NOON)
    with pytest.raises(Refused, match="less than"):
        reseller_money.answer(trade.parent.staff, second.request_id, NOON, approve=True)
    reseller_money.answer(trade.parent.staff, second.request_id, NOON, approve=False, words="No")
    assert trade.wallet(trade.child) == 5_00
    assert [one.state for one in reseller_money.requests(trade.child.staff)] == [
        "declined",
        "approved",
    ]
    assert reseller_money.requests(trade.stranger.staff) == []


@pytest.mark.rule("R1", "R2")
def test_an_account_is_no_customer(trade: Trade) -> None:
    """Neither the reseller's staff nor the operator's sells to it, tops it up or changes it."""
    for actor in (trade.child.staff, trade.parent.staff, trade.owner, trade.context):
        with pytest.raises(Refused, match="account of a reseller"):
            sales.topup(
                actor,
                trade.child.account,
                1_000_000,
                channel=MoneyChannel.CASH,
                idempotency_key="k",
                now=NOON,
            )
        with pytest.raises(Refused, match="account of a reseller"):
            customers.add_subscription(
                actor, customer_id=trade.child.account, username="account", now=NOON
            )


@pytest.mark.rule("R1")
def test_a_reseller_has_no_more_customers_than_it_may(trade: Trade) -> None:
    def limit(most: int | None, *, closed: bool = False) -> None:
        resellers.change(
            trade.parent.staff,
            trade.child.org_id,
            NOON,
            undo_minutes=5,
            max_customers=most,
            max_nas=None,
            max_plans=None,
            alert_percent=None,
            closed=closed,
        )

    limit(1)
    who = trade.customer(trade.child)
    with pytest.raises(Refused, match="has the 1 customers"):
        trade.customer(trade.child)
    with pytest.raises(Refused, match="above"):
        resellers.change(
            trade.child.staff,
            trade.child.org_id,
            NOON,
            undo_minutes=5,
            max_customers=9,
            max_nas=None,
            max_plans=None,
            alert_percent=None,
            closed=False,
        )
    limit(None, closed=True)
    trade.fund(trade.parent, 50_00)
    with pytest.raises(Refused, match="closed"):
        trade.fund(trade.child, 20_00)
    with pytest.raises(Refused, match="closed"):
        trade.sell(trade.child, who)


@pytest.mark.rule("P6", "R1")
def test_a_reseller_is_told_once_that_little_is_left(trade: Trade) -> None:
    trade.fund(trade.parent, 50_00)
    trade.fund(trade.child, 20_00)  # told below 4.00
    resellers.set_cost(trade.parent.staff, trade.child.org_id, trade.plan_id, 8_500_000, NOON)
    told = "SELECT count(*) FROM message WHERE customer_id = %s AND kind = 'low_balance'"
    trade.sell(trade.child, trade.customer(trade.child))
    assert trade.rows(told, trade.child.account) == [(0,)]
    trade.sell(trade.child, trade.customer(trade.child))
    assert trade.rows(told, trade.child.account) == [(1,)]
    trade.fund(trade.child, 6_00)  # 9.00: told below 1.80
    trade.sell(trade.child, trade.customer(trade.child))
    assert trade.rows(told, trade.child.account) == [(2,)]


@pytest.mark.rule("R1", "R2")
def test_a_statement_tells_how_the_wallet_came_from_its_opening_to_its_closing(
    trade: Trade,
) -> None:
    trade.fund(trade.parent, 100_00)
    trade.fund(trade.child, 50_00)
    sold = [trade.sell(trade.child, trade.customer(trade.child)) for _ in range(3)]
    trade.sell(trade.parent, trade.customer(trade.parent))
    reseller_sales.undo(trade.child.staff, sold[0].sale_id, idempotency_key="u", now=NOON)
    own = reseller_money.statement(trade.child.staff, trade.child.org_id, date(2026, 3, 31))
    assert (own.opening_micros, own.transfers_micros, own.sales_micros, own.closing_micros) == (
        0,
        50_000_000,
        -16_000_000,
        34_000_000,
    )
    assert own.commission_micros == 4_000_000
    above = reseller_money.statement(trade.parent.staff, trade.parent.org_id, date(2026, 3, 1))
    assert [(line.seller_org_id, line.sold, line.undone) for line in above.lines] == [
        (trade.parent.org_id, 1, 0),
        (trade.child.org_id, 3, 1),
    ]
    assert [line.commission_micros for line in above.lines] == [3_000_000, 2_000_000]
    assert above.closing_micros == trade.wallet(trade.parent) * 10_000
    april = reseller_money.statement(trade.child.staff, trade.child.org_id, date(2026, 4, 1))
    assert (april.opening_micros, april.lines) == (34_000_000, ())
    (first, *_) = reseller_sales.listed(trade.child.staff, trade.child.org_id)
    assert (first.sale_id, first.cost_micros) == (sold[2].sale_id, 8_000_000)
    with pytest.raises(NotFound):
        reseller_money.statement(trade.child.staff, trade.parent.org_id, date(2026, 3, 1))


def _quotas(trade: Trade, *, nas_: int | None = None, plans: int | None = None) -> None:
    """Of the child, set by who is above it."""
    resellers.change(
        trade.parent.staff, trade.child.org_id, NOON, undo_minutes=5, max_customers=None,
        max_nas=nas_, max_plans=plans, alert_percent=None, closed=False,
    )  # fmt: skip


@pytest.mark.rule("R1")
def test_a_reseller_has_no_more_nas_than_it_may(trade: Trade) -> None:
    _quotas(trade, nas_=1)
    assert resellers.show(trade.child.staff, trade.child.org_id).max_nas == 1
    nas.add_nas(trade.context, name="roof", address="10.71.0.1", now=NOON,
                org_id=trade.child.org_id)  # fmt: skip
    for context, org_id in ((trade.context, trade.child.org_id), (trade.child.staff, None)):
        with pytest.raises(Refused, match=r"has the 1 NAS that it may have: ask who is above"):
            nas.add_nas(context, name="cellar", address="10.71.0.2", now=NOON, org_id=org_id)
    # Another's, and the operator's own, are not counted.
    nas.add_nas(trade.context, name="cellar", address="10.71.0.2", now=NOON)
    nas.add_nas(trade.stranger.staff, name="cellar", address="10.71.0.3", now=NOON)
    _quotas(trade, nas_=2)
    nas.add_nas(trade.child.staff, name="cellar", address="10.71.0.4", now=NOON)
    assert trade.rows("SELECT count(*) FROM nas WHERE org_id = %s", trade.child.org_id) == [(2,)]
    with pytest.raises(NotFound, match="no organisation has the number 999"):
        nas.add_nas(trade.context, name="nowhere", address="10.71.0.5", now=NOON, org_id=999)
    with pytest.raises(NotFound, match="no organisation"):
        nas.add_nas(trade.stranger.staff, name="theirs", address="10.71.0.6", now=NOON,
                    org_id=trade.child.org_id)  # fmt: skip


@pytest.mark.rule("R1")
def test_a_price_list_has_no_more_plans_than_it_may(trade: Trade) -> None:
    _quotas(trade, plans=1)
    other = trade.make.plan(NOON, replace(MONTH_OF_30_DAYS, plan_name="another"))
    resellers.set_cost(trade.owner, trade.parent.org_id, other, 7_000_000, NOON)

    def cost(plan_id: int, micros: int | None) -> None:
        resellers.set_cost(trade.parent.staff, trade.child.org_id, plan_id, micros, NOON)

    with pytest.raises(Refused, match="has the 1 plans on its price list that it may have"):
        cost(other, 8_000_000)
    cost(trade.plan_id, 8_500_000)  # it is there already
    cost(trade.plan_id, None)
    cost(other, 8_000_000)
    with pytest.raises(Refused, match="ask who is above it"):
        cost(trade.plan_id, 8_000_000)
    # What is sold no more takes no place.
    with trade.context.transaction() as tx:
        tx.get_one(tables.Plan, other).archived_at = NOON
    cost(trade.plan_id, 8_000_000)
    _quotas(trade, plans=0)
    assert [one.plan_id for one in resellers.price_list(
        trade.child.staff, trade.child.org_id, NOON)] == [trade.plan_id]  # fmt: skip


@pytest.mark.rule("R1")
@pytest.mark.parametrize("field", ["max_customers", "max_nas", "max_plans"])
def test_a_quota_that_cannot_be_is_refused_at_its_field(trade: Trade, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        resellers.change(
            trade.parent.staff, trade.child.org_id, NOON, undo_minutes=5, alert_percent=None,
            closed=False,
            **{"max_customers": None, "max_nas": None, "max_plans": None, field: -1},  # type: ignore[arg-type]
        )  # fmt: skip
    assert refused.value.field == field
