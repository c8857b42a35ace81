"""Plans that make no sense are refused (rules M1, B1, B2, B5, P3)."""

from __future__ import annotations

from billing.model.events import COUNTER_LIMIT
from billing.model.money import AMOUNT_LIMIT_MICROS
from billing.model.plan import MINUTES_PER_DAY, PlanTerms, Sharing, Starts
from billing.model.profile import BillingKind
from billing.rules import fair_use, grants, window_problems
from billing.rules.profiles import TAX_LIMIT_PPM, Problem
from billing.rules.texts import pool_problem, text_problem

MINUTES_OF_30_DAYS = 30 * MINUTES_PER_DAY
VALIDITY_LIMIT_MINUTES = 10 * 366 * MINUTES_PER_DAY
VALIDITY_LIMIT_MONTHS = 120
SECONDS_LIMIT = VALIDITY_LIMIT_MINUTES * 60
# Vendors that state speed in bit/s carry it in 32 bits at best, in kbit/s: 4 Tbit/s.
SPEED_LIMIT_KBPS = 2**32 - 1
USE_ORDER_LIMIT = 99
OUTAGE_LIMIT_MINUTES = 7 * MINUTES_PER_DAY
PAUSE_LIMIT_DAYS = 366
INTERIM_SECONDS_FLOOR = 60  # RFC 2869 2.1: must not be smaller
INTERIM_SECONDS_LIMIT = MINUTES_PER_DAY * 60


def problems(plan: PlanTerms, kind: BillingKind | None = None) -> list[Problem]:
    """Everything that is wrong with a plan; with `kind`, also for such a customer."""
    found = [*_price(plan), *_validity(plan), *_quantities(plan), *_pay_as_you_go(plan)]
    if plan.outage_minutes is not None and not 1 <= plan.outage_minutes <= OUTAGE_LIMIT_MINUTES:
        found.append(
            (
                "outage_minutes",
                "must be 1 minute to 7 days; without it logins are refused (rule A8)",
            )
        )
    if plan.tax_rate_ppm is not None and not 0 <= plan.tax_rate_ppm <= TAX_LIMIT_PPM:
        found.append(("tax_rate_ppm", "must be 0 % to 100 %, or left out for the profile's"))
    if plan.rolls_over and not plan.is_limited:
        found.append(
            (
                "rolls_over",
                "needs data or time to be left over: this plan limits neither (rule B4)",
            )
        )
    found += fair_use.problems(plan)
    found += window_problems.problems(plan)
    found += grants.problems(plan)
    if kind is not None and (reason := sale_problem(plan, kind)):
        found.append(("validity", reason))
    return found


def sale_problem(plan: PlanTerms, kind: BillingKind) -> str | None:
    """Why a customer of this kind may not have the plan, in every channel (rules B1, B5)."""
    if kind is BillingKind.DAILY:
        if plan.validity_months is not None:
            return (
                "daily customers buy packages by minutes, as validity starts when they buy: "
                "write 30 days instead of one month (rules B1, B2)"
            )
        return None
    if plan.sharing is Sharing.STRICT:
        return (
            "strict sharing ends sessions when what was bought is used up, and monthly service "
            "runs on past its data (rules A5, Q4): give monthly customers a plan that is shared"
        )
    if plan.starts is Starts.FIRST_LOGIN:
        return "monthly cycles are calendar periods: they cannot start at the first login (rule B6)"
    if plan.validity_months == 1 or plan.validity_minutes == MINUTES_OF_30_DAYS:
        return None
    return (
        "monthly customers are billed by the cycle, so only packages of 1 month or 30 days fit; "
        f"this one is valid for {validity_words(plan)} (rule B5)"
    )


def validity_words(plan: PlanTerms) -> str:
    """`1 month`, `30 days`, `90 minutes`, `no limited time`."""
    if plan.validity_months is not None:
        return f"{plan.validity_months} month{'' if plan.validity_months == 1 else 's'}"
    if plan.validity_minutes is None:
        return "no limited time"
    days, minutes = divmod(plan.validity_minutes, MINUTES_PER_DAY)
    if minutes or not days:
        return f"{plan.validity_minutes} minute{'' if plan.validity_minutes == 1 else 's'}"
    return f"{days} day{'' if days == 1 else 's'}"


def _price(plan: PlanTerms) -> list[Problem]:
    found: list[Problem] = []
    if reason := text_problem(plan.plan_name):
        found.append(("plan_name", reason))
    # Forms and files leave a price out; the type alone does not keep them from it.
    if type(plan.price_micros) is not int:
        found.append(("price_micros", "is missing: every plan needs a price, 0.00 for a free one"))
    elif not 0 <= plan.price_micros <= AMOUNT_LIMIT_MICROS:
        found.append(("price_micros", "must be 0.00 or more, and at most 1,000,000,000.00"))
    code = plan.currency
    if len(code) != 3 or not code.isascii() or not code.isupper():
        found.append(("currency", "must be an ISO 4217 code of three capital letters, like USD"))
    return found


def _validity(plan: PlanTerms) -> list[Problem]:
    found: list[Problem] = []
    minutes, months = plan.validity_minutes, plan.validity_months
    if minutes is not None and months is not None:
        found.append(("validity", "must be in minutes or in months, not in both"))
    if minutes is not None and not 1 <= minutes <= VALIDITY_LIMIT_MINUTES:
        found.append(("validity_minutes", "must be 1 minute to 10 years, or left out"))
    if months is not None and not 1 <= months <= VALIDITY_LIMIT_MONTHS:
        found.append(("validity_months", f"must be 1 to {VALIDITY_LIMIT_MONTHS}, or left out"))
    if months is not None and plan.starts is Starts.FIRST_LOGIN:
        found.append(("starts", "must be at purchase where validity is a calendar month"))
    unlimited = minutes is None and months is None and plan.seconds is None and plan.octets is None
    if unlimited and not plan.pay_as_you_go:
        found.append(
            (
                "validity",
                "must be limited by something: validity, time, data, or a pay-as-you-go price; "
                "else it is sold once and used for ever",
            )
        )
    return found


def _quantities(plan: PlanTerms) -> list[Problem]:
    bounds = (
        ("use_order", plan.use_order, 0, USE_ORDER_LIMIT),
        ("seconds", plan.seconds, 1, SECONDS_LIMIT),
        ("octets", plan.octets, 1, COUNTER_LIMIT),
        ("speed_up_kbps", plan.speed_up_kbps, 1, SPEED_LIMIT_KBPS),
        ("speed_down_kbps", plan.speed_down_kbps, 1, SPEED_LIMIT_KBPS),
        ("idle_timeout_seconds", plan.idle_timeout_seconds, 1, INTERIM_SECONDS_LIMIT),
        ("pause_days", plan.pause_days, 1, PAUSE_LIMIT_DAYS),
        ("interim_seconds", plan.interim_seconds, INTERIM_SECONDS_FLOOR, INTERIM_SECONDS_LIMIT),
    )
    found: list[Problem] = [
        (field, f"must be {low} to {high}" + (", or left out for no limit" if low == 1 else ""))
        for field, value, low, high in bounds
        if value is not None and not low <= value <= high
    ]
    for field, pool in (("pool", plan.pool), ("pay_only_pool", plan.pay_only_pool)):
        if pool is not None and (reason := pool_problem(pool)):
            found.append((field, reason))
    return found


def _pay_as_you_go(plan: PlanTerms) -> list[Problem]:
    found: list[Problem] = []
    for unit, step, step_micros, limit in (
        ("octet", plan.payg_octet_step, plan.payg_octet_step_micros, COUNTER_LIMIT),
        ("second", plan.payg_second_step, plan.payg_second_step_micros, SECONDS_LIMIT),
    ):
        if step is not None and step_micros is None:
            found.append((f"payg_{unit}_step_micros", f"is missing: each {unit} step has a price"))
        if step is None and step_micros is not None:
            found.append((f"payg_{unit}_step", f"is missing: the price is of how many {unit}s?"))
        if step is not None and not 1 <= step <= limit:
            found.append((f"payg_{unit}_step", f"must be 1 to {limit}"))
        if step_micros is not None and not 1 <= step_micros <= AMOUNT_LIMIT_MICROS:
            found.append(
                (
                    f"payg_{unit}_step_micros",
                    "must be more than 0, and at most 1,000,000,000.00; "
                    "leave pay-as-you-go out if free",
                )
            )
    return found
