"""What a reseller's sale moves, and what is given back of it (rules R1, R2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.model.money import Money
from billing.model.resellers import Level
from billing.rules.plan_changes import Bought
from billing.rules.resellers import (
    cost_problem,
    missing,
    passed_on,
    price_list_problem,
    sale_costs,
    undo_problem,
    undo_share,
    wallet_moves,
)

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
pytestmark = pytest.mark.rule("R1")


def usd(cents: int) -> Money:
    return Money(cents * 10_000, "USD")


def level(depth: int, cost_cents: int | None, there_cents: int = 100_00) -> Level:
    return Level(
        depth=depth,
        org_id=10 - depth,
        parent_org_id=9 - depth,
        customer_id=depth + 1,
        wallet_id=depth + 1,
        currency="USD",
        cost_micros=None if cost_cents is None else cost_cents * 10_000,
        below_parent=False,
        spendable_micros=there_cents * 10_000,
        alert_below_micros=None,
        closed_at=None,
    )


CHAIN = [level(0, 8_00), level(1, 7_00), level(2, 6_50)]


def test_who_sells_pays_and_each_above_gets_its_margin() -> None:
    costs = sale_costs(CHAIN, Fraction(1))
    assert costs == [usd(8_00), usd(7_00), usd(6_50)]
    assert wallet_moves(costs) == [usd(-8_00), usd(1_00), usd(50)]


def test_a_month_in_part_costs_its_share_half_up() -> None:
    # 23 of 31 days: 5.9355, 5.1935, 4.8226.
    costs = sale_costs(CHAIN, Fraction(23, 31))
    assert costs == [usd(5_94), usd(5_19), usd(4_82)]
    assert wallet_moves(costs) == [usd(-5_94), usd(75), usd(37)]
    assert sale_costs([level(0, 1)], Fraction(1, 2)) == [usd(1)]


@given(
    st.lists(st.integers(0, 10**6), min_size=1, max_size=6),
    st.integers(1, 31),
)
def test_all_wallets_together_pay_what_the_uppermost_pays(cents: list[int], days: int) -> None:
    chain = [level(depth, cost) for depth, cost in enumerate(cents)]
    costs = sale_costs(chain, Fraction(days, 31))
    moved = sum(move.amount_micros for move in wallet_moves(costs))
    assert moved == -costs[-1].amount_micros


def test_what_is_missing_is_said_of_who_does_not_cover_it() -> None:
    costs = sale_costs(CHAIN, Fraction(1))
    assert missing(CHAIN, costs) is None
    assert missing([level(0, 8_00, 8_00), level(1, 7_00, 0)], costs[:2]) is None
    short = level(0, 8_00, 7_99)
    assert missing([short, *CHAIN[1:]], costs) == (short, usd(1))
    # Its child pays less than it pays itself.
    poor = level(1, 9_00, 99)
    assert missing([CHAIN[0], poor], [usd(8_00), usd(9_00)]) == (poor, usd(1))
    assert missing([CHAIN[0], level(1, 9_00, 1_00)], [usd(8_00), usd(9_00)]) is None


def test_without_a_cost_all_the_way_up_nothing_is_sold() -> None:
    assert price_list_problem(CHAIN) is None
    assert price_list_problem([level(0, 0), level(1, 0)]) is None
    assert "it has no cost" in str(price_list_problem([level(0, None), CHAIN[1]]))
    assert "reseller 9 above it has no cost" in str(price_list_problem([CHAIN[0], level(1, None)]))
    closed = replace(CHAIN[1], closed_at=NOW)
    assert "reseller 10 sells nothing: reseller 9 above it is closed" in str(
        price_list_problem([CHAIN[0], closed])
    )


def test_a_cost_is_not_less_than_the_parents_unless_that_was_said() -> None:
    assert cost_problem(7_000_000, 7_000_000, "USD") is None
    assert "6.99 USD is less than the 7.00 USD" in str(cost_problem(6_990_000, 7_000_000, "USD"))
    cheap = level(0, 6_99)
    assert "reseller 10: the cost 6.99 USD" in str(price_list_problem([cheap, CHAIN[1]]))
    assert price_list_problem([replace(cheap, below_parent=True), CHAIN[1]]) is None
    # That the parent said so does not let its own parent pay.
    chain = [CHAIN[0], replace(level(1, 6_00), below_parent=False), level(2, 6_50)]
    assert "reseller 9: the cost 6.00 USD" in str(price_list_problem(chain))


DAY = Bought(1440, NOW, NOW + timedelta(days=1))


def test_what_is_unused_is_told_to_the_second_by_the_smallest_share() -> None:
    assert undo_share(DAY, NOW) == 1
    assert undo_share(DAY, NOW + timedelta(minutes=15)) == Fraction(1425, 1440)
    assert undo_share(DAY, NOW + timedelta(hours=24)) == 0
    assert undo_share(DAY, NOW + timedelta(hours=25)) == 0
    used = replace(DAY, octets_total=1000, octets_left=250, seconds_total=100, seconds_left=60)
    assert undo_share(used, NOW + timedelta(hours=6)) == Fraction(1, 4)
    assert undo_share(used, NOW + timedelta(hours=20)) == Fraction(1, 6)
    assert undo_share(replace(used, octets_left=0), NOW) == 0


def test_what_has_not_begun_is_all_unused_and_of_no_limit_nothing_can_be_told() -> None:
    waits = Bought(1440, None, None)
    assert undo_share(waits, NOW) == 1
    later = Bought(1440, NOW + timedelta(seconds=1), NOW + timedelta(days=1))
    assert undo_share(later, NOW) == 1
    assert undo_share(Bought(None, NOW, None), NOW) == 0
    assert undo_share(Bought(None, NOW, None, octets_total=10, octets_left=4), NOW) == Fraction(
        2, 5
    )


def test_the_window_ends_with_its_last_minute_but_not_for_who_is_above() -> None:
    last = NOW + timedelta(minutes=15)
    past = last + timedelta(microseconds=1)
    assert undo_problem(NOW, 15, last, from_above=False) is None
    assert "15 minutes ago" in str(undo_problem(NOW, 15, past, from_above=False))
    assert undo_problem(NOW, 15, past, from_above=True) is None
    assert undo_problem(NOW, 0, NOW, from_above=False) is None


def test_of_what_a_customer_pays_each_passes_on_its_cost() -> None:
    assert passed_on(CHAIN, usd(10_00)) == [usd(8_00), usd(7_00), usd(6_50)]
    assert passed_on([CHAIN[0]], usd(10_00)) == [usd(8_00)]


def test_nobody_passes_on_more_than_is_paid() -> None:
    assert passed_on(CHAIN, usd(6_80)) == [usd(6_80), usd(6_80), usd(6_50)]
    assert passed_on(CHAIN, usd(1_00)) == [usd(1_00)] * 3


def test_nobody_pays_for_what_a_customer_buys() -> None:
    below = [level(0, 6_00), level(1, 7_00), level(2, None)]
    assert passed_on(below, usd(10_00)) == [usd(7_00), usd(7_00), usd(0)]


@given(costs=st.lists(st.integers(0, 10**6), min_size=1, max_size=6), paid=st.integers(0, 10**6))
def test_what_is_earned_and_what_is_passed_on_is_what_is_paid(costs: list[int], paid: int) -> None:
    levels = [level(depth, cost) for depth, cost in enumerate(costs)]
    passed = passed_on(levels, usd(paid))
    earned = [comes - goes for comes, goes in pairwise([usd(paid), *passed])]
    assert all(one.amount_micros >= 0 for one in earned)
    assert sum(one.amount_micros for one in earned) + passed[-1].amount_micros == paid * 10_000
    assert passed[-1] == usd(min(paid, costs[-1]))
