"""What bills that stay unpaid must come to, written from the rules alone (rules I5, B19, B14)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from tests.life.calendar_days import DAY, Step, Terms, cents
from tests.life.records import Bill, Extra


@dataclass
class Chasing:
    """Of one customer. `done` are the steps that had their effect, by the bill's place and their
    days: whether it reminded, and the fee; `passed` those that never will."""

    done: dict[tuple[int, int], tuple[bool, int]] = field(default_factory=dict)
    passed: set[tuple[int, int]] = field(default_factory=set)

    def all(self) -> dict[tuple[int, int], tuple[bool, int]]:
        return dict.fromkeys(self.passed, (False, 0)) | self.done

    def dun(
        self, terms: Terms, bills: list[Bill], promise: date | None, today: date
    ) -> list[Extra]:
        """Every step whose day has come, unless a promise covers today; after days without a run
        only the last reminder of a bill is sent. The fees, each for the next bill."""
        fees: list[Extra] = []
        if promise is not None and promise >= today:
            return fees
        for bill in sorted(bills, key=lambda one: (one.due, one.place)):
            if not bill.open or bill.open < terms.tolerance:
                continue
            due = [
                step for step in self._to_come(terms, bill) if bill.due + step.days * DAY <= today
            ]
            reminding = [step.days for step in due if step.reminds]
            for step in due:
                reminds = step.reminds and step.days == max(reminding)
                fee = _late_fee(step, bill.open)
                self.done[bill.place, step.days] = reminds, fee
                if fee:
                    fees.append(fee_on_next_bill(bills, bill.due + step.days * DAY, fee))
        return fees

    def pass_over(self, terms: Terms, bills: list[Bill], today: date) -> None:
        """Of days on which another schedule held, nothing is done any more."""
        for bill in bills:
            for step in terms.steps:
                if bill.open and bill.due + step.days * DAY < today:
                    self.passed.add((bill.place, step.days))

    def _to_come(self, terms: Terms, bill: Bill) -> list[Step]:
        """Not of days on which the bill was not issued yet."""
        known = self.done.keys() | self.passed
        return sorted(
            (
                step
                for step in terms.steps
                if (bill.place, step.days) not in known and bill.due + step.days * DAY > bill.issued
            ),
            key=lambda step: step.days,
        )


def fee_on_next_bill(bills: list[Bill], on: date, fee: int) -> Extra:
    """Charged once, on a day that the next bill holds."""
    ends = [bill.plan_end for bill in bills if not bill.void and bill.until]
    day = min([on, max(ends, default=on)])
    return Extra("one_off", day, day + DAY, fee)


def _late_fee(step: Step, open_micros: int) -> int:
    fee = step.fee + cents(Fraction(open_micros * step.fee_ppm, 1_000_000))
    return fee if step.fee_most is None else min(fee, step.fee_most)
