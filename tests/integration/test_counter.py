"""What a reseller's counter shows before and after a sale (rules R1, R2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest

from billing.errors import InvalidInput, NotFound, Refused
from billing.services import catalog, counter, reseller_money, reseller_sales, resellers
from billing.services.context import Context
from billing.settings import Settings
from tests.factories import DAILY, MONTH_PLAN, Factory
from tests.integration.reseller_world import NOON, Trade, opened

pytestmark = pytest.mark.rule("R1")


@pytest.fixture
def trade(context: Context, make: Factory, settings: Settings) -> Iterator[Trade]:
    for made in opened(context, make, settings):
        made.fund(made.parent, 100_00)
        made.fund(made.child, 50_00)
        yield made


def test_offers_are_what_the_sale_then_costs(trade: Trade) -> None:
    shop = trade.child
    trade.plan(replace(MONTH_PLAN, plan_name="no daily customer has months"), 1_000_000, 2_000_000)
    taxed = replace(DAILY, name="taxed", tax_rate_ppm=200_000, tax_inclusive=False)
    own = replace(trade.context, home_org_id=shop.org_id)
    number = trade.customer(shop, catalog.add_profile(own, taxed, NOON).profile_id)
    resellers.set_retail(shop.staff, shop.org_id, trade.plan_id, 12_000_000, NOON)
    (offer,) = counter.offers(shop.staff, number, NOON)
    assert (offer.plan_id, offer.total_micros, offer.cost_micros) == (
        trade.plan_id, 14_400_000, 8_000_000,
    )  # fmt: skip
    assert (offer.missing_micros, offer.problem) == (0, None)
    receipt = trade.sell(shop, number)
    assert (receipt.total_micros, receipt.cost_micros) == (14_400_000, 8_000_000)


@pytest.mark.parametrize(("cents", "missing"), [(7_99, 10_000), (8_00, 0), (8_01, 0)])
def test_an_offer_says_what_the_wallet_lacks(trade: Trade, cents: int, missing: int) -> None:
    trade.fund(trade.child, cents - 50_00)
    number = trade.customer(trade.child)
    (offer,) = counter.offers(trade.child.staff, number, NOON)
    assert (offer.missing_micros, offer.problem) == (missing, None)
    if missing:
        with pytest.raises(Refused, match=r"0\.01 USD more is needed"):
            trade.sell(trade.child, number)
    else:
        trade.sell(trade.child, number)


def test_an_offer_says_why_nobody_can_have_it(trade: Trade) -> None:
    number = trade.customer(trade.child)
    with pytest.raises(NotFound):
        counter.offers(trade.stranger.staff, number, NOON)
    resellers.change(
        trade.owner,
        trade.child.org_id,
        NOON,
        undo_minutes=15,
        max_customers=None,
        max_nas=None,
        max_plans=None,
        alert_percent=None,
        closed=True,
    )
    (offer,) = counter.offers(trade.child.staff, number, NOON)
    assert offer.problem is not None
    assert "is closed" in offer.problem


def test_a_wallet_above_that_does_not_pay_its_part_is_a_problem_not_money_to_ask_for(
    trade: Trade,
) -> None:
    resellers.set_cost(
        trade.parent.staff, trade.child.org_id, trade.plan_id, 6_000_000, NOON, below_parent=True
    )
    trade.fund(trade.parent, -50_00)
    (offer,) = counter.offers(trade.child.staff, trade.customer(trade.child), NOON)
    assert offer.missing_micros == 0
    assert offer.problem == "the wallet of a reseller above does not pay its part (rule R1)"


def test_a_sale_is_shown_with_its_receipt_until_when_and_what_went_back(trade: Trade) -> None:
    shop = trade.child
    sold = trade.sell(shop, trade.customer(shop))
    view = counter.show_sale(shop.staff, sold.sale_id)
    assert view.undo_until == NOON + timedelta(minutes=15)
    assert view.receipt_number == sold.receipt_number
    assert (view.retail_micros, view.cost_micros) == (10_000_000, 8_000_000)
    assert (view.valid_from, view.valid_until) == (sold.valid_from, sold.valid_until)
    reseller_sales.undo(shop.staff, sold.sale_id, idempotency_key="undo", now=view.undo_until)
    undone = counter.show_sale(shop.staff, sold.sale_id)
    assert undone.undone_at == view.undo_until
    assert 0 < undone.cost_back_micros < undone.back_micros <= 10_000_000
    with pytest.raises(NotFound):
        counter.show_sale(trade.stranger.staff, sold.sale_id)


@pytest.mark.rule("R2")
def test_a_statement_of_days_has_these_days(trade: Trade) -> None:
    shop, number = trade.child, trade.customer(trade.child)
    trade.sell(shop, number, at=NOON + timedelta(days=1))
    first, second = date(2026, 3, 10), date(2026, 3, 11)
    before = reseller_money.statement_of_days(shop.staff, shop.org_id, first, second)
    assert (before.opening_micros, before.transfers_micros) == (0, 50_000_000)
    assert (before.lines, before.commission_micros) == ((), 0)
    day = reseller_money.statement_of_days(shop.staff, shop.org_id, second, date(2026, 3, 12))
    assert (day.opening_micros, day.sales_micros) == (50_000_000, -8_000_000)
    assert (day.closing_micros, day.commission_micros) == (42_000_000, 2_000_000)
    with pytest.raises(InvalidInput, match="before the first day"):
        reseller_money.statement_of_days(shop.staff, shop.org_id, second, second)
