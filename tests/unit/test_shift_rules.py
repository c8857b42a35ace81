"""What should be in a cashier's drawer (rule R4)."""

from __future__ import annotations

import pytest

from billing.model.money import Money
from billing.model.shifts import ShiftLine
from billing.rules.shifts import count_problem, expected

pytestmark = pytest.mark.rule("R4")


def _line(channel: str, came: int, went: int) -> ShiftLine:
    return ShiftLine(channel=channel, count=1, in_micros=came, out_micros=went)


def test_only_cash_is_expected_in_the_drawer() -> None:
    lines = [_line("card", 7_000_000, 1_000_000), _line("cash", 30_000_000, 4_500_000)]
    assert expected(Money(100_000_000, "USD"), lines) == Money(125_500_000, "USD")


def test_nothing_taken_leaves_the_float() -> None:
    assert expected(Money(50_000, "JPY"), []) == Money(50_000, "JPY")


@pytest.mark.parametrize(
    ("micros", "currency", "problem"),
    [
        (0, "USD", None),
        (10_000, "USD", None),
        (-10_000, "USD", "must be 0 or more"),
        (5_000, "USD", "finer than the smallest coin of USD"),
        (500_000, "JPY", "finer than the smallest coin of JPY"),
        (1_000, "KWD", None),
    ],
)
def test_what_nobody_can_have_counted_is_refused(
    micros: int, currency: str, problem: str | None
) -> None:
    assert count_problem(Money(micros, currency)) == problem
