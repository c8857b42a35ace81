"""From a history that fails to the fewest records of one subscriber that still do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.simulation.history import Batch, History
from tests.simulation.traffic import NOBODY, Delivery

REPLAYS = 200
"""So many tries at most: a rough answer soon is worth more than the best one."""

Fails = Callable[[History], bool]


def shrunk(told: History, subscriber: int, fails: Fails) -> History | None:
    """A small part of the history that still fails; None when one household alone does not."""
    (home,) = (
        household
        for household in told.traffic.households
        if subscriber in {terms.number for terms in household.subscribers}
    )
    numbers = {terms.number for terms in home.subscribers}
    alone = _kept(
        replace(told, traffic=replace(told.traffic, households=[home])),
        lambda one: one.packet.subscriber in numbers | {NOBODY} and one.packet.nas >= 0,
    )
    alone = replace(
        alone,
        batches=tuple(
            replace(batch, changes=tuple(c for c in batch.changes if c.subscriber in numbers))
            for batch in alone.batches
        ),
    )
    if not fails(alone):
        return None
    for smaller in (
        _kept(alone, lambda one: one.packet.subscriber in (subscriber, NOBODY)),
        _kept(alone, lambda one: one.packet.subscriber == subscriber),
    ):
        alone = smaller if fails(smaller) else alone
    without_changes = replace(
        alone, batches=tuple(replace(batch, changes=()) for batch in alone.batches)
    )
    return _fewest(without_changes if fails(without_changes) else alone, fails)


def _fewest(told: History, fails: Fails) -> History:
    """Leave out ever smaller parts while what remains fails."""
    replays, size = 0, told.events // 2
    while size and replays < REPLAYS:
        place = 0
        while place < told.events and replays < REPLAYS:
            replays += 1
            smaller = _without(told, place, place + size)
            if fails(smaller):
                told = smaller
            else:
                place += size
        size //= 2
    return told


def _without(told: History, since: int, until: int) -> History:
    place = iter(range(told.events))
    return _kept(told, lambda _: not since <= next(place) < until)


def _kept(told: History, wanted: Callable[[Delivery], bool]) -> History:
    """Only these records, in the batches they were in; changes stay."""
    batches = (
        replace(batch, deliveries=tuple(one for one in batch.deliveries if wanted(one)))
        for batch in told.batches
    )
    return replace(
        told, batches=tuple(b for b in batches if b.deliveries or b.changes or b.is_checked)
    )


def lines(told: History, subscriber: int) -> Iterator[str]:
    """The history in words, a record a line."""
    yield f"zone {told.traffic.zone}"
    for household in told.traffic.households:
        for terms in household.subscribers:
            if terms.number == subscriber:
                yield f"wallet {household.funds_micros}, {terms}"
    for batch in told.batches:
        yield from _batch_lines(batch)


def _batch_lines(batch: Batch) -> Iterator[str]:
    for change in batch.changes:
        yield f"  {change}"
    if batch.deliveries:
        yield f"  charged at {batch.now}"
    for one in batch.deliveries:
        packet = one.packet
        name = {1: "Start", 2: "Stop", 3: "Interim", 7: "On", 8: "Off"}[packet.status]
        clock = "exact" if one.is_precise else "inexact"
        yield (
            f"    {name} nas {packet.nas} id {packet.sid} at {one.event_at} ({clock})"
            f" {packet.seconds} s {packet.input_octets} {packet.output_octets} octets"
            f" of {64 if packet.has_gigawords else 32} bits, cause {packet.cause}"
        )
