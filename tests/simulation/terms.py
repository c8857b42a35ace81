"""What simulated customers have bought, and what changes for them meanwhile; seeded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from tests.integration.meter_world import MIB, T0, Pack, Payg

PRICES = (
    None,
    None,
    Payg(octet_step=1024, octet_step_micros=3),
    Payg(octet_step=MIB, octet_step_micros=1_700),
    Payg(second_step=1, second_step_micros=11),
    Payg(second_step=60, second_step_micros=900),
    Payg(octet_step=MIB, octet_step_micros=250, second_step=60, second_step_micros=33),
    Payg(octet_step=10 * MIB, octet_step_micros=0, second_step=300, second_step_micros=5_000),
)


@dataclass(frozen=True)
class Terms:
    """One subscription; `number` is its place among all of the traffic."""

    number: int
    packs: tuple[Pack, ...]
    payg: Payg | None
    requires_entitlement: bool


@dataclass(frozen=True)
class Household:
    """A customer: its subscriptions share one wallet."""

    funds_micros: int
    subscribers: tuple[Terms, ...]


@dataclass(frozen=True)
class Change:
    """Something that happens to a subscription, apart from what its sessions use."""

    at: datetime
    subscriber: int


@dataclass(frozen=True)
class Purchase(Change):
    pack: Pack


@dataclass(frozen=True)
class NewPrice(Change):
    """Another version of a plan, from this instant (M6)."""

    payg: Payg | None


@dataclass(frozen=True)
class Credit(Change):
    """Money for the wallet of the household; who was suspended is served again (P9)."""

    amount_micros: int


def household(rng: Random, first: int, base: datetime) -> Household:
    """A customer with one subscription or two, numbered from `first`."""
    return Household(
        funds_micros=rng.choice((0, 100_000, 10_000_000, 10**9, 10**12)),
        subscribers=tuple(
            _terms(rng, first + place, base) for place in range(rng.choice((1, 1, 1, 2)))
        ),
    )


def _terms(rng: Random, number: int, base: datetime) -> Terms:
    kind = rng.choice(("one", "several", "several", "metered", "both", "unlimited"))
    packs = {"one": 1, "several": rng.randint(2, 4), "both": rng.randint(1, 3)}.get(kind, 0)
    payg = rng.choice(PRICES[2:]) if kind in ("metered", "both") else None
    return Terms(
        number,
        tuple(pack(rng, base) for _ in range(packs)),
        payg,
        requires_entitlement=kind != "unlimited" and rng.random() < 0.8,
    )


def pack(rng: Random, base: datetime) -> Pack:
    """A package around the beginning of the history: begun, over, waiting, or to begin later."""
    base_minutes = (base - T0) // timedelta(minutes=1)
    bought = base_minutes - rng.choice((0, 1_000))
    since: int | None = base_minutes - rng.randint(0, 300)
    minutes = rng.choice((60, 600, 1_440, 10_000, None))
    kind = rng.choice(("begun", "begun", "begun", "follows", "first login", "over", "later"))
    if kind == "follows":
        since = base_minutes + rng.randint(0, 1_500)
    elif kind == "first login":
        since = None
    elif kind == "over":
        since, minutes = base_minutes - 400, 300
    elif kind == "later":
        since = bought = base_minutes + rng.randint(0, 1_500)
    return Pack(
        seconds=rng.choice((None, None, rng.randint(1, 100_000))),
        octets=rng.choice((None, int(10 ** rng.uniform(3, 12)), int(10 ** rng.uniform(7, 11)))),
        since_minutes=since,
        minutes=minutes,
        follows=kind == "follows",
        bought_minutes=bought,
    )


def changes(rng: Random, terms: Terms, base: datetime, span: timedelta) -> list[Change]:
    """What happens to one subscription within the span."""
    found: list[Change] = []
    at = lambda: base + span * rng.random()  # noqa: E731
    if terms.packs and rng.random() < 0.3:
        moment = at()
        found.append(Purchase(moment, terms.number, pack(rng, moment)))
    if rng.random() < 0.25:
        found.append(NewPrice(at(), terms.number, rng.choice(PRICES)))
    if rng.random() < 0.25:
        found.append(Credit(at(), terms.number, rng.choice((1, 50_000, 10**8))))
    return found
