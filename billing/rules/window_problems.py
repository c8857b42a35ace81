"""Tariff windows that make no sense are refused, by name (rule Q3)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from billing.model.events import COUNTER_LIMIT
from billing.model.login_hours import WEEKDAYS
from billing.model.money import AMOUNT_LIMIT_MICROS
from billing.model.plan import MINUTES_PER_DAY, PlanTerms
from billing.model.tariff import TariffWindow, tariff_windows
from billing.rules.profiles import Problem

FIELD = "tariff_windows"
WINDOWS_LIMIT = 20
_STEP_SECONDS_LIMIT = 86_400 * 366
_MINUTES_PER_WEEK = 7 * MINUTES_PER_DAY


def problems(plan: PlanTerms) -> list[Problem]:
    """What is wrong with a plan's windows."""
    try:
        windows = tariff_windows(plan.tariff_windows)
    except ValueError:
        return [(FIELD, "cannot be read: write them like night mon-sun 00:00-06:00 free")]
    found = [*_names(windows), *_overlaps(windows)]
    if len(windows) > WINDOWS_LIMIT:
        found.append(f"are {len(windows)}; {WINDOWS_LIMIT} are the most")
    for window in windows:
        found += [f"window {window.name!r}: {reason}" for reason in _price(window, plan)]
    return [(FIELD, reason) for reason in found]


def _names(windows: tuple[TariffWindow, ...]) -> Iterator[str]:
    names = [window.name for window in windows]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield f"{names.count(name)} windows are named {name!r}: give each a name of its own"


def _overlaps(windows: tuple[TariffWindow, ...]) -> Iterator[str]:
    for one, other in combinations(windows, 2):
        begins = min(_common(one, other), default=None)
        if begins is not None:
            day, minute = divmod(begins, MINUTES_PER_DAY)
            yield (
                f"windows {one.name!r} and {other.name!r} overlap on {WEEKDAYS[day]} from "
                f"{minute // 60:02d}:{minute % 60:02d}"
            )


def _common(one: TariffWindow, other: TariffWindow) -> Iterator[int]:
    """Minutes of the week at which both are in force, those where the second of them begins."""
    for first in one.weekdays:
        for second in other.weekdays:
            a, b = first * MINUTES_PER_DAY, second * MINUTES_PER_DAY
            for turn in (-_MINUTES_PER_WEEK, 0, _MINUTES_PER_WEEK):
                begins = max(a + one.from_minute, b + other.from_minute + turn)
                if begins < min(a + one.until_minute, b + other.until_minute + turn):
                    yield begins % _MINUTES_PER_WEEK


def _price(window: TariffWindow, plan: PlanTerms) -> Iterator[str]:
    price = window.price
    if price is None:
        return
    if not plan.pay_as_you_go:
        yield (
            "has a price, but the plan has no pay-as-you-go price for the rest of the day; "
            "add one, or make the window free"
        )
    for what, step, micros, limit in (
        ("time", price.second_step, price.second_step_micros, _STEP_SECONDS_LIMIT),
        ("data", price.octet_step, price.octet_step_micros, COUNTER_LIMIT),
    ):
        if step is not None and not 1 <= step <= limit:
            yield f"the {what} step must be 1 to {limit}"
        if micros is not None and not 1 <= micros <= AMOUNT_LIMIT_MICROS:
            yield f"the {what} price must be more than 0; write free where nothing is charged"
    if price.second_step is None and price.octet_step is None:
        yield "has no price; write free where nothing is charged"
