"""When revenue is earned of what was sold for a period (rule I6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.model.plan import PlanTerms
from billing.model.revenue import DeferredItem, Earned, RevenueKind, Sold, Step, Use
from billing.rules.recognition import (
    earned_by,
    given_back,
    is_deferred,
    month_end,
    over_on,
    steps,
    unposted,
)

DAY = timedelta(days=1)
MARCH_10 = date(2026, 3, 10)
MONTH = Sold(net_micros=31_000_001, first_day=MARCH_10, next_first_day=date(2026, 4, 10))
DATA = Sold(
    net_micros=10_000_001,
    first_day=MARCH_10,
    octets=300,
    uses=(Use(MARCH_10, 60, 100), Use(date(2026, 3, 12), 60, 50)),
)
YEAR = 366 * 1440


def item(sold: Sold, posted_through: date = MARCH_10 - DAY, posted: int = 0) -> DeferredItem:
    return DeferredItem(
        customer_id=1,
        item_id=1,
        org_id=1,
        kind=RevenueKind.BILL,
        currency="USD",
        sold=sold,
        posted_through=posted_through,
        posted=Earned(posted),
    )


@pytest.mark.rule("I6")
def test_days_earn_alike_and_the_last_one_what_rounding_left() -> None:
    assert earned_by(MONTH, MARCH_10 - DAY) == Earned(0)
    assert earned_by(MONTH, MARCH_10) == Earned(1_000_000)
    assert earned_by(MONTH, date(2026, 4, 8)) == Earned(30_000_000)
    assert earned_by(MONTH, date(2026, 4, 9)) == Earned(31_000_001)
    assert earned_by(MONTH, date(2026, 9, 9)) == Earned(31_000_001)
    assert over_on(MONTH) == date(2026, 4, 9)


@pytest.mark.rule("I6")
def test_a_discount_is_shared_as_the_price_is() -> None:
    discount = replace(MONTH, net_micros=-31_000_001)
    assert earned_by(discount, MARCH_10) == Earned(-1_000_000)
    assert earned_by(discount, date(2026, 4, 9)) == Earned(-31_000_001)


@pytest.mark.rule("I6")
def test_what_has_not_begun_earns_nothing() -> None:
    waiting = Sold(net_micros=5, validity_minutes=1440)
    assert earned_by(waiting, date(2030, 1, 1)) == Earned(0)
    assert over_on(waiting) is None
    assert earned_by(replace(waiting, first_day=MARCH_10), date(2030, 1, 1)) == Earned(0)


@pytest.mark.rule("I6")
def test_what_was_used_up_early_is_earned_then() -> None:
    early = replace(MONTH, octets=10, validity_minutes=YEAR, used_up_on=date(2026, 3, 12))
    assert earned_by(early, date(2026, 3, 11)) == Earned(2_000_000)
    assert earned_by(early, date(2026, 3, 12)) == Earned(31_000_001)
    assert over_on(early) == date(2026, 3, 12)


@pytest.mark.rule("I6")
def test_what_is_left_when_it_is_closed_lapses() -> None:
    closed = replace(MONTH, lapsed_on=date(2026, 3, 12))
    assert earned_by(closed, date(2026, 3, 11)) == Earned(2_000_000)
    for day in (date(2026, 3, 12), date(2026, 4, 9), date(2026, 5, 1)):
        assert earned_by(closed, day) == Earned(3_000_000, 28_000_001)
    used = replace(closed, used_up_on=date(2026, 3, 12))
    assert earned_by(used, date(2026, 3, 12)) == Earned(31_000_001)
    after = replace(closed, used_up_on=date(2026, 3, 13))
    assert earned_by(after, date(2026, 3, 13)) == Earned(3_000_000, 28_000_001)


@pytest.mark.rule("I6")
def test_a_quantity_without_an_end_is_earned_as_it_is_used() -> None:
    assert earned_by(DATA, MARCH_10 - DAY) == Earned(0)
    assert earned_by(DATA, date(2026, 3, 11)) == Earned(3_333_333)
    assert earned_by(DATA, date(2030, 3, 12)) == Earned(5_000_000)
    assert over_on(DATA) is None
    # What is nearer to its end decides; more than there was is all there was.
    assert earned_by(replace(DATA, seconds=80), MARCH_10) == Earned(7_500_000)
    assert earned_by(replace(DATA, seconds=20), MARCH_10) == Earned(10_000_001)
    assert earned_by(replace(DATA, octets=None, seconds=600), MARCH_10) == Earned(1_000_000)
    discount = replace(DATA, net_micros=-10_000_001, seconds=80)
    assert earned_by(discount, MARCH_10) == Earned(-7_500_000)


@pytest.mark.rule("I6")
def test_a_quantity_with_an_end_is_earned_by_the_day_up_to_a_year_and_beyond_by_use() -> None:
    ends = replace(DATA, next_first_day=date(2026, 3, 20))
    by_day = replace(ends, validity_minutes=YEAR)
    assert earned_by(by_day, MARCH_10) == Earned(1_000_000)
    assert earned_by(by_day, date(2026, 3, 19)) == Earned(10_000_001)
    by_use = replace(ends, validity_minutes=YEAR + 1)
    assert earned_by(by_use, date(2026, 3, 18)) == Earned(5_000_000)
    assert earned_by(by_use, date(2026, 3, 19)) == Earned(5_000_000, 5_000_001)
    assert over_on(by_use) == date(2026, 3, 19)
    closed = replace(by_use, lapsed_on=date(2026, 3, 11))
    assert earned_by(closed, date(2026, 3, 19)) == Earned(3_333_333, 6_666_668)
    # Time alone, however long, is served by the day.
    assert earned_by(replace(by_use, octets=None), MARCH_10) == Earned(1_000_000)


@pytest.mark.rule("I6")
@pytest.mark.parametrize(
    ("validity", "octets", "deferred"),
    [(1440, None, True), (None, 10, True), (1440, 10, True), (None, None, False)],
)
def test_what_has_an_end_or_a_limit_is_deferred(
    validity: int | None, octets: int | None, deferred: bool
) -> None:
    terms = PlanTerms(
        plan_version_id=1,
        plan_name="plan",
        price_micros=1,
        currency="USD",
        validity_minutes=validity,
        octets=octets,
    )
    assert is_deferred(terms) is deferred


@pytest.mark.rule("I6")
def test_it_is_posted_at_the_ends_of_months_and_when_it_is_over() -> None:
    march, april = date(2026, 3, 31), date(2026, 4, 9)
    assert steps(item(MONTH), date(2026, 3, 30)) == []
    assert steps(item(MONTH), march) == [Step(march, 22_000_000, 0)]
    assert steps(item(MONTH), date(2026, 5, 3)) == [
        Step(march, 22_000_000, 0),
        Step(april, 9_000_001, 0),
    ]
    assert steps(item(MONTH, march, 22_000_000), date(2026, 4, 8)) == []
    assert steps(item(MONTH, march, 22_000_000), april) == [Step(april, 9_000_001, 0)]
    assert steps(item(MONTH), date(2026, 3, 12), closing=True) == [
        Step(date(2026, 3, 12), 3_000_000, 0)
    ]
    assert steps(item(MONTH, date(2026, 3, 30), 21_000_000), march) == [Step(march, 1_000_000, 0)]


@pytest.mark.rule("I6")
def test_an_end_that_is_known_late_is_posted_with_the_next_run() -> None:
    late = replace(MONTH, octets=1, validity_minutes=YEAR, used_up_on=date(2026, 3, 20))
    found = steps(item(late, date(2026, 3, 31), 22_000_000), date(2026, 4, 2))
    assert found == [Step(date(2026, 4, 2), 9_000_001, 0)]
    exactly = steps(item(late, date(2026, 3, 20), 11_000_000), date(2026, 4, 2))
    assert exactly == [Step(date(2026, 4, 2), 20_000_001, 0)]
    known = steps(item(late, date(2026, 3, 19), 10_000_000), date(2026, 4, 2))
    assert known == [Step(date(2026, 3, 20), 21_000_001, 0)]


@pytest.mark.rule("I6")
def test_use_that_is_told_late_is_not_posted_in_a_month_that_is() -> None:
    march, april = date(2026, 3, 31), date(2026, 4, 30)
    assert steps(item(DATA, march, 1_000_000), date(2026, 4, 29)) == []
    assert steps(item(DATA, march, 1_000_000), april) == [Step(april, 4_000_000, 0)]


@pytest.mark.rule("I6")
def test_what_serves_no_day_earns_nothing() -> None:
    assert earned_by(replace(MONTH, next_first_day=MARCH_10), MARCH_10) == Earned(0)


@pytest.mark.rule("I6")
def test_a_longer_validity_takes_nothing_back() -> None:
    march, april = date(2026, 3, 31), date(2026, 4, 30)
    longer = replace(MONTH, next_first_day=date(2026, 5, 11))  # 62 days
    posted = item(longer, march, 22_000_000)
    assert unposted(posted, date(2026, 4, 1), None) == Earned(0)
    assert steps(posted, date(2026, 4, 20), closing=True) == []
    assert steps(posted, april) == [Step(april, 4_000_000, 0)]
    # Closed before its days have caught up: only what was not earned lapses.
    closed = replace(posted, sold=replace(longer, lapsed_on=date(2026, 4, 2)))
    assert steps(closed, april) == [Step(date(2026, 4, 2), 0, 9_000_001)]


@pytest.mark.rule("I6")
def test_what_the_ledger_lacks_stays_between_two_postings() -> None:
    day = date(2026, 3, 12)
    assert unposted(item(DATA), day, None) == Earned(5_000_000)
    assert unposted(item(DATA, posted=1_000_000), day, None) == Earned(4_000_000)
    # The posting after that day knew of less: the rest was told later, and is earned later.
    assert unposted(item(DATA), day, Earned(3_333_333)) == Earned(3_333_333)
    assert unposted(item(DATA), day, Earned(9_000_000)) == Earned(5_000_000)
    lapsed = replace(MONTH, lapsed_on=day)
    assert unposted(item(lapsed), day, Earned(3_000_000, 0)) == Earned(3_000_000)
    whole = Earned(3_000_000, 28_000_001)
    assert unposted(item(lapsed), day, None) == unposted(item(lapsed), day, whole) == whole
    assert unposted(item(lapsed), day - DAY, whole) == Earned(2_000_000)


@pytest.mark.rule("I6")
def test_what_is_given_back_is_taken_in_proportion() -> None:
    assert given_back([300, 100], 100) == [75, 25]
    assert given_back([300, -100], 50) == [75, -25]
    assert given_back([300, 100], 401) == [300, 100]
    assert given_back([300, 100], 400) == [300, 100]
    assert given_back([], 5) == []
    assert given_back([0, 7], 3) == [0, 3]
    assert given_back([1, 1], 1) == [0, 1]


@pytest.mark.parametrize(
    ("day", "end"),
    [(date(2026, 2, 1), date(2026, 2, 28)), (date(2026, 12, 31), date(2026, 12, 31))],
)
def test_a_month_ends_with_its_last_day(day: date, end: date) -> None:
    assert month_end(day) == end


offsets = st.integers(0, 800)
uses = st.lists(
    st.builds(
        lambda on, seconds, octets: Use(MARCH_10 + on * DAY, seconds, octets),
        offsets,
        st.integers(0, 10**6),
        st.integers(0, 10**12),
    ),
    max_size=6,
).map(tuple)
things = st.builds(
    lambda net, days, validity, seconds, octets, used, used_up, lapsed: Sold(
        net_micros=net,
        first_day=MARCH_10,
        next_first_day=None if validity is None else MARCH_10 + days * DAY,
        validity_minutes=validity,
        seconds=seconds,
        octets=octets,
        uses=used,
        used_up_on=None if used_up is None else MARCH_10 + used_up * DAY,
        lapsed_on=None if lapsed is None else MARCH_10 + lapsed * DAY,
    ),
    st.integers(-(10**12), 10**12).filter(bool),
    st.integers(1, 700),
    st.none() | st.integers(1, 10**6),
    st.none() | st.integers(1, 10**6),
    st.none() | st.integers(1, 10**12),
    uses,
    st.none() | offsets,
    st.none() | offsets,
)


@pytest.mark.rule("I6")
@given(sold=things, at=st.lists(offsets, min_size=1, max_size=8))
def test_earned_only_rises_and_comes_to_the_whole_when_it_is_over(
    sold: Sold, at: list[int]
) -> None:
    sign = 1 if sold.net_micros > 0 else -1
    before = Earned(0)
    for offset in sorted(at):
        earned = earned_by(sold, MARCH_10 + offset * DAY)
        both = earned.earned_micros + earned.breakage_micros
        assert sign * earned.earned_micros >= sign * before.earned_micros
        assert sign * earned.breakage_micros >= sign * before.breakage_micros
        assert abs(both) <= abs(sold.net_micros)
        before = earned
    over = over_on(sold)
    if over is not None:
        done = earned_by(sold, over)
        assert done.earned_micros + done.breakage_micros == sold.net_micros
        assert earned_by(sold, over + DAY) == done


@pytest.mark.rule("I6")
@given(sold=things, runs=st.lists(offsets, min_size=1, max_size=6))
def test_however_often_it_is_posted_the_parts_add_up(sold: Sold, runs: list[int]) -> None:
    now = item(sold)
    for offset in sorted(runs):
        through = MARCH_10 + offset * DAY
        for step in steps(now, through):
            assert now.posted_through < step.on <= through
            posted = Earned(
                now.posted.earned_micros + step.earned_micros,
                now.posted.breakage_micros + step.breakage_micros,
            )
            assert posted == earned_by(sold, step.on)
            now = replace(now, posted=posted, posted_through=step.on)
        over = over_on(sold)
        if over is not None and over <= through:
            assert now.open_micros == 0
        elif month_end(through) == through:
            assert now.posted == earned_by(sold, through)


@pytest.mark.rule("I6")
@given(
    opens=st.lists(st.integers(0, 10**12), max_size=6),
    amount=st.integers(1, 10**13),
)
def test_what_is_given_back_is_all_of_the_amount_or_all_there_is(
    opens: list[int], amount: int
) -> None:
    parts = given_back(opens, amount)
    assert sum(parts) == min(amount, sum(opens))
    assert all(0 <= part <= one for part, one in zip(parts, opens, strict=True))
