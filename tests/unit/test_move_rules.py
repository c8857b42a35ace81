"""What a change of billing profile gives back and bills (rules B6, B14)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import pytest

from billing.model.money import Money
from billing.model.profile import BillIn, BillingKind, BillingProfile, Payment
from billing.rules.bill_run import cycles_until
from billing.rules.cycles import Cycle
from billing.rules.moves import (
    becomes_prepaid,
    billed_from,
    bills_by_itself,
    days_given_back,
    payable,
)

DAILY = BillingProfile(name="daily", kind=BillingKind.DAILY, payment=Payment.PREPAID)
ON_10TH = BillingProfile(
    name="monthly",
    kind=BillingKind.MONTHLY,
    payment=Payment.PREPAID,
    cycle_day=10,
    automatic_bill=True,
)
MARCH = Cycle(date(2026, 3, 10), date(2026, 4, 10))
BEFORE, FIRST, LAST = date(2026, 3, 9), date(2026, 3, 10), date(2026, 4, 9)


@pytest.mark.rule("B6")
@pytest.mark.parametrize(
    ("new", "given_back"),
    [
        (replace(ON_10TH, due_days=30), 0),
        (replace(ON_10TH, cycle_day=11), 31),
        (replace(ON_10TH, bill_in=BillIn.ARREARS), 31),
        (replace(ON_10TH, tax_rate_ppm=1), 31),
        (replace(ON_10TH, tax_inclusive=not ON_10TH.tax_inclusive), 31),
        (DAILY, 31),
    ],
)
@pytest.mark.parametrize("packaged", [False, True])
def test_a_cycle_that_has_not_begun_is_given_back_unless_it_is_billed_the_same(
    new: BillingProfile, given_back: int, packaged: bool
) -> None:
    assert days_given_back(MARCH, BEFORE, ON_10TH, new, packaged=packaged) == given_back
    for stays, days in ((True, given_back), (False, 31)):
        found = days_given_back(MARCH, BEFORE, ON_10TH, new, packaged=packaged, plan_stays=stays)
        assert found == days


@pytest.mark.rule("B6")
def test_a_bridge_that_is_billed_the_same_stays() -> None:
    bridge = Cycle(date(2026, 4, 10), date(2026, 4, 15))
    on_15th = replace(ON_10TH, cycle_day=15)
    again = replace(on_15th, due_days=30)
    assert days_given_back(bridge, BEFORE, on_15th, again, packaged=False) == 0
    assert days_given_back(bridge, BEFORE, on_15th, ON_10TH, packaged=False) == 5


@pytest.mark.rule("B6")
@pytest.mark.parametrize("today", [FIRST, LAST])
def test_a_running_cycle_is_served_to_its_end_by_another_monthly_profile(today: date) -> None:
    new = replace(ON_10TH, cycle_day=15)
    assert days_given_back(MARCH, today, ON_10TH, new, packaged=False) == 0


@pytest.mark.rule("B14")
@pytest.mark.parametrize(("today", "days"), [(FIRST, 30), (date(2026, 4, 8), 1), (LAST, 0)])
def test_under_a_daily_profile_the_days_after_today_are_given_back(today: date, days: int) -> None:
    assert days_given_back(MARCH, today, ON_10TH, DAILY, packaged=False) == days
    assert days_given_back(MARCH, today, ON_10TH, DAILY, packaged=True) == 0


@pytest.mark.rule("B14")
def test_a_profile_bills_from_its_own_first_day_unless_the_old_one_owes_bills() -> None:
    today, earlier = date(2026, 3, 20), date(2026, 2, 1)
    by_hand = replace(ON_10TH, automatic_bill=False)
    assert billed_from(DAILY, today, earlier) == today
    assert billed_from(by_hand, today, None) == today
    assert billed_from(ON_10TH, today, earlier) == earlier
    assert billed_from(ON_10TH, today, None) is None
    assert [bills_by_itself(one) for one in (DAILY, by_hand, ON_10TH)] == [False, False, True]


@pytest.mark.rule("B6")
def test_the_last_bills_end_with_the_day_of_the_change() -> None:
    first, until = date(2026, 2, 20), date(2026, 4, 12)
    cycles = list(cycles_until(ON_10TH, first, until))
    assert [cycle.first_day for cycle in cycles] == [first, date(2026, 3, 10), date(2026, 4, 10)]
    assert cycles[-1] == Cycle(date(2026, 4, 10), until)
    assert all(one.next_first_day == other.first_day for one, other in pairwise(cycles))
    assert list(cycles_until(ON_10TH, until, until)) == []
    assert list(cycles_until(ON_10TH, until + timedelta(days=1), until)) == []


@pytest.mark.rule("P4")
@pytest.mark.parametrize(
    ("before", "after", "asked"),
    [
        (Payment.POSTPAID, Payment.PREPAID, True),
        (Payment.POSTPAID, Payment.POSTPAID, False),
        (Payment.PREPAID, Payment.PREPAID, False),
        (Payment.PREPAID, Payment.POSTPAID, False),
    ],
)
def test_who_becomes_prepaid_is_asked_for_a_top_up(
    before: Payment, after: Payment, asked: bool
) -> None:
    old, new = replace(ON_10TH, payment=before), replace(DAILY, payment=after)
    assert becomes_prepaid(old, new) is asked


@pytest.mark.rule("P4")
@pytest.mark.parametrize(
    ("micros", "currency", "least"),
    [
        (12_340_000, "USD", 12_340_000),
        (12_340_001, "USD", 12_350_000),
        (12_349_999, "USD", 12_350_000),
        (0, "USD", 0),
        (1, "JPY", 1_000_000),
        (1_001, "KWD", 2_000),
    ],
)
def test_what_is_needed_is_rounded_up_to_what_can_be_paid(
    micros: int, currency: str, least: int
) -> None:
    assert payable(Money(micros, currency)) == Money(least, currency)
