"""What a change of plan gives back, and which plan bills a day (rule B17)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.model.money import Money
from billing.model.plan import PlanTerms
from billing.model.plan_changes import ChangeState, VersionChange, When
from billing.rules.cycles import Cycle, cycle_of, partial_cycle
from billing.rules.plan_changes import (
    BilledLine,
    Bought,
    bill_share,
    given_back,
    package_share,
    realigned,
    split,
    used_quantities,
    version_on,
    when_by_price,
)
from tests.factories import DAILY, MONTHLY

NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
MARCH = Cycle(date(2026, 3, 10), date(2026, 4, 10))
REST = Cycle(date(2026, 3, 21), date(2026, 4, 10))  # 20 of its 31 days
MONTH = PlanTerms(plan_version_id=1, plan_name="a", price_micros=30_000_000, currency="USD")
pytestmark = pytest.mark.rule("B17")


def usd(cents: int) -> Money:
    return Money(cents * 10_000, "USD")


def package(days: int = 30, used: timedelta = timedelta(0), **quantities: int) -> Bought:
    """Bought so long ago."""
    begun = NOW - used
    return Bought(days * 1440, begun, begun + timedelta(days=days), **quantities)


def test_what_is_cheaper_waits_and_all_else_is_now() -> None:
    dearer, as_dear, cheaper = (
        replace(MONTH, price_micros=micros) for micros in (30_000_001, 30_000_000, 29_999_999)
    )
    assert [when_by_price(MONTH, one) for one in (dearer, as_dear, cheaper)] == [
        When.NOW,
        When.NOW,
        When.NEXT,
    ]
    assert when_by_price(None, cheaper) is When.NOW


def test_prices_are_compared_by_the_day() -> None:
    week = replace(MONTH, price_micros=7_000_000, validity_minutes=7 * 1440)
    month = replace(MONTH, price_micros=28_000_000, validity_minutes=30 * 1440)
    assert when_by_price(week, month) is When.NEXT
    assert when_by_price(month, week) is When.NOW
    unlimited = replace(month, price_micros=7_000_000, validity_minutes=None)
    assert when_by_price(week, unlimited) is When.NOW


def test_as_dear_by_the_day_is_no_reason_to_wait() -> None:
    week = replace(MONTH, price_micros=7_000_000, validity_minutes=7 * 1440)
    month = replace(MONTH, price_micros=30_000_000, validity_minutes=30 * 1440)
    assert when_by_price(week, month) is when_by_price(month, week) is When.NOW


def test_only_whole_days_of_a_package_are_unused() -> None:
    used = timedelta(days=10, seconds=1)
    assert package_share(package(used=used), NOW) == Fraction(19, 30)
    assert package_share(package(used=timedelta(days=10)), NOW) == Fraction(20, 30)
    assert package_share(package(days=1, used=timedelta(seconds=1)), NOW) == 0
    assert package_share(package(used=timedelta(days=31)), NOW) == 0


def test_the_smallest_share_that_is_left_counts() -> None:
    half = timedelta(days=15)
    assert package_share(package(used=half, octets_total=10, octets_left=2), NOW) == Fraction(1, 5)
    assert package_share(package(used=half, octets_total=10, octets_left=9), NOW) == Fraction(1, 2)
    both = package(used=half, octets_total=10, octets_left=4, seconds_total=8, seconds_left=1)
    assert package_share(both, NOW) == Fraction(1, 8)
    assert used_quantities(both) == Fraction(1, 8)
    assert used_quantities(package()) is None


def test_what_has_not_begun_is_unused() -> None:
    waiting = Bought(1440, None, None)
    planned = Bought(1440, NOW + timedelta(seconds=1), NOW + timedelta(days=1, seconds=1))
    assert package_share(waiting, NOW) == package_share(planned, NOW) == 1
    assert package_share(Bought(1440, NOW, NOW + timedelta(days=1)), NOW) == 1


def test_what_begins_this_instant_has_begun() -> None:
    half = Bought(1440, NOW, NOW + timedelta(days=1), octets_total=4, octets_left=2)
    assert package_share(half, NOW) == Fraction(1, 2)


def test_days_that_stood_still_count_by_what_was_bought() -> None:
    longer = Bought(10 * 1440, NOW - timedelta(days=6), NOW + timedelta(days=6))
    assert package_share(longer, NOW) == Fraction(6, 10)


def test_of_nothing_there_is_no_share() -> None:
    empty = Bought(None, NOW - timedelta(days=1), NOW - timedelta(days=1))
    assert package_share(empty, NOW) == 0
    assert used_quantities(package(octets_total=0, octets_left=0)) is None
    least = Money(1, "USD")
    assert bill_share([BilledLine(least, MARCH)], least, REST) == Fraction(20, 31)


def test_of_a_package_without_limits_nothing_can_be_told() -> None:
    assert package_share(Bought(None, NOW - timedelta(days=1), None), NOW) == 0
    only_data = Bought(None, NOW - timedelta(days=1), None, octets_total=4, octets_left=3)
    assert package_share(only_data, NOW) == Fraction(3, 4)


def test_a_window_without_a_length_is_its_own_measure() -> None:
    imported = Bought(None, NOW - timedelta(days=5), NOW + timedelta(days=15))
    assert package_share(imported, NOW) == Fraction(15, 20)


def test_a_month_of_30_changed_on_20_march_gives_back_20_of_31_days() -> None:
    share = bill_share([BilledLine(usd(3000), MARCH)], usd(3000), REST)
    assert share == Fraction(20, 31)
    assert given_back(usd(3000), share, usd(3000)) == usd(1935)


def test_discounts_on_the_plan_are_given_back_with_it_and_charges_are_not() -> None:
    plan, discount = BilledLine(usd(3000), MARCH), BilledLine(usd(-300), MARCH)
    assert bill_share([plan, discount], usd(3200), REST) == Fraction(2700 * 20, 31 * 3200)
    early = BilledLine(usd(-300), Cycle(date(2026, 3, 10), date(2026, 3, 20)))
    assert bill_share([plan, early], usd(2700), REST) == Fraction(3000 * 20, 31 * 2700)


def test_a_package_used_faster_than_its_days_gives_back_less() -> None:
    lines = [BilledLine(usd(3000), MARCH)]
    assert bill_share(lines, usd(3000), REST, Fraction(1, 10)) == Fraction(1, 10)
    assert bill_share(lines, usd(3000), REST, Fraction(9, 10)) == Fraction(20, 31)


def test_nothing_is_given_back_of_nothing() -> None:
    lines = [BilledLine(usd(3000), MARCH)]
    ended = Cycle(date(2026, 4, 10), date(2026, 4, 10))
    assert bill_share(lines, usd(0), REST) == 0
    assert bill_share(lines, usd(3000), ended) == 0
    assert bill_share([BilledLine(usd(-100), MARCH)], usd(3000), REST) == 0
    assert bill_share(lines, usd(1000), MARCH) == 1


def test_no_more_is_given_back_than_was_left() -> None:
    assert given_back(usd(3000), Fraction(20, 31), usd(1000)) == usd(1000)


@given(
    cents=st.integers(0, 10**7),
    days=st.integers(1, 366),
    data=st.data(),
    paid=st.integers(0, 10**7),
)
def test_a_day_costs_no_more_than_its_plan(
    cents: int, days: int, data: st.DataObject, paid: int
) -> None:
    """What is charged for a cycle less what is given back of it is at most the price of the days
    that were served, to the minor unit; and no more goes back than there was."""
    served = data.draw(st.integers(0, days))
    cycle = Cycle(date(2026, 1, 1), date(2026, 1, 1) + timedelta(days=days))
    unused = Cycle(cycle.first_day + timedelta(days=served), cycle.next_first_day)
    price = usd(cents)
    share = bill_share([BilledLine(price, cycle)], price, unused)
    back = given_back(price, share, price)
    kept = price - back
    assert kept.amount_micros <= price.prorated(served, days).amount_micros
    assert price.prorated(served, days).amount_micros - kept.amount_micros <= 10_000
    capped = given_back(price, share, usd(min(cents, paid)))
    assert capped.amount_micros <= min(back.amount_micros, paid * 10_000)


@given(
    prices=st.lists(st.integers(0, 10**6), min_size=1, max_size=6),
    data=st.data(),
)
def test_a_cycle_of_many_plans_costs_the_days_of_each(
    prices: list[int], data: st.DataObject
) -> None:
    """Bill by bill as plans follow one another: what each keeps is the price of its days, to the
    minor unit, and together they cover the cycle once."""
    profile = replace(MONTHLY, name="m", cycle_day=data.draw(st.integers(1, 31)))
    cycle = cycle_of(data.draw(st.dates(date(2024, 1, 1), date(2028, 12, 31))), profile)
    inner = st.integers(1, cycle.days - 1)
    size = len(prices) - 1
    cuts = sorted(data.draw(st.lists(inner, min_size=size, max_size=size, unique=True)))
    edges = [cycle.first_day + timedelta(days=one) for one in (0, *cuts)]
    for price, first, until in zip(prices, edges, [*edges[1:], cycle.next_first_day], strict=True):
        bill = partial_cycle(usd(price), first, profile)
        days = Cycle(first, cycle.next_first_day)
        unused = Cycle(until, cycle.next_first_day)
        share = bill_share([BilledLine(bill.amount, days)], bill.amount, unused)
        kept = bill.amount - given_back(bill.amount, share, bill.amount)
        exact = Fraction(price * 10_000 * (until - first).days, cycle.days)
        assert abs(kept.amount_micros - exact) < 10_000


@given(
    price=st.integers(1, 10**6),
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=5),
    gone=st.floats(0, 60),
)
def test_refunds_of_packages_never_exceed_what_was_paid(
    price: int, lengths: list[int], gone: float
) -> None:
    bought, begin = [], NOW - timedelta(days=gone)
    for days in lengths:
        bought.append(Bought(days * 1440, begin, begin + timedelta(days=days)))
        begin += timedelta(days=days)
    back = [given_back(usd(price), package_share(one, NOW), usd(price)) for one in bought]
    assert all(0 <= one.amount_micros <= price * 10_000 for one in back)
    unserved = sum(
        min(Fraction(1), max(Fraction(0), Fraction(str(days)) - _served(one)) / days)
        for one, days in zip(bought, lengths, strict=True)
    )
    assert sum(one.amount_micros for one in back) <= price * 10_000 * unserved + 5_000 * len(back)


def _served(one: Bought) -> Fraction:
    """Days of a package that have passed."""
    assert one.valid_from is not None
    passed = (NOW - one.valid_from) // timedelta(microseconds=1)
    return Fraction(max(0, passed), 86_400_000_000)


def change(
    number: int, on: date, old: int, new: int, state: ChangeState = ChangeState.DONE
) -> VersionChange:
    return VersionChange(
        change_id=number,
        customer_id=1,
        subscription_id=1,
        state=state,
        from_version_id=old,
        to_version_id=new,
        effective_on=on,
    )


def test_a_day_is_billed_by_the_plan_that_it_had() -> None:
    tenth, twentieth = date(2026, 3, 10), date(2026, 3, 20)
    done = [change(1, tenth, old=7, new=8), change(2, twentieth, old=8, new=9)]
    days = [date(2026, 3, number) for number in (9, 10, 19, 20, 21)]
    assert [version_on(day, 9, done) for day in days] == [7, 8, 8, 9, 9]
    # Whoever sold another plan meanwhile has the last word on the days since.
    assert version_on(date(2026, 3, 21), 12, done) == 12


def test_two_changes_of_a_day_are_looked_back_at_in_their_order() -> None:
    day = date(2026, 3, 10)
    done = [change(2, day, old=8, new=9), change(1, day, old=7, new=8)]
    assert version_on(date(2026, 3, 9), 9, done) == 7
    assert version_on(day, 9, done) == 9


def test_bills_in_advance_look_ahead() -> None:
    waits = [
        change(1, date(2026, 4, 10), old=7, new=8, state=ChangeState.PENDING),
        change(2, date(2026, 5, 10), old=8, new=9, state=ChangeState.PENDING),
    ]
    days = [date(2026, 4, 9), date(2026, 4, 10), date(2026, 5, 9), date(2026, 5, 10)]
    assert [version_on(day, 7, waits) for day in days] == [7, 8, 8, 9]


def test_a_cycle_is_cut_where_another_plan_begins_within_it() -> None:
    april = Cycle(date(2026, 4, 10), date(2026, 5, 10))
    days = [date(2026, 4, 10), date(2026, 3, 21), date(2026, 6, 1)]
    assert list(split(iter([MARCH, april]), days)) == [
        Cycle(date(2026, 3, 10), date(2026, 3, 21)),
        Cycle(date(2026, 3, 21), date(2026, 4, 10)),
        april,
    ]


def test_under_another_profile_a_change_waits_for_a_cycle_of_it() -> None:
    fifteenth = replace(MONTHLY, name="m", cycle_day=15)
    today = date(2026, 4, 14)
    assert realigned(date(2026, 4, 10), today, fifteenth) == date(2026, 4, 15)
    assert realigned(date(2026, 4, 16), today, fifteenth) == date(2026, 5, 15)
    assert realigned(None, today, fifteenth) == date(2026, 4, 15)
    assert realigned(None, today + timedelta(days=1), fifteenth) == date(2026, 5, 15)
    assert realigned(date(2026, 4, 10), today, DAILY) is None
