"""Fair use: after so much data in a period, a lower speed (rule Q2)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FairUseStep:
    """From `after_octets` of a period on, neither direction is faster than `kbps`."""

    after_octets: int
    kbps: int


def fair_use_steps(text: str | None) -> tuple[FairUseStep, ...]:
    """What `PlanTerms.fair_use` says, `octets:kbps` with blanks between; none without it.

    Raises ValueError for anything else.
    """
    steps = []
    for word in (text or "").split():
        octets, _, kbps = word.partition(":")
        steps.append(FairUseStep(int(octets), int(kbps)))
    return tuple(steps)


def fair_use_text(steps: tuple[FairUseStep, ...]) -> str | None:
    """The reverse; None for no steps."""
    return " ".join(f"{step.after_octets}:{step.kbps}" for step in steps) or None
