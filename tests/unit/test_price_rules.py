"""From which day a customer pays a new price (rule B18)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from billing.rules.cycles import cycle_start
from billing.rules.prices import starts_on
from tests.factories import DAILY, MONTHLY

TENTH = replace(MONTHLY, name="m", cycle_day=10)
TOLD = date(2026, 3, 1)
pytestmark = pytest.mark.rule("B18")


def first(
    effective: date,
    notice_days: int,
    billed_until: date | None = None,
    *,
    dearer: bool = True,
    profile=TENTH,
) -> date:
    return starts_on(profile, effective, TOLD, notice_days, billed_until, dearer=dearer)


def test_the_first_cycle_that_begins_after_the_notice() -> None:
    assert first(date(2026, 3, 5), 30) == date(2026, 4, 10)  # told on 1 March: 31 March
    assert first(date(2026, 3, 5), 40) == date(2026, 4, 10)
    assert first(date(2026, 3, 5), 41) == date(2026, 5, 10)


def test_never_before_the_price_itself() -> None:
    assert first(date(2026, 4, 10), 30) == date(2026, 4, 10)
    assert first(date(2026, 4, 11), 30) == date(2026, 5, 10)


def test_what_is_billed_already_keeps_its_price() -> None:
    assert first(date(2026, 3, 5), 0, date(2026, 5, 10)) == date(2026, 5, 10)
    assert first(date(2026, 3, 5), 0, date(2026, 2, 10)) == date(2026, 3, 10)


def test_a_lower_price_needs_no_notice() -> None:
    assert first(date(2026, 3, 5), 90, dearer=False) == date(2026, 3, 10)


def test_daily_customers_pay_it_for_what_they_buy_after_the_notice() -> None:
    assert first(date(2026, 3, 5), 30, profile=DAILY) == date(2026, 3, 31)
    assert first(date(2026, 4, 5), 30, profile=DAILY) == date(2026, 4, 5)
    assert first(date(2026, 3, 5), 30, dearer=False, profile=DAILY) == date(2026, 3, 5)


def test_a_cycle_that_begins_that_day_is_the_one() -> None:
    assert cycle_start(date(2026, 3, 10), TENTH) == date(2026, 3, 10)
    assert cycle_start(date(2026, 3, 11), TENTH) == date(2026, 4, 10)
