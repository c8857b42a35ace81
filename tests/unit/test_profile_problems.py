"""Profiles whose switches contradict each other are refused, in words (B1, B6, B7, B10, B12)."""

from __future__ import annotations

from typing import Any

import pytest
from access_builders import daily_profile, monthly_profile

from billing.model.profile import BillIn, BillingProfile, DueBasis, Payment
from billing.rules.profiles import problems


def fields(profile: BillingProfile) -> list[str]:
    return [field for field, _ in problems(profile)]


@pytest.mark.rule("B14")
def test_the_three_usual_profiles_are_sound() -> None:
    assert problems(daily_profile()) == []
    assert problems(monthly_profile()) == []
    assert problems(monthly_profile(payment=Payment.PREPAID)) == []
    assert problems(monthly_profile(bill_in=BillIn.ARREARS)) == []


@pytest.mark.rule("B12")
def test_cycles_that_end_with_the_month_start_on_its_first_day() -> None:
    assert problems(monthly_profile(cycle_ends_with_month=True, cycle_day=1)) == []
    ((field, reason),) = problems(monthly_profile(cycle_ends_with_month=True, cycle_day=10))
    assert field == "cycle_day"
    assert "B12" in reason


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"cycle_day": 0}, "cycle_day"),
        ({"cycle_day": 32}, "cycle_day"),
        ({"due_days": -1}, "due_days"),
        ({"due_days": 366}, "due_days"),
        ({"suspend_at_hour": 24}, "suspend_at_hour"),
        ({"credit_limit_micros": -1}, "credit_limit_micros"),
        ({"credit_limit_micros": 2**63}, "credit_limit_micros"),
        ({"tax_rate_ppm": 1_000_001}, "tax_rate_ppm"),
        ({"suspended_pool": ""}, "suspended_pool"),
        ({"suspended_pool": "ü" * 127}, "suspended_pool"),
        ({"suspended_pool": "a\0b"}, "suspended_pool"),
        ({"no_cut_weekdays": frozenset({7})}, "no_cut_weekdays"),
        ({"no_cut_weekdays": frozenset(range(7))}, "no_cut_weekdays"),
    ],
)
def test_values_out_of_range_name_their_field(changes: dict[str, Any], field: str) -> None:
    assert fields(monthly_profile(**changes)) == [field]


@pytest.mark.rule("B10")
def test_automatic_suspension_needs_a_pool() -> None:
    assert fields(monthly_profile(suspended_pool=None)) == ["suspended_pool"]
    assert problems(monthly_profile(suspended_pool=None, automatic_suspend=False)) == []
    assert problems(daily_profile(automatic_suspend=True)) == []


@pytest.mark.rule("B1")
def test_a_daily_profile_has_no_periodic_bill() -> None:
    assert fields(daily_profile(automatic_bill=True)) == ["automatic_bill"]
    assert fields(daily_profile(payment=Payment.POSTPAID)) == ["payment"]
    assert fields(daily_profile(bill_in=BillIn.ARREARS)) == ["bill_in"]


@pytest.mark.rule("B7")
def test_a_bill_is_not_overdue_before_it_is_issued() -> None:
    arrears = {"bill_in": BillIn.ARREARS, "due_basis": DueBasis.CYCLE_START}
    assert fields(monthly_profile(**arrears)) == ["due_basis"]
    assert problems(monthly_profile(**arrears, due_days=62)) == []


@pytest.mark.rule("P11")
def test_prepaid_is_not_billed_in_arrears() -> None:
    profile = monthly_profile(bill_in=BillIn.ARREARS, payment=Payment.PREPAID)
    assert fields(profile) == ["bill_in"]


def test_all_problems_are_told_at_once() -> None:
    profile = daily_profile(name="", automatic_bill=True, due_days=999)
    assert fields(profile) == ["name", "due_days", "automatic_bill"]
