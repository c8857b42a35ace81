"""Plans that make no sense are refused, in words (M1, B1, B2, B5, P3)."""

from __future__ import annotations

from typing import Any

import pytest
from access_builders import monthly_plan, plan

from billing.model.plan import PlanTerms, Starts
from billing.model.profile import BillingKind
from billing.rules.plans import problems, sale_problem, validity_words

DAILY, MONTHLY = BillingKind.DAILY, BillingKind.MONTHLY


def fields(terms: PlanTerms, kind: BillingKind | None = None) -> list[str]:
    return [field for field, _ in problems(terms, kind)]


def test_usual_plans_are_sound() -> None:
    assert problems(plan(), DAILY) == []
    assert problems(plan(starts=Starts.FIRST_LOGIN), DAILY) == []
    assert problems(monthly_plan(), MONTHLY) == []
    assert problems(plan(price_micros=0)) == []
    payg = plan(validity_minutes=None, payg_octet_step=1_048_576, payg_octet_step_micros=10_000)
    assert problems(payg) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"plan_name": ""}, "plan_name"),
        ({"price_micros": None}, "price_micros"),
        ({"price_micros": 1.5}, "price_micros"),
        ({"price_micros": -1}, "price_micros"),
        ({"price_micros": 2**63}, "price_micros"),
        ({"currency": "usd"}, "currency"),
        ({"validity_minutes": 0}, "validity_minutes"),
        ({"validity_minutes": 2**63}, "validity_minutes"),
        ({"validity_minutes": None, "validity_months": 0}, "validity_months"),
        ({"validity_months": 1}, "validity"),
        ({"validity_minutes": None}, "validity"),
        ({"seconds": 0}, "seconds"),
        ({"seconds": 2**63}, "seconds"),
        ({"octets": -5}, "octets"),
        ({"octets": 2**63}, "octets"),
        ({"speed_up_kbps": 0}, "speed_up_kbps"),
        ({"speed_down_kbps": 2**32}, "speed_down_kbps"),
        ({"interim_seconds": 59}, "interim_seconds"),
        ({"idle_timeout_seconds": 0}, "idle_timeout_seconds"),
        ({"pool": " "}, "pool"),
        ({"pay_only_pool": "p" * 254}, "pay_only_pool"),
    ],
)
def test_absurd_values_name_their_field(changes: dict[str, Any], field: str) -> None:
    assert fields(plan(**changes)) == [field]


def test_a_calendar_month_cannot_start_at_the_first_login() -> None:
    assert fields(monthly_plan(starts=Starts.FIRST_LOGIN)) == ["starts"]


@pytest.mark.rule("P3")
@pytest.mark.parametrize("unit", ["octet", "second"])
def test_pay_as_you_go_has_a_step_and_its_price(unit: str) -> None:
    step, price = f"payg_{unit}_step", f"payg_{unit}_step_micros"
    assert fields(plan(**{step: 60})) == [price]
    assert fields(plan(**{price: 60})) == [step]
    assert fields(plan(**{step: 0, price: 60})) == [step]
    assert fields(plan(**{step: 60, price: 0})) == [price]
    assert problems(plan(**{step: 60, price: 60})) == []


@pytest.mark.rule("B5")
@pytest.mark.parametrize(
    "terms", [monthly_plan(), monthly_plan(validity_months=None, validity_minutes=43_200)]
)
def test_monthly_customers_may_buy_one_month_or_30_days(terms: PlanTerms) -> None:
    assert sale_problem(terms, MONTHLY) is None


@pytest.mark.rule("B5")
@pytest.mark.parametrize(
    ("validity", "words"),
    [
        ({"validity_minutes": 1440}, "1 day"),
        ({"validity_minutes": 43_199}, "43199 minutes"),
        ({"validity_minutes": 43_201}, "43201 minutes"),
        ({"validity_minutes": 31 * 1440}, "31 days"),
        ({"validity_months": 2, "validity_minutes": None}, "2 months"),
        ({"validity_minutes": None, "octets": 1}, "no limited time"),
    ],
)
def test_anything_else_is_refused_with_the_reason(validity: dict[str, Any], words: str) -> None:
    terms = plan(**validity)
    assert validity_words(terms) == words
    reason = sale_problem(terms, MONTHLY)
    assert reason is not None
    assert "1 month or 30 days" in reason
    assert words in reason
    assert "B5" in reason
    assert fields(terms, MONTHLY) == ["validity"]


@pytest.mark.rule("B6")
def test_a_monthly_package_cannot_start_at_the_first_login() -> None:
    terms = plan(validity_minutes=43_200, starts=Starts.FIRST_LOGIN)
    assert sale_problem(terms, MONTHLY) is not None
    assert sale_problem(terms, DAILY) is None


@pytest.mark.rule("B1")
@pytest.mark.parametrize("minutes", [1, 90, 1440, 43_200, 100_000])
def test_daily_customers_may_buy_any_validity_in_minutes(minutes: int) -> None:
    assert problems(plan(validity_minutes=minutes), DAILY) == []
    assert sale_problem(monthly_plan(), DAILY) is not None
