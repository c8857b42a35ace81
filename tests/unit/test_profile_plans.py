"""Plans that make no sense are refused, in words (M1, B1, B2, B5, P3)."""

from __future__ import annotations

from typing import Any

import pytest
from access_builders import monthly_plan, plan

from billing.model.plan import PlanTerms, Sharing, Starts
from billing.model.profile import BillingKind
from billing.rules.plans import problems, sale_problem, validity_words

DAILY, MONTHLY = BillingKind.DAILY, BillingKind.MONTHLY


def test_usual_plans_are_sound() -> None:
    assert problems(plan(), DAILY) == []
    assert problems(plan(starts=Starts.FIRST_LOGIN), DAILY) == []
    assert problems(monthly_plan(), MONTHLY) == []
    assert problems(plan(price_micros=0)) == []
    payg = plan(validity_minutes=None, payg_octet_step=1_048_576, payg_octet_step_micros=10_000)
    assert problems(payg) == []


MISSING = "is missing: every plan needs a price, 0.00 for a free one"
PRICE = "must be 0.00 or more, and at most 1,000,000,000.00"
CODE = "must be an ISO 4217 code of three capital letters, like USD"
MINUTES = "must be 1 minute to 10 years, or left out"
UNLIMITED = (
    "must be limited by something: validity, time, data, or a pay-as-you-go price; else it is sold "
    "once and used for ever"
)
OUTAGE = "must be 1 minute to 7 days; without it logins are refused (rule A8)"
FREE = ", or left out for no limit"
TAX = "must be 0 % to 100 %, or left out for the profile's"
NOTHING_TO_ROLL = "needs data or time to be left over: this plan limits neither (rule B4)"
TEN_YEARS = 10 * 366 * 1440


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"plan_name": ""}, "plan_name", "must not be empty"),
        ({"price_micros": None}, "price_micros", MISSING),
        ({"price_micros": 1.5}, "price_micros", MISSING),
        ({"price_micros": -1}, "price_micros", PRICE),
        ({"price_micros": 10**15 + 1}, "price_micros", PRICE),
        ({"currency": "usd"}, "currency", CODE),
        ({"currency": "US"}, "currency", CODE),
        ({"currency": "ÄÖÜ"}, "currency", CODE),
        ({"validity_minutes": 0}, "validity_minutes", MINUTES),
        ({"validity_minutes": TEN_YEARS + 1}, "validity_minutes", MINUTES),
        ({"validity_minutes": None, "validity_months": 0}, "validity_months",
         "must be 1 to 120, or left out"),
        ({"validity_minutes": None, "validity_months": 121}, "validity_months",
         "must be 1 to 120, or left out"),
        ({"validity_months": 1}, "validity", "must be in minutes or in months, not in both"),
        ({"validity_minutes": None}, "validity", UNLIMITED),
        ({"use_order": -1}, "use_order", "must be 0 to 99"),
        ({"use_order": 100}, "use_order", "must be 0 to 99"),
        ({"seconds": 0}, "seconds", f"must be 1 to {TEN_YEARS * 60}{FREE}"),
        ({"seconds": TEN_YEARS * 60 + 1}, "seconds", f"must be 1 to {TEN_YEARS * 60}{FREE}"),
        ({"octets": 0}, "octets", f"must be 1 to {2**62}{FREE}"),
        ({"octets": 2**62 + 1}, "octets", f"must be 1 to {2**62}{FREE}"),
        ({"speed_up_kbps": 0}, "speed_up_kbps", f"must be 1 to {2**32 - 1}{FREE}"),
        ({"speed_down_kbps": 2**32}, "speed_down_kbps", f"must be 1 to {2**32 - 1}{FREE}"),
        ({"interim_seconds": 59}, "interim_seconds", "must be 60 to 86400"),
        ({"interim_seconds": 86_401}, "interim_seconds", "must be 60 to 86400"),
        ({"idle_timeout_seconds": 0}, "idle_timeout_seconds", f"must be 1 to 86400{FREE}"),
        ({"pause_days": 0}, "pause_days", f"must be 1 to 366{FREE}"),
        ({"pause_days": 367}, "pause_days", f"must be 1 to 366{FREE}"),
        ({"tax_rate_ppm": -1}, "tax_rate_ppm", TAX),
        ({"tax_rate_ppm": 1_000_001}, "tax_rate_ppm", TAX),
        ({"rolls_over": True}, "rolls_over", NOTHING_TO_ROLL),
        ({"outage_minutes": 0}, "outage_minutes", OUTAGE),
        ({"outage_minutes": 7 * 1440 + 1}, "outage_minutes", OUTAGE),
        ({"pool": " "}, "pool", "must be the name of a pool on the NAS, or left out"),
        ({"pay_only_pool": "p" * 254}, "pay_only_pool",
         "must be at most 253 octets, as it travels in RADIUS"),
    ],
)  # fmt: skip
def test_absurd_values_name_their_field(changes: dict[str, Any], field: str, words: str) -> None:
    assert problems(plan(**changes)) == [(field, words)]


@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize(
    ("field", "bounds"),
    [
        ("price_micros", (0, 10**15)),
        ("validity_minutes", (1, TEN_YEARS)),
        ("use_order", (0, 99)),
        ("seconds", (1, TEN_YEARS * 60)),
        ("octets", (1, 2**62)),
        ("speed_up_kbps", (1, 2**32 - 1)),
        ("speed_down_kbps", (1, 2**32 - 1)),
        ("interim_seconds", (60, 86_400)),
        ("idle_timeout_seconds", (1, 86_400)),
        ("pause_days", (1, 366)),
        ("tax_rate_ppm", (0, 1_000_000)),
        ("outage_minutes", (1, 7 * 1440)),
        ("pool", ("p", "p" * 253)),
    ],
)
def test_the_least_and_the_most_are_sound(field: str, bounds: tuple[Any, Any], end: int) -> None:
    assert problems(plan(**{field: bounds[end]})) == []


@pytest.mark.parametrize("months", [1, 120])
def test_months_may_be_many(months: int) -> None:
    assert problems(plan(validity_minutes=None, validity_months=months)) == []


def test_a_calendar_month_cannot_start_at_the_first_login() -> None:
    words = "must be at purchase where validity is a calendar month"
    assert problems(monthly_plan(starts=Starts.FIRST_LOGIN)) == [("starts", words)]


@pytest.mark.rule("P3")
@pytest.mark.parametrize(("unit", "most"), [("octet", 2**62), ("second", TEN_YEARS * 60)])
def test_pay_as_you_go_has_a_step_and_its_price(unit: str, most: int) -> None:
    step, price = f"payg_{unit}_step", f"payg_{unit}_step_micros"
    no_price = f"is missing: each {unit} step has a price"
    no_step = f"is missing: the price is of how many {unit}s?"
    out_of_range = (
        "must be more than 0, and at most 1,000,000,000.00; leave pay-as-you-go out if free"
    )
    assert problems(plan(**{step: 60})) == [(price, no_price)]
    assert problems(plan(**{price: 60})) == [(step, no_step)]
    for count in (0, most + 1):
        assert problems(plan(**{step: count, price: 60})) == [(step, f"must be 1 to {most}")]
    for micros in (0, 10**15 + 1):
        assert problems(plan(**{step: 60, price: micros})) == [(price, out_of_range)]
    for count, micros in ((1, 1), (most, 10**15)):
        assert problems(plan(**{step: count, price: micros})) == []


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
        ({"validity_minutes": 1}, "1 minute"),
        ({"validity_minutes": 2}, "2 minutes"),
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
    reason = (
        "monthly customers are billed by the cycle, so only packages of 1 month or 30 days fit; "
        f"this one is valid for {words} (rule B5)"
    )
    assert problems(terms, MONTHLY) == [("validity", reason)]


@pytest.mark.rule("B6")
def test_a_monthly_package_cannot_start_at_the_first_login() -> None:
    terms = plan(validity_minutes=43_200, starts=Starts.FIRST_LOGIN)
    reason = "monthly cycles are calendar periods: they cannot start at the first login (rule B6)"
    assert sale_problem(terms, MONTHLY) == reason
    assert sale_problem(terms, DAILY) is None


@pytest.mark.rule("B5")
def test_monthly_service_is_shared() -> None:
    terms = monthly_plan(sharing=Sharing.STRICT)
    assert sale_problem(terms, MONTHLY) == (
        "strict sharing ends sessions when what was bought is used up, and monthly service runs on "
        "past its data (rules A5, Q4): give monthly customers a plan that is shared"
    )
    assert sale_problem(plan(sharing=Sharing.STRICT), DAILY) is None


@pytest.mark.rule("B1")
@pytest.mark.parametrize("minutes", [1, 90, 1440, 43_200, 100_000])
def test_daily_customers_may_buy_any_validity_in_minutes(minutes: int) -> None:
    assert problems(plan(validity_minutes=minutes), DAILY) == []
    assert sale_problem(monthly_plan(), DAILY) == (
        "daily customers buy packages by minutes, as validity starts when they buy: write 30 days "
        "instead of one month (rules B1, B2)"
    )
    assert validity_words(monthly_plan()) == "1 month"
