"""What simulated customers have bought, and what changes for them meanwhile; seeded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from tests.integration.meter_world import MIB, T0, Pack, Payg

PRICES = (
    None,
    None,
    Payg(octet_step=MIB, octet_step_micros=0),
    Payg(octet_step=1024, octet_step_micros=3),
    Payg(octet_step=MIB, octet_step_micros=1_700),
    Payg(second_step=1, second_step_micros=11),
    Payg(second_step=60, second_step_micros=900),
    Payg(octet_step=MIB, octet_step_micros=250, second_step=60, second_step_micros=33),
    Payg(octet_step=10 * MIB, octet_step_micros=0, second_step=300, second_step_micros=5_000),
)


# Free nights, one of which passes midnight and one of which a clock change cuts; peak prices.
FREE = ("night:0123456:0:360:free", "late:0123456:1320:1620:free", "dawn:246:150:210:free")
PEAK = (
    "peak:01234:1080:1380:60:20000:1048576:50000",
    "noon:0123456:600:840:30:700:0:0",
    "weekend:56:420:1800:0:0:1000:13",
    "short:0123456:90:165:1:5:1024:1",
)
WINDOWS = (
    None,
    None,
    FREE[0],
    FREE[1],
    FREE[2],
    f"{FREE[0]} {PEAK[0]}",
    f"{FREE[0]} {PEAK[1]}",
    f"{FREE[2]} {PEAK[2]}",
    PEAK[1],
    PEAK[3],
)

PACKS = ("begun", "begun", "begun", "follows", "first login", "over", "later")
KINDS = ("one", "several", "several", "metered", "both", "unlimited")


@dataclass(frozen=True)
class Terms:
    """One subscription; `number` is its place among all of the traffic."""

    number: int
    packs: tuple[Pack, ...]
    payg: Payg | None
    requires_entitlement: bool
    windows: str | None = None
    """Tariff windows of its plan's version, as plan_version has them (Q3)."""


@dataclass(frozen=True)
class Cap:
    """What usage may still cost until an instant (P14); 0: it was reached before."""

    micros: int
    until: datetime


@dataclass(frozen=True)
class Household:
    """A customer: its subscriptions share one wallet."""

    funds_micros: int
    subscribers: tuple[Terms, ...]
    cap: Cap | None = None
    told_below_micros: int | None = None
    told_percent: int | None = None
    """It wants to be told below which balance, and when how much of a package is used (P6)."""


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
    windows: str | None = None


@dataclass(frozen=True)
class Credit(Change):
    """Money for the wallet of the household; who was suspended is served again (P9)."""

    amount_micros: int


def household(rng: Random, first: int, base: datetime) -> Household:
    """A customer with one subscription or two, numbered from `first`."""
    kinds = [rng.choice(KINDS)]
    if rng.random() < 0.3:
        kinds.append(rng.choice((kinds[0], rng.choice(KINDS))))
    funds_micros = rng.choice((0, 100_000, 10_000_000, 10**9, 10**12))
    subscribers = tuple(_terms(rng, first + place, kind, base) for place, kind in enumerate(kinds))
    # Of a stream of its own, so that all else is as if nobody had a cap.
    wishes = Random(f"{base} {first}")
    cap = None
    if wishes.random() < 0.6:
        until = base + timedelta(hours=wishes.choice((12, 48, 10_000)))
        cap = Cap(wishes.choice((0, 0, 50_000, 2_000_000, 10**9)), until)
    return Household(
        funds_micros=funds_micros,
        subscribers=subscribers,
        cap=cap,
        told_below_micros=wishes.choice((None, 50_000, 5_000_000, 10**9 - 10**6)),
        told_percent=wishes.choice((None, 5, 50, 100)),
    )


def _terms(rng: Random, number: int, kind: str, base: datetime) -> Terms:
    packs = {"one": 1, "several": rng.randint(2, 4), "both": rng.randint(1, 3)}.get(kind, 0)
    payg = rng.choice(PRICES[2:]) if kind in ("metered", "both") else None
    return Terms(
        number,
        tuple(
            pack(rng, base, rng.choice(PACKS), bought_ago=rng.choice((0, 300, 1_000)))
            for _ in range(packs)
        ),
        payg,
        requires_entitlement=kind != "unlimited" and rng.random() < 0.8,
        windows=_windows(rng, payg),
    )


def _windows(rng: Random, payg: Payg | None) -> str | None:
    """Some; with prices only where the plan has prices."""
    chosen = rng.choice(WINDOWS)
    if chosen is None or payg is not None:
        return chosen
    return " ".join(word for word in chosen.split() if word.endswith(":free")) or None


def _dearer(windows: str) -> str:
    """The same hours under the same names at other prices."""
    words = [word.split(":") for word in windows.split()]
    return " ".join(
        ":".join([*word[:5], str(int(word[5]) * 3), word[6], str(int(word[7]) * 2)])
        if len(word) == 8
        else ":".join(word)
        for word in words
    )


def pack(rng: Random, at: datetime, kind: str, bought_ago: int) -> Pack:
    """A package that was bought so many minutes before an instant, and is then of this kind:
    begun, over, waiting for what it follows or for the first login, or to begin later."""
    base_minutes = (at - T0) // timedelta(minutes=1)
    bought = base_minutes - bought_ago
    since: int | None = base_minutes - rng.randint(0, bought_ago)
    minutes = rng.choice((60, 600, 1_440, 10_000, None))
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
        use_order=rng.choice((50, 50, 50, 10, 90)),
    )


def changes(rng: Random, terms: Terms, instants: list[datetime]) -> list[Change]:
    """What happens to one subscription at some of these instants."""
    found: list[Change] = []
    for _ in range(rng.choice((0, 1, 1, 2)) if terms.packs else 0):
        moment = rng.choice(instants)
        kind = rng.choice(("begun", "follows", "first login"))
        found.append(Purchase(moment, terms.number, pack(rng, moment, kind, bought_ago=0)))
    if rng.random() < 0.25:
        payg = rng.choice(PRICES)
        windows = _windows(rng, payg)
        if terms.payg is not None and terms.windows is not None and rng.random() < 0.6:
            payg, windows = rng.choice(PRICES[2:]), _dearer(terms.windows)
        found.append(NewPrice(rng.choice(instants), terms.number, payg, windows))
    if rng.random() < 0.25:
        amount = rng.choice((1, 50_000, 10**8))
        found.append(Credit(rng.choice(instants), terms.number, amount))
    return found
