"""Dunning schedules for random lives, for the model and for the product."""

from __future__ import annotations

from random import Random
from typing import Any

from billing.model.dunning import DunningSchedule, DunningStep
from tests.life.calendar_days import Step, Terms


def some_schedule(chance: Random) -> dict[str, Any]:
    """What terms have of it."""
    days = sorted(chance.sample([-7, -1, 0, 1, 5, 9, 30, 75], chance.randint(1, 4)))
    return {
        "steps": tuple(_step(day, chance) for day in days),
        "tolerance": chance.choice([0, 3_000_000]),
        "reconnection": chance.choice([0, 7_770_000]),
    }


def schedule_of(terms: Terms) -> DunningSchedule:
    return DunningSchedule(
        steps=tuple(
            DunningStep(
                days=one.days,
                reminds=one.reminds,
                fee_micros=one.fee,
                fee_ppm=one.fee_ppm,
                fee_most_micros=one.fee_most,
            )
            for one in terms.steps
        ),
        tolerance_micros=terms.tolerance,
        reconnection_fee_micros=terms.reconnection,
    )


def _step(day: int, chance: Random) -> Step:
    """It reminds, charges a fee, or both; no fee is charged before the payment date has passed."""
    fee, share = chance.choice([(0, 0), (5_000_000, 0), (5_000_000, 20_000), (0, 333_333)])
    if day < 1 or not (fee or share):
        return Step(day, reminds=True)
    most = chance.choice([None, 6_500_000]) if share else None
    return Step(day, chance.random() < 0.6, fee, share, most)
