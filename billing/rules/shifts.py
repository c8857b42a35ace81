"""What should be in a cashier's drawer (rule R4)."""

from __future__ import annotations

from collections.abc import Iterable

from billing.model.collections import COLLECTED
from billing.model.money import Money
from billing.model.shifts import CASH, ShiftLine


def expected(opening: Money, lines: Iterable[ShiftLine]) -> Money:
    """The float, what cash came in and went out, and what collectors handed over; money by other
    channels lies elsewhere."""
    cash = [line for line in lines if line.channel in (CASH, COLLECTED)]
    moved = sum(line.in_micros - line.out_micros for line in cash)
    return Money(opening.amount_micros + moved, opening.currency)


def count_problem(counted: Money) -> str | None:
    """Why nobody can have counted this."""
    if counted.amount_micros < 0:
        return "must be 0 or more"
    if counted.rounded() != counted:
        return f"finer than the smallest coin of {counted.currency}"
    return None
