"""Nothing is bought by itself from the wallet of a reseller's customer: no cost, no margin (R1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from billing.errors import InvalidInput, Refused
from billing.model.commerce import MoneyChannel
from billing.model.plan_changes import When
from billing.model.profile import BillIn, Payment
from billing.services import (
    catalog,
    customers,
    holds,
    moves,
    plan_changes,
    plan_runs,
    renewal_run,
    reseller_renewals,
    resellers,
    sales,
)
from billing.services.context import Context
from billing.services.customers import NewCustomer, NewSubscription
from billing.settings import Settings
from tests.factories import DAY_PLAN, MONTHLY, Factory
from tests.integration.reseller_world import NOON, Trade, opened
from tests.integration.self_service_world import switch

pytestmark = pytest.mark.rule("R1", "P10")
PREPAID = replace(
    MONTHLY, cycle_day=10, automatic_bill=True, bill_in=BillIn.ADVANCE, payment=Payment.PREPAID
)
LATER = NOON + timedelta(days=31)


@pytest.fixture
def trade(context: Context, make: Factory, settings: Settings) -> Iterator[Trade]:
    for made in opened(context, make, settings):
        made.fund(made.parent, 100_00)
        made.fund(made.child, 50_00)
        switch(made, made.child, on=False)
        yield made


def test_a_customer_of_a_reseller_does_not_renew_by_itself(trade: Trade) -> None:
    who = trade.customer(trade.child)
    trade.sell(trade.child, who)
    for actor in (trade.child.staff, trade.owner):
        with pytest.raises(Refused, match="buys nothing by itself"):
            holds.set_renewal(actor, who, NOON, on=True)
    holds.set_renewal(trade.owner, who, NOON, on=False)


def test_one_that_is_set_to_renew_all_the_same_is_parked_and_pays_nothing(trade: Trade) -> None:
    who = trade.customer(trade.child)
    trade.sell(trade.child, who)
    customer_id = customers.customer_of(trade.context, who)
    sales.topup(
        trade.owner,
        customer_id,
        50_000_000,
        channel=MoneyChannel.CASH,
        idempotency_key="top-up",
        now=NOON,
    )
    trade.rows(
        "UPDATE subscription SET renews = true, renews_at = %s WHERE subscription_id = %s",
        NOON,
        who,
    )
    report = renewal_run.run(trade.context, LATER)
    assert [one.customer_id for one in report.parked] == [customer_id]
    assert "the reseller sells the next package" in report.parked[0].problem
    assert trade.account(customer_id, "wallet") == 50_00
    assert trade.rows("SELECT count(*) FROM entitlement WHERE customer_id = %s", customer_id) == [
        (1,)
    ]
    assert trade.wallet(trade.child) == 42_00


def test_prepaid_months_are_refused_wherever_a_profile_is_chosen(trade: Trade) -> None:
    operators = trade.make.profile(NOON, PREPAID)
    with pytest.raises(Refused, match="wallets of their own"):
        resellers.add(trade.context, name="New", parent_org_id=1, profile_id=operators, now=NOON)
    child = replace(trade.context, home_org_id=trade.child.org_id)
    with pytest.raises(Refused, match="buys nothing by itself"):
        customers.add_subscriber(
            child,
            NewCustomer(name="x", profile_id=operators),
            NewSubscription(username="prepaid-x", password="correct horse"),
            NOON,
        )
    with pytest.raises(Refused, match="buys nothing by itself"):
        catalog.add_profile(child, replace(PREPAID, name="months of the child"), NOON)
    who = customers.customer_of(trade.context, trade.customer(trade.child))
    with pytest.raises(Refused, match="buys nothing by itself"):
        moves.change_profile(trade.context, who, operators, NOON)


def test_a_change_at_the_expiry_changes_the_plan_and_buys_nothing(trade: Trade) -> None:
    who = trade.customer(trade.child)
    trade.sell(trade.child, who)
    customer_id = customers.customer_of(trade.context, who)
    other = trade.plan(DAY_PLAN, 500_000, 600_000)
    sales.topup(
        trade.owner,
        customer_id,
        50_000_000,
        channel=MoneyChannel.CASH,
        idempotency_key="top-up",
        now=NOON,
    )
    plan_changes.change_plan(trade.owner, who, other, idempotency_key="c", now=NOON, when=When.NEXT)
    plan_runs.run(trade.context, LATER)
    assert trade.account(customer_id, "wallet") == 50_00


def test_packages_that_end_are_sold_again_in_one_go_as_far_as_the_wallet_goes(
    trade: Trade,
) -> None:
    ends = NOON + timedelta(days=30)
    first, second, third, later = (trade.customer(trade.child) for _ in range(4))
    for minutes, who in enumerate((first, second, third)):
        trade.sell(trade.child, who, at=NOON + timedelta(minutes=minutes))
    trade.sell(trade.child, later, at=NOON + timedelta(days=9))
    trade.fund(trade.child, -2_00)  # 50.00 - 4 x 8.00 - 2.00 is enough for two
    evening = ends - timedelta(hours=2)
    done = reseller_renewals.renew(
        trade.child.staff, trade.child.org_id, timedelta(days=3), evening
    )
    assert [one.receipt is not None for one in done] == [True, True, False]
    assert "more is needed to pay 8.00" in str(done[2].problem)
    assert done[0].receipt is not None and done[0].receipt.valid_from == ends
    assert trade.wallet(trade.child) == 0
    trade.fund(trade.child, 8_00)
    again = reseller_renewals.renew(
        trade.child.staff, trade.child.org_id, timedelta(days=3), evening
    )
    assert [one.receipt is not None for one in again] == [True]
    assert trade.wallet(trade.child) == 0
    assert trade.findings() == []
    with pytest.raises(InvalidInput, match="at most 31 days"):
        reseller_renewals.renew(trade.child.staff, trade.child.org_id, timedelta(days=32), evening)
