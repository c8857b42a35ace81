"""Sales, transfers and undos of resellers at the same time (rules R1, R2, radius.md F15)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest

from billing.errors import Refused
from billing.services import nas, reseller_money, reseller_sales, resellers
from billing.services.context import Context
from billing.settings import Settings
from tests.factories import Factory
from tests.integration.reseller_world import MONTH_OF_30_DAYS, NOON, Trade, opened


@pytest.fixture
def trade(context: Context, make: Factory, settings: Settings) -> Iterator[Trade]:
    yield from opened(context, make, settings, pool_size=50)


def together(*acts: Callable[[], object]) -> list[object]:
    """What each returned, or the refusal; all begin at once."""
    barrier = Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return act()
        except Refused as refused:
            return refused

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


@pytest.mark.rule("R1", "P12", "M4")
def test_200_parallel_sales_from_a_wallet_that_covers_50_are_50(trade: Trade) -> None:
    trade.fund(trade.parent, 500_00)
    trade.fund(trade.child, 50 * 8_00 + 7_99)
    who = [trade.customer(trade.child) for _ in range(10)]
    done = together(
        *(lambda one=one, n=n: trade.sell(trade.child, one, f"{n}")
          for n in range(20) for one in who)
    )  # fmt: skip
    sold = [one for one in done if not isinstance(one, Refused)]
    assert len(sold) == 50
    assert all("more is needed to pay 8.00" in str(one) for one in done if one not in sold)
    assert trade.wallet(trade.child) == 7_99
    assert trade.wallet(trade.parent) == 500_00 - 407_99 + 50_00
    counts = "SELECT count(*) FROM {} WHERE org_id = %s"
    for table in ("entitlement", "payment", "reseller_sale", "receipt"):
        assert trade.rows(counts.format(table), trade.child.org_id) == [(50,)], table
    assert trade.findings() == []


@pytest.mark.rule("R1", "R2", "F15")
def test_sales_transfers_and_undos_of_both_at_once_end_without_a_deadlock(trade: Trade) -> None:
    trade.fund(trade.parent, 1_000_00)
    trade.fund(trade.child, 400_00)
    below = [trade.customer(trade.child) for _ in range(4)]
    above = [trade.customer(trade.parent) for _ in range(4)]
    sold = [trade.sell(trade.child, one) for one in below]
    acts: list[Callable[[], object]] = []
    for n in range(4):
        for one, shop in ((below[n], trade.child), (above[n], trade.parent)):
            acts += [lambda one=one, shop=shop: trade.sell(shop, one) for _ in range(4)]
        acts += [lambda: trade.fund(trade.child, 3_00), lambda: trade.fund(trade.child, -1_00)]
        acts += [lambda: trade.fund(trade.parent, 5_00)]
        acts.append(
            lambda n=n: reseller_sales.undo(
                trade.parent.staff, sold[n].sale_id, idempotency_key=f"u{n}", now=NOON
            )
        )
    done = together(*acts)
    # An undo is refused where the same customer has bought again before it: that package follows.
    refused = [one for one in done if isinstance(one, Refused)]
    assert all("another package follows" in str(one) for one in refused)
    undone = 4 - len(refused)
    assert trade.wallet(trade.child) == 400_00 - (4 + 16 - undone) * 8_00 + 4 * 2_00
    assert trade.wallet(trade.parent) == (
        600_00 + (4 + 16 - undone) * 1_00 - 16 * 7_00 - 4 * 2_00 + 4 * 5_00
    )
    assert trade.findings() == []


@pytest.mark.rule("R1", "M5")
def test_one_sale_sent_and_undone_many_times_at_once_happens_once(trade: Trade) -> None:
    trade.fund(trade.parent, 100_00)
    who = trade.customer(trade.parent)
    receipts = together(*(lambda: trade.sell(trade.parent, who, "key") for _ in range(20)))
    assert len({one.sale_id for one in receipts}) == 1  # type: ignore[attr-defined]
    assert trade.wallet(trade.parent) == 93_00
    (number,) = {one.sale_id for one in receipts}  # type: ignore[attr-defined]
    done = together(
        *(
            lambda n=n: reseller_sales.undo(
                trade.parent.staff, number, idempotency_key=f"u{n % 2}", now=NOON
            )
            for n in range(20)
        )
    )
    assert sum(not isinstance(one, Refused) and not one.repeated for one in done) == 1  # type: ignore[attr-defined]
    assert trade.wallet(trade.parent) == 100_00
    assert trade.findings() == []


@pytest.mark.rule("R2")
def test_a_request_that_many_answer_at_once_is_answered_once(trade: Trade) -> None:
    trade.fund(trade.parent, 100_00)
    asked = reseller_money.ask(trade.child.staff, trade.child.org_id, 10_000_000, NOON)
    later = NOON + timedelta(minutes=1)
    done = together(
        *(
            lambda n=n: reseller_money.answer(
                trade.owner if n % 2 else trade.parent.staff,
                asked.request_id,
                later,
                approve=n % 3 > 0,
            )
            for n in range(20)
        )
    )
    (one,) = [one for one in done if not isinstance(one, Refused)]
    assert trade.wallet(trade.child) == (10_00 if one.state == "approved" else 0)  # type: ignore[attr-defined]
    assert trade.findings() == []


@pytest.mark.rule("R1", "R2")
def test_nas_and_plans_that_are_added_at_once_keep_to_the_quota(trade: Trade) -> None:
    resellers.change(
        trade.parent.staff, trade.child.org_id, NOON, undo_minutes=5, max_customers=None,
        max_nas=3, max_plans=3, alert_percent=None, closed=False,
    )  # fmt: skip
    plans = []
    for n in range(8):
        plan_id = trade.make.plan(NOON, replace(MONTH_OF_30_DAYS, plan_name=f"plan {n}"))
        resellers.set_cost(trade.owner, trade.parent.org_id, plan_id, 7_000_000, NOON)
        plans.append(plan_id)
    child = trade.child.org_id
    done = together(
        *(lambda n=n: nas.add_nas(trade.child.staff, name=f"at once {n}",
                                  address=f"10.72.0.{n + 1}", now=NOON) for n in range(8)),
        *(lambda one=one: resellers.set_cost(trade.parent.staff, child, one, 8_000_000, NOON)
          for one in plans),
    )  # fmt: skip
    refused = [str(one) for one in done if isinstance(one, Refused)]
    assert sum("3 NAS" in one for one in refused) == 5
    assert sum("3 plans" in one for one in refused) == 6  # one was there already
    assert trade.rows("SELECT count(*) FROM nas WHERE org_id = %s", child) == [(3,)]
    assert len(resellers.price_list(trade.child.staff, child, NOON)) == 3
