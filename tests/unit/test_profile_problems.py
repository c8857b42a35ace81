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
    words = "must be 1 where cycles end with the month: a cycle from the 10. does not (rule B12)"
    profile = monthly_profile(cycle_ends_with_month=True, cycle_day=10)
    assert problems(profile) == [("cycle_day", words)]


CYCLE_DAY = "must be a day of the month, 1 to 31 (29–31 mean the last day)"
PREPAID = (
    "must be 0 for prepaid profiles: a prepaid wallet pays first and never goes below zero (rule "
    "P12)"
)
LIMIT = "must be 0 or more, and at most 1,000,000,000.00: it is how far below zero a wallet may go"
POOL = "must be at most 253 octets, as it travels in RADIUS"
NO_CONTROL = "must not contain control characters"


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"name": " "}, "name", "must not be empty"),
        ({"name": "a\nb"}, "name", NO_CONTROL),
        ({"name": "x" * 201}, "name", "must be at most 200 characters"),
        ({"cycle_day": 0}, "cycle_day", CYCLE_DAY),
        ({"cycle_day": 32}, "cycle_day", CYCLE_DAY),
        ({"due_days": -1}, "due_days", "must be 0 to 365 days"),
        ({"due_days": 366}, "due_days", "must be 0 to 365 days"),
        ({"suspend_at_hour": -1}, "suspend_at_hour", "must be an hour of the day, 0 to 23"),
        ({"suspend_at_hour": 24}, "suspend_at_hour", "must be an hour of the day, 0 to 23"),
        ({"credit_limit_micros": -1}, "credit_limit_micros", LIMIT),
        ({"credit_limit_micros": 1, "payment": Payment.PREPAID}, "credit_limit_micros", PREPAID),
        ({"credit_limit_micros": 10**15 + 1}, "credit_limit_micros", LIMIT),
        ({"tax_rate_ppm": -1}, "tax_rate_ppm", "must be 0 % to 100 %"),
        ({"tax_rate_ppm": 1_000_001}, "tax_rate_ppm", "must be 0 % to 100 %"),
        ({"suspended_pool": ""}, "suspended_pool",
         "must be the name of a pool on the NAS, or left out"),
        ({"suspended_pool": "ü" * 127}, "suspended_pool", POOL),
        ({"suspended_pool": "a\0b"}, "suspended_pool", NO_CONTROL),
        ({"no_cut_weekdays": frozenset({-1})}, "no_cut_weekdays",
         "must be 0 (Monday) to 6 (Sunday)"),
        ({"no_cut_weekdays": frozenset({7})}, "no_cut_weekdays",
         "must be 0 (Monday) to 6 (Sunday)"),
        ({"no_cut_weekdays": frozenset(range(7))}, "no_cut_weekdays",
         "must leave a day to cut on; to cut nobody, switch automatic suspension off"),
    ],
)  # fmt: skip
def test_values_out_of_range_name_their_field(
    changes: dict[str, Any], field: str, words: str
) -> None:
    assert problems(monthly_profile(**changes)) == [(field, words)]


@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize(
    ("field", "bounds"),
    [
        ("name", ("x", "x" * 200)),
        ("cycle_day", (1, 31)),
        ("due_days", (0, 365)),
        ("suspend_at_hour", (0, 23)),
        ("credit_limit_micros", (0, 10**15)),
        ("tax_rate_ppm", (0, 1_000_000)),
        ("suspended_pool", ("p", "p" * 253)),
        ("no_cut_weekdays", (frozenset({0}), frozenset(range(1, 7)))),
    ],
)
def test_the_least_and_the_most_are_sound(field: str, bounds: tuple[Any, Any], end: int) -> None:
    assert problems(monthly_profile(**{field: bounds[end]})) == []


@pytest.mark.rule("B10")
def test_automatic_suspension_needs_a_pool() -> None:
    words = (
        "is needed for automatic suspension: an overdue monthly customer may still connect, with "
        "an address from this pool (rule B10)"
    )
    assert problems(monthly_profile(suspended_pool=None)) == [("suspended_pool", words)]
    assert problems(monthly_profile(suspended_pool=None, automatic_suspend=False)) == []
    assert problems(daily_profile(automatic_suspend=True)) == []


@pytest.mark.rule("B1")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"automatic_bill": True},
            "is for monthly profiles: a daily customer pays for each package when buying it and "
            "gets no periodic bill (rule B1)",
        ),
        (
            {"payment": Payment.POSTPAID},
            "must be prepaid for daily profiles: without a periodic bill nothing would ever ask "
            "for the money (rule B1)",
        ),
        (
            {"bill_in": BillIn.ARREARS},
            "must be advance for daily profiles: packages are paid first",
        ),
    ],
)
def test_a_daily_profile_has_no_periodic_bill(changes: dict[str, Any], words: str) -> None:
    assert problems(daily_profile(**changes)) == [(*changes, words)]


@pytest.mark.rule("B7")
def test_a_bill_is_not_overdue_before_it_is_issued() -> None:
    arrears = {"bill_in": BillIn.ARREARS, "due_basis": DueBasis.CYCLE_START}
    words = (
        "must be the issue day where cycles are billed in arrears: counted from the cycle's start "
        "the bill would be overdue before it is issued (rule B7)"
    )
    assert problems(monthly_profile(**arrears, due_days=61)) == [("due_basis", words)]
    assert problems(monthly_profile(**arrears, due_days=62)) == []
    assert problems(monthly_profile(due_basis=DueBasis.CYCLE_START)) == []


@pytest.mark.rule("P11")
def test_prepaid_is_not_billed_in_arrears() -> None:
    profile = monthly_profile(bill_in=BillIn.ARREARS, payment=Payment.PREPAID)
    words = "must be advance for prepaid profiles: arrears are paid afterwards"
    assert problems(profile) == [("bill_in", words)]


def test_all_problems_are_told_at_once() -> None:
    profile = daily_profile(name="", automatic_bill=True, due_days=999)
    assert fields(profile) == ["name", "due_days", "automatic_bill"]


@pytest.mark.rule("B19")
@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"promise_count": -1}, "promise_count", "must be 0 (only staff takes promises) to 100"),
        ({"promise_count": 101}, "promise_count", "must be 0 (only staff takes promises) to 100"),
        ({"promise_period_days": 0}, "promise_period_days", "must be 1 to 365 days"),
        ({"promise_period_days": 366}, "promise_period_days", "must be 1 to 365 days"),
        ({"promise_days": 0}, "promise_days", "must be 1 to 365 days"),
        ({"promise_days": 366}, "promise_days", "must be 1 to 365 days"),
        (
            {"promise_amount_micros": -1},
            "promise_amount_micros",
            "must be 0 or more, at most 1,000,000,000.00",
        ),
        (
            {"promise_count": 1, "promise_amount_micros": 0},
            "promise_amount_micros",
            "is needed where customers may promise: say up to what amount, or set the number of "
            "promises to 0",
        ),
    ],
)
def test_impossible_promises_are_refused(changes: dict[str, Any], field: str, words: str) -> None:
    sound = {
        "promise_count": 100,
        "promise_period_days": 365,
        "promise_days": 365,
        "promise_amount_micros": 1,
    }
    assert problems(daily_profile(**sound)) == []
    found = problems(daily_profile(**{**sound, **changes}))
    assert found == [(field, words)]
