"""What a bill takes of charges and discounts (rules I1, B11, M2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.model.charges import ChargeKind, Extra
from billing.model.money import Money
from billing.model.profile import BillingKind, BillingProfile, Payment
from billing.rules.cycles import Cycle, cycle_of
from billing.rules.extras import billed, lines, waiting
from billing.rules.taxes import charge_all

ON_10TH = BillingProfile(
    name="monthly",
    kind=BillingKind.MONTHLY,
    payment=Payment.PREPAID,
    cycle_day=10,
    automatic_bill=True,
)
MARCH = Cycle(date(2026, 3, 10), date(2026, 4, 10))
APRIL = Cycle(date(2026, 4, 10), date(2026, 5, 10))
BOX = Extra(
    charge_id=1,
    customer_id=1,
    subscription_id=1,
    kind=ChargeKind.RECURRING,
    text="Set-top box",
    price_micros=6_200_000,
    discount_ppm=0,
    starts_on=date(2026, 3, 10),
    ends_on=None,
    billed_until=None,
)
VISIT = replace(
    BOX,
    charge_id=2,
    kind=ChargeKind.ONE_OFF,
    text="Installation",
    price_micros=40_000_000,
    ends_on=date(2026, 3, 11),
)
TENTH = replace(
    BOX,
    charge_id=3,
    kind=ChargeKind.DISCOUNT,
    text="Loyalty",
    price_micros=0,
    discount_ppm=100_000,
)


def usd(text: str) -> Money:
    return Money.parse(text, "USD")


def priced(*extras: Extra, cycle: Cycle = MARCH, plan: str = "31.00") -> list[tuple[str, str]]:
    found = lines("Home", usd(plan), extras, ON_10TH, cycle)
    return [(line.text, str(line.price).removesuffix(" USD")) for line in found]


@pytest.mark.rule("I1")
def test_a_whole_cycle_of_a_charge_a_visit_and_a_discount() -> None:
    assert priced(BOX, VISIT, TENTH) == [
        ("Home", "31.00"),
        ("Set-top box, 2026-03-10 to 2026-04-10", "6.20"),
        ("Installation", "40.00"),
        ("Loyalty", "-3.10"),
    ]


@pytest.mark.rule("I1")
def test_each_line_says_whose_it_is_and_which_days_it_bills() -> None:
    plan, box, visit, tenth = lines("Home", usd("31.00"), [BOX, VISIT, TENTH], ON_10TH, MARCH)
    assert (plan.price, plan.extra, plan.cycle) == (usd("31.00"), None, None)
    assert (box.price, box.extra, box.cycle) == (usd("6.20"), BOX, MARCH)
    day = Cycle(date(2026, 3, 10), date(2026, 3, 11))
    assert (visit.price, visit.extra, visit.cycle) == (usd("40.00"), VISIT, day)
    assert (tenth.price, tenth.extra, tenth.cycle) == (usd("-3.10"), TENTH, MARCH)


@pytest.mark.rule("I1")
@pytest.mark.rule("B11")
def test_a_charge_agreed_within_a_billed_cycle_is_caught_up_by_the_next_bill() -> None:
    late = replace(BOX, starts_on=date(2026, 3, 31))
    # 10 of 31 days and a whole cycle.
    assert priced(late, cycle=APRIL)[1] == ("Set-top box, 2026-03-31 to 2026-05-10", "8.20")


@pytest.mark.rule("I1")
def test_the_days_that_bills_hold_are_not_billed_again() -> None:
    known = replace(BOX, billed_until=date(2026, 4, 10))
    assert priced(known, cycle=MARCH) == [("Home", "31.00")]
    assert priced(known, cycle=APRIL)[1] == ("Set-top box, 2026-04-10 to 2026-05-10", "6.20")
    assert priced(replace(VISIT, billed_until=VISIT.ends_on), cycle=APRIL) == [("Home", "31.00")]


@pytest.mark.rule("I1")
def test_what_ends_within_the_cycle_is_billed_to_its_last_day() -> None:
    ending = replace(BOX, ends_on=date(2026, 3, 20))
    assert priced(ending)[1] == ("Set-top box, 2026-03-10 to 2026-03-20", "2.00")
    assert priced(replace(TENTH, ends_on=date(2026, 3, 20)))[1] == ("Loyalty", "-1.00")
    assert priced(replace(TENTH, ends_on=MARCH.first_day, starts_on=date(2026, 1, 1))) == [
        ("Home", "31.00")
    ]


@pytest.mark.rule("I1")
def test_what_has_not_begun_waits() -> None:
    later = [replace(one, starts_on=APRIL.first_day, ends_on=None) for one in (BOX, VISIT, TENTH)]
    assert priced(*later) == [("Home", "31.00")]


@pytest.mark.rule("I1")
def test_discounts_follow_one_another_and_never_go_below_nothing() -> None:
    half, whole = (
        replace(TENTH, charge_id=number, discount_ppm=ppm)
        for number, ppm in ((4, 500_000), (5, 1_000_000))
    )
    assert priced(half, TENTH, plan="10.00")[1:] == [("Loyalty", "-5.00"), ("Loyalty", "-0.50")]
    for price in ("10.00", "10000000.00"):
        assert priced(whole, half, plan=price)[1:] == [("Loyalty", f"-{price}")]


@pytest.mark.rule("I1")
@pytest.mark.rule("B14")
@pytest.mark.parametrize(
    ("until", "one_off", "found"),
    [
        (date(2026, 3, 20), False, [("Set-top box, 2026-03-10 to 2026-03-20", "2.00", 10),
                                    ("Installation", "40.00", 1)]),
        (date(2026, 3, 20), True, [("Installation", "40.00", 1)]),
        (date(2026, 3, 11), False, [("Set-top box, 2026-03-10 to 2026-03-11", "0.20", 1),
                                    ("Installation", "40.00", 1)]),
        (date(2026, 3, 10), False, []),
    ],
)  # fmt: skip
def test_where_no_cycle_comes_charges_are_billed_alone(
    until: date, one_off: bool, found: list[tuple[str, str, int]]
) -> None:
    alone = waiting([BOX, VISIT, TENTH], ON_10TH, until, "USD", one_off=one_off)
    assert [
        (line.text, str(line.price).removesuffix(" USD"), line.cycle.days if line.cycle else 0)
        for line in alone
    ] == found


@pytest.mark.rule("I1")
@given(
    days=st.integers(0, 40),
    length=st.integers(1, 400) | st.none(),
    cycle_day=st.integers(1, 31),
)
def test_bills_hold_every_day_of_a_charge_once(
    days: int, length: int | None, cycle_day: int
) -> None:
    profile = replace(ON_10TH, cycle_day=cycle_day)
    start = date(2026, 1, 15)
    extra = replace(
        BOX,
        starts_on=date.fromordinal(start.toordinal() + days),
        ends_on=None if length is None else date.fromordinal(start.toordinal() + days + length),
    )
    extras, first, held = [extra], start, []
    for _ in range(16):
        cycle = Cycle(first, cycle_of(first, profile).next_first_day)
        on_bill = lines("Home", usd("10.00"), extras, profile, cycle)
        held += [line.cycle for line in on_bill if line.cycle]
        extras = billed(extras, on_bill)
        first = cycle.next_first_day
    assert held[0].first_day == extra.starts_on
    assert held[-1].next_first_day == min(first, extra.ends_on or first)
    assert all(one.next_first_day == other.first_day for one, other in pairwise(held))


@pytest.mark.rule("M2")
@given(
    prices=st.lists(st.integers(-(10**6), 10**7), min_size=1, max_size=6),
    rate_ppm=st.integers(0, 300_000),
    inclusive=st.booleans(),
)
def test_the_nets_of_all_lines_are_the_net_of_the_bill(
    prices: list[int], rate_ppm: int, inclusive: bool
) -> None:
    given_prices = [Money(price * 100, "USD") for price in prices]
    whole, nets = charge_all(given_prices, rate_ppm, inclusive=inclusive)
    assert sum(nets, usd("0")) == whole.net
    assert whole.net + whole.tax + whole.rounding == whole.total
