"""Which step of fair use is in force, and what it leaves of a speed (rule Q2)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from billing.model.events import COUNTER_LIMIT
from billing.model.fair_use import FairUseStep, fair_use_steps
from billing.model.plan import PlanTerms
from billing.rules.profiles import Problem

STEPS_LIMIT = 5


def step_in_force(steps: Sequence[FairUseStep], used_octets: int) -> FairUseStep | None:
    """The last step that has been reached; None: full speed."""
    reached = [step for step in steps if used_octets >= step.after_octets]
    return reached[-1] if reached else None


def slowed(kbps: int | None, step: FairUseStep) -> int:
    """A speed of the plan (None: not limited) under a step: never faster than before."""
    return step.kbps if kbps is None else min(kbps, step.kbps)


def problems(plan: PlanTerms) -> list[Problem]:
    """What is wrong with a plan's steps."""
    try:
        steps = fair_use_steps(plan.fair_use)
    except ValueError:
        return [("fair_use", "must be like 50GB:2M, several with commas between")]
    found = []
    if len(steps) > STEPS_LIMIT:
        found.append(f"has {len(steps)} steps; {STEPS_LIMIT} are the most")
    if any(not 1 <= step.after_octets <= COUNTER_LIMIT or step.kbps < 1 for step in steps):
        found.append("every step needs an amount of data and a speed above 0")
    for before, after in pairwise(steps):
        if after.after_octets <= before.after_octets or after.kbps >= before.kbps:
            found.append("each step must come after more data, and be slower, than the one before")
    if steps and plan.speed_down_kbps is not None and steps[0].kbps >= plan.speed_down_kbps:
        found.append("the first step must be slower than the plan's speed down")
    if steps and plan.octets is not None and steps[-1].after_octets >= plan.octets:
        found.append("no step can be reached after the plan's data is used up")
    return [("fair_use", reason) for reason in dict.fromkeys(found)]
