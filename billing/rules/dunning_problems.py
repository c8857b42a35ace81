"""Dunning schedules that make no sense are refused before they are stored (rule I5)."""

from __future__ import annotations

from collections.abc import Iterator

from billing.model.dunning import DunningSchedule, DunningStep
from billing.model.money import AMOUNT_LIMIT_MICROS, Money
from billing.model.profile import BillingKind, BillingProfile
from billing.rules.dunning import PPM

DAYS_LIMIT = 365
STEPS_LIMIT = 20

Problem = tuple[str, str]
"""The field at fault, and why, in words for the operator."""


def problems(schedule: DunningSchedule, profile: BillingProfile, currency: str) -> list[Problem]:
    """Everything that is wrong with a schedule; empty when it may be used."""
    found: list[Problem] = []
    if profile.kind is BillingKind.DAILY:
        if schedule.steps:
            words = "are for monthly profiles: a daily one issues no bills to be late with"
            found.append(("steps", f"{words} (rule B1)"))
        if schedule.reconnection_fee_micros:
            words = "is for monthly profiles: only these are suspended for an unpaid bill"
            found.append(("reconnection_fee", f"{words} (rule B9)"))
    for field, micros in (
        ("tolerance", schedule.tolerance_micros),
        ("reconnection_fee", schedule.reconnection_fee_micros),
    ):
        if reason := _amount_problem(micros, currency):
            found.append((field, reason))
    if len(schedule.steps) > STEPS_LIMIT:
        found.append(("steps", f"at most {STEPS_LIMIT}"))
    days = [step.days for step in schedule.steps]
    for day in sorted({day for day in days if days.count(day) > 1}):
        found.append(("steps", f"two on the same day, {day}: make them one"))
    for step in schedule.steps:
        found += [("steps", f"day {step.days}: {reason}") for reason in _step(step, currency)]
    return found


def _step(step: DunningStep, currency: str) -> Iterator[str]:
    if not -DAYS_LIMIT <= step.days <= DAYS_LIMIT:
        yield f"must be {-DAYS_LIMIT} to {DAYS_LIMIT} days after the payment date"
    if not step.reminds and not step.charges:
        yield "does nothing: let it remind, charge a fee, or both"
    if reason := _amount_problem(step.fee_micros, currency):
        yield f"the fee {reason}"
    if not 0 <= step.fee_ppm <= PPM:
        yield "the percentage must be 0 to 100"
    if step.charges and step.days < 1:
        yield "a fee comes on day 1 or later: the whole of the payment date is payable (rule B9)"
    if step.fee_most_micros is not None:
        if not step.fee_ppm:
            yield "an upper bound is for a percentage; the fixed fee is what it is"
        if step.fee_most_micros == 0:
            yield "the upper bound must be more than zero"
        elif reason := _amount_problem(step.fee_most_micros, currency):
            yield f"the upper bound {reason}"


def _amount_problem(micros: int, currency: str) -> str | None:
    if not 0 <= micros <= AMOUNT_LIMIT_MICROS:
        return "must be 0 or more"
    if Money(micros, currency).rounded().amount_micros != micros:
        return f"is finer than the smallest unit of {currency}"
    return None
