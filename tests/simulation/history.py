"""One cohort of a seed: what arrives, cut into the batches that are charged in one call each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from tests.simulation.terms import Change
from tests.simulation.traffic import NIGHTS, Delivery, Traffic, traffic

HOUSEHOLDS = 40
RECORDS_EACH = 80
CHECKS = 5


@dataclass(frozen=True)
class Batch:
    """What is charged in one call, after these changes; `now` is the server's instant.

    `is_checked`: the books are compared after it, since what goes wrong may come right again.
    """

    now: datetime
    changes: tuple[Change, ...]
    deliveries: tuple[Delivery, ...]
    is_checked: bool


@dataclass(frozen=True)
class History:
    """Its traffic, in batches; `events` are the records that arrive."""

    traffic: Traffic
    batches: tuple[Batch, ...]

    @property
    def events(self) -> int:
        return sum(len(batch.deliveries) for batch in self.batches)


def history(
    seed: int, cohort: int, households: int = HOUSEHOLDS, records_each: int = RECORDS_EACH
) -> History:
    """The history that this seed and number stand for; the nights take turns."""
    rng = Random(f"{seed}/{cohort}")
    made = traffic(rng, NIGHTS[cohort % len(NIGHTS)], households, records_each)
    return History(made, tuple(_batches(rng, made)))


def _batches(rng: Random, made: Traffic) -> list[Batch]:
    found = []
    changes = list(made.changes)
    place = checks = 0
    while place < len(made.deliveries):
        size = rng.choice((1, 2, 8, 16, 24, 48))
        deliveries = made.deliveries[place : place + size]
        place += size
        now = deliveries[-1].arrived_at + timedelta(milliseconds=rng.choice((0, 5, 900)))
        due = [change for change in changes if change.at <= now]
        del changes[: len(due)]
        is_checked = place * CHECKS >= (checks + 1) * len(made.deliveries)
        checks += is_checked
        found.append(Batch(now, tuple(due), tuple(deliveries), is_checked))
    return found
