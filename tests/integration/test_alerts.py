"""Customers are told that little or nothing is left, once each (rules P6, P8, P9)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from billing.errors import InvalidInput, NotFound
from billing.model.commerce import MoneyChannel
from billing.services import customers, enforcement, holds, messages, sales, spending, wallet_check
from billing.services.context import Context
from billing.store import tables
from rig.nas import SimulatedNas
from tests.factories import DAY_PLAN, Factory
from tests.integration.talker import BY_THE_MIB, MIB, UNIT, Talker

NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PORTAL = "https://portal.example/recharge"
GIB_PACK = replace(DAY_PLAN, octets=1000 * MIB, price_micros=10 * UNIT)


@pytest.fixture
def linked(context: Context) -> Context:
    """An installation with a portal."""
    return replace(context, portal_url=PORTAL)


@pytest.fixture
def router(make: Factory) -> Iterator[SimulatedNas]:
    with make.simulated_nas(NOW) as simulated:
        yield simulated


@pytest.fixture
def ada(linked: Context, make: Factory, router: SimulatedNas) -> Talker:
    """Pays as she goes; nothing in the wallet yet."""
    who = make.subscriber(NOW, plan=BY_THE_MIB)
    messages.set_alerts(linked, who.customer_id, NOW, addresses=["ada@net.example"])
    return Talker(linked, make, who, router)


def watch(ada: Talker, balance: int | None = None, usage: tuple[int, ...] | None = None) -> None:
    spending.set_alerts(
        ada.context, ada.who.customer_id, NOW, balance_percent=balance, usage_percents=usage
    )


def buy(ada: Talker, now: datetime, *, pay_by: MoneyChannel | None = MoneyChannel.CASH) -> None:
    plan_id = ada.make.plan(NOW, GIB_PACK)
    key = f"buy {now.isoformat()}"
    sales.sell(
        ada.context, ada.who.subscription_id, plan_id, idempotency_key=key, now=now, pay_by=pay_by
    )


@pytest.mark.rule("P6")
def test_a_low_balance_is_told_once_below_the_threshold(ada: Talker) -> None:
    watch(ada, balance=20)
    ada.top_up(200, NOW)
    ada.start(NOW)
    ada.use(160, NOW + MINUTE)
    (shown,) = spending.watches(ada.context, ada.who.customer_id, NOW)
    assert (shown.threshold_micros, shown.armed, ada.kinds()) == (40 * UNIT, True, [])
    ada.use(1, NOW + 2 * MINUTE)
    ada.use(1, NOW + 3 * MINUTE)
    ((kind, facts),) = ada.told()
    assert kind == "low_balance"
    assert facts == {
        "username": ada.who.username,
        "available_micros": 39 * UNIT,
        "currency": "USD",
        "recharge_url": PORTAL,
    }
    (shown,) = spending.watches(ada.context, ada.who.customer_id, NOW)
    assert (shown.threshold_micros, shown.armed) == (40 * UNIT, False)


@pytest.mark.rule("P6")
def test_a_top_up_sets_the_threshold_anew_and_arms_it(ada: Talker) -> None:
    watch(ada, balance=20)
    ada.top_up(200, NOW)
    ada.start(NOW)
    ada.use(170, NOW + MINUTE)
    ada.top_up(20, NOW + 2 * MINUTE)  # 50.00: below 10.00 from now on
    ada.use(39, NOW + 3 * MINUTE)
    assert ada.kinds() == ["low_balance"]
    ada.use(2, NOW + 4 * MINUTE)
    assert ada.kinds() == ["low_balance", "low_balance"]
    assert ada.told()[1][1]["available_micros"] == 9 * UNIT


@pytest.mark.rule("P6")
def test_what_is_bought_from_the_wallet_may_cross_it_too(ada: Talker) -> None:
    watch(ada, balance=90)
    ada.top_up(50, NOW)
    buy(ada, NOW + MINUTE, pay_by=None)
    assert ada.kinds() == ["low_balance"]


@pytest.mark.rule("P6")
def test_what_was_passed_before_anybody_asked_is_not_told(ada: Talker) -> None:
    ada.top_up(100, NOW)
    ada.start(NOW)
    ada.use(95, NOW + MINUTE)
    watch(ada, balance=20)
    ada.use(1, NOW + 2 * MINUTE)
    assert ada.kinds() == []


@pytest.mark.rule("P6")
def test_a_crossing_of_parallel_batches_is_told_once(ada: Talker, make: Factory) -> None:
    watch(ada, balance=20)
    ada.top_up(200, NOW)
    others = [Talker(ada.context, make, ada.who, ada.nas) for _ in range(6)]
    for other in others:
        other.start(NOW)

    def talk(other: Talker) -> None:
        for minute in range(1, 7):
            other.use(5, NOW + minute * MINUTE)

    threads = [threading.Thread(target=talk, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    enforcement.sweep(ada.context, NOW + 10 * MINUTE)
    assert ada.kinds() == ["low_balance"]


@pytest.mark.rule("P6")
def test_the_use_of_a_package_is_told_at_its_levels(ada: Talker) -> None:
    watch(ada, usage=(80, 100))
    ada.top_up(100, NOW)
    buy(ada, NOW)
    ada.start(NOW)
    ada.use(799, NOW + MINUTE)
    assert ada.kinds() == []
    ada.use(1, NOW + 2 * MINUTE)
    ada.use(100, NOW + 3 * MINUTE)
    ((kind, facts),) = ada.told()
    assert (kind, facts["percent"], facts["username"]) == ("allowance_used", 80, ada.who.username)
    ada.use(150, NOW + 4 * MINUTE)  # the wallet pays on
    assert [facts["percent"] for _, facts in ada.told()] == [80, 100]


@pytest.mark.rule("P6")
def test_the_next_package_is_armed_anew(ada: Talker) -> None:
    watch(ada, usage=(80,))
    buy(ada, NOW)
    buy(ada, NOW + MINUTE)
    ada.start(NOW + MINUTE)
    for minute in range(2, 6):
        ada.use(450, NOW + minute * MINUTE)  # 90 %, 180 %: both are passed
    assert ada.kinds() == ["allowance_used", "allowance_used"]


@pytest.mark.rule("P6")
@pytest.mark.rule("P8")
def test_the_last_level_is_not_told_beside_that_all_is_used_up(
    linked: Context, make: Factory, router: SimulatedNas
) -> None:
    who = make.subscriber(NOW, plan=GIB_PACK)
    messages.set_alerts(linked, who.customer_id, NOW, addresses=["bob@net.example"])
    bob = Talker(linked, make, who, router)
    watch(bob, usage=(80, 100))
    buy(bob, NOW)
    bob.start(NOW)
    bob.use(1000, NOW + MINUTE)
    assert bob.kinds() == ["exhausted"]
    assert bob.told()[0][1] == {
        "username": who.username,
        "reason": "data-used-up",
        "recharge_url": PORTAL,
    }
    buy(bob, NOW + 2 * MINUTE)
    assert bob.kinds() == ["exhausted", "restored"]


@pytest.mark.rule("P6")
def test_levels_that_a_package_had_passed_are_not_told(ada: Talker) -> None:
    buy(ada, NOW)
    ada.start(NOW)
    ada.use(850, NOW + MINUTE)
    watch(ada, usage=(80, 90))
    ada.use(10, NOW + 2 * MINUTE)
    assert ada.kinds() == []
    ada.use(50, NOW + 3 * MINUTE)
    assert [facts["percent"] for _, facts in ada.told()] == [90]


@pytest.mark.rule("P8")
@pytest.mark.rule("P9")
def test_a_wallet_that_is_used_up_is_told_once_with_a_link(ada: Talker) -> None:
    ada.top_up(10, NOW)
    assert ada.kinds() == []  # it was never served before
    ada.start(NOW)
    ada.use(10, NOW + MINUTE, look=False)
    assert (ada.kinds(), ada.orders()) == ([], [("disconnect", "wallet-exhausted")])
    enforcement.sweep(ada.context, NOW + MINUTE)
    ada.use(1, NOW + 2 * MINUTE)
    enforcement.sweep(ada.context, NOW + 3 * MINUTE)
    ((kind, facts),) = ada.told()
    assert (kind, facts["reason"]) == ("exhausted", "wallet-exhausted")
    assert facts["recharge_url"] == PORTAL
    ada.top_up(10, NOW + 4 * MINUTE)
    assert ada.kinds() == ["exhausted", "restored"]
    ada.start(NOW + 4 * MINUTE)
    ada.use(20, NOW + 5 * MINUTE)
    assert ada.kinds() == ["exhausted", "restored", "exhausted"]


@pytest.mark.rule("P8")
def test_a_credit_that_comes_before_the_sweep_leaves_nothing_to_tell(ada: Talker) -> None:
    ada.top_up(10, NOW)
    ada.start(NOW)
    ada.use(10, NOW + MINUTE, look=False)
    ada.top_up(10, NOW + MINUTE)
    enforcement.sweep(ada.context, NOW + 2 * MINUTE)
    assert ada.kinds() == []


@pytest.mark.rule("P8")
@pytest.mark.rule("B3")
def test_an_expired_package_is_told_and_the_next_one_too(
    context: Context, make: Factory, router: SimulatedNas
) -> None:
    """Without a portal there is no link."""
    who = make.subscriber(NOW)
    messages.set_alerts(context, who.customer_id, NOW, addresses=["cy@net.example"])
    cy = Talker(context, make, who, router)
    make.package(who, NOW, valid_for=timedelta(hours=1))
    end = NOW + timedelta(hours=1)
    enforcement.sweep(context, end)
    enforcement.sweep(context, end + MINUTE)
    expected = {"username": who.username, "reason": "expired", "recharge_url": None}
    assert cy.told() == [("exhausted", expected)]
    make.package(who, end + MINUTE)
    assert cy.kinds() == ["exhausted", "restored"]


@pytest.mark.rule("P8")
def test_a_suspension_in_between_is_told_and_so_is_what_holds_after_it(ada: Talker) -> None:
    ada.top_up(10, NOW)
    ada.start(NOW)
    ada.use(10, NOW + MINUTE)
    later = NOW + 2 * MINUTE
    until = later + MINUTE
    holds.suspend(ada.context, ada.who.subscription_id, note="fraud?", now=later, until=until)
    enforcement.sweep(ada.context, until)
    assert ada.kinds() == ["exhausted", "suspended", "exhausted"]


@pytest.mark.rule("P6", "P13")
def test_the_daily_check_tells_what_an_event_missed(ada: Talker) -> None:
    watch(ada, balance=20)
    ada.top_up(100, NOW)
    ada.start(NOW)
    ada.use(90, NOW + MINUTE, look=False)
    with ada.context.transaction() as tx:
        row = tables.Subscription
        tx.execute(
            update(row)
            .where(row.subscription_id == ada.who.subscription_id)
            .values(service_next_change_at=None)
        )
    enforcement.sweep(ada.context, NOW + MINUTE)
    assert ada.kinds() == []
    report = wallet_check.run(ada.context, NOW + 2 * MINUTE)
    assert ada.kinds() == ["low_balance"]
    (repair,) = (one for one in report.repaired if one.customer_id == ada.who.customer_id)
    assert repair.what == "1 messages to the customer"
    report = wallet_check.run(ada.context, NOW + 3 * MINUTE)
    assert ada.who.customer_id not in {one.customer_id for one in report.repaired}
    assert ada.kinds() == ["low_balance"]


@pytest.mark.rule("P6")
def test_every_wallet_has_its_own_alerts(ada: Talker) -> None:
    customers.add_subscription(
        ada.context, customer_id=ada.who.customer_id, username="adas-own", now=NOW, own_wallet=True
    )
    own, other = spending.watches(ada.context, ada.who.customer_id, NOW)
    spending.set_alerts(
        ada.context, ada.who.customer_id, NOW, wallet_id=other.wallet_id, balance_percent=50
    )
    own, other = spending.watches(ada.context, ada.who.customer_id, NOW)
    assert (own.alert_percent, other.alert_percent) == (None, 50)
    watch(ada, balance=10)
    watch(ada, balance=0)
    own, other = spending.watches(ada.context, ada.who.customer_id, NOW)
    assert (own.alert_percent, other.alert_percent) == (None, 50)


@pytest.mark.rule("P6")
def test_alerts_that_make_no_sense_are_refused(ada: Talker) -> None:
    for balance in (-1, 100):
        with pytest.raises(InvalidInput, match="1 to 99 percent"):
            watch(ada, balance=balance)
    for usage in ((0,), (101,), (10, 20, 30, 40, 50, 60)):
        with pytest.raises(InvalidInput, match="up to 5 levels"):
            watch(ada, usage=usage)
    with pytest.raises(NotFound, match="has no wallet"):
        spending.set_alerts(ada.context, ada.who.customer_id, NOW, wallet_id=1, balance_percent=5)
