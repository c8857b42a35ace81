"""Random logins, sessions, silences and lost packets against a plain model of rules A6 and A7."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

import pytest

from billing.services import pools
from billing.services.context import Context
from billing.store.admission import admit_logins
from tests.integration.meter_world import Metered, MeterWorld, at, interim, new_id, start, stop
from tests.integration.test_slots import REFUSED, SILENCE, served, verified

EXHAUSTED = "pool-exhausted"
LAPSE = timedelta(seconds=60)
GONE = timedelta(seconds=SILENCE)
STEPS = 250
ADDRESSES = 4
LIMIT = 2
STATIONS = ("ee0000000001", "ee0000000002", "ee0000000003")

Holder = tuple[int, str]
"""Number of a subscriber, and its station."""


@dataclass
class Grant:
    """A login that was let in, until its session shows."""

    holder: Holder
    address: str
    at: datetime
    spent: bool = False


@dataclass
class Session:
    holder: Holder
    address: str
    sid: str
    began: datetime
    last: datetime
    open: bool = True


class Model:
    """Who holds what, by the rules' own words."""

    def __init__(self) -> None:
        self.grants: dict[Holder, Grant] = {}
        self.sessions: list[Session] = []
        self.last_holder: dict[str, Holder] = {}

    def waiting(self, now: datetime) -> list[Grant]:
        return [g for g in self.grants.values() if not g.spent and now - g.at < LAPSE]

    def running(self, now: datetime) -> list[Session]:
        return [s for s in self.sessions if s.open and now - s.last < GONE]

    def places_of_others(self, holder: Holder, now: datetime) -> int:
        held: list[Grant | Session] = [*self.waiting(now), *self.running(now)]
        return sum(one.holder[0] == holder[0] and one.holder != holder for one in held)

    def taken(self, now: datetime) -> dict[str, Holder]:
        """Addresses that may not go to anybody else."""
        held: list[Grant | Session] = [*self.running(now), *self.waiting(now)]
        return {one.address: one.holder for one in held}

    def own(self, holder: Holder) -> str | None:
        return next((a for a, last in self.last_holder.items() if last == holder), None)


class Run:
    """One sequence of events, checked at every login."""

    def __init__(self, world: MeterWorld, context: Context, seed: int) -> None:
        self.world, self.random, self.model = world, Random(seed), Model()
        self.people = [served(world) for _ in range(4)]
        network = f"10.65.{seed}"
        self.pool_id = pools.add_pool(
            context, name=network, ranges=[f"{network}.1-{network}.{ADDRESSES}"], now=at(0)
        ).pool_id
        self.addresses = {f"{network}.{n}" for n in range(1, ADDRESSES + 1)}
        self.now = at(0)
        self.outcomes: Counter[str] = Counter()

    def step(self) -> None:
        pause = self.random.choices((1, 10, 45, 200, 950), (10, 8, 4, 2, 1))[0]
        self.now += timedelta(seconds=pause)
        choice = self.random.choices(("login", "start", "report", "stop"), (6, 6, 5, 2))[0]
        {"login": self.login, "start": self.start, "report": self.report, "stop": self.stop}[
            choice
        ]()

    def login(self) -> None:
        holder = (self.random.randrange(len(self.people)), self.random.choice(STATIONS))
        taking = replace(
            verified(self.people[holder[0]], holder[1], limit=LIMIT), pool_id=self.pool_id
        )
        (found,) = admit_logins(self.world.lane, [taking], self.now)
        self.outcomes[found.reason] += 1
        model, now = self.model, self.now
        taken = model.taken(now)
        if model.places_of_others(holder, now) >= LIMIT:
            assert found.reason == REFUSED
            return
        own = model.own(holder)
        if own is not None:
            assert found.address == own
        elif self.addresses <= taken.keys():
            assert found.reason == EXHAUSTED
            return
        assert found.reason == "ok"
        assert found.address is not None and taken.get(found.address, holder) == holder
        model.last_holder[found.address] = holder
        model.grants[holder] = Grant(holder, found.address, now)

    def start(self) -> None:
        waiting = self.model.waiting(self.now)
        if not waiting:
            return
        grant = self.random.choice(waiting)
        grant.spent = True
        session = Session(grant.holder, grant.address, new_id(), self.now, self.now)
        self.model.sessions.append(session)
        self.world.charge(start(self._who(session), self.now, **self._tells(session)))

    def report(self) -> None:
        for session in [s for s in self.model.running(self.now) if self.random.random() < 0.7]:
            session.last = self.now
            seconds = self._seconds(session)
            self.world.charge(
                interim(self._who(session), self.now, seconds, **self._tells(session))
            )

    def stop(self) -> None:
        running = self.model.running(self.now)
        if running:
            session = self.random.choice(running)
            session.open = False
            self.world.charge(
                stop(self._who(session), self.now, self._seconds(session), **self._tells(session))
            )

    def _who(self, session: Session) -> Metered:
        return self.people[session.holder[0]]

    def _seconds(self, session: Session) -> int:
        return int((self.now - session.began).total_seconds())

    def _tells(self, session: Session) -> dict[str, str]:
        return {
            "sid": session.sid,
            "framed_ip": session.address,
            "calling_station": session.holder[1],
        }


@pytest.mark.rule("A6", "A7", "U10")
@pytest.mark.parametrize("seed", range(1, 9))
def test_logins_take_and_give_back_as_the_model_says(
    world: MeterWorld, context: Context, seed: int
) -> None:
    run = Run(world, context, seed)
    for _ in range(STEPS):
        run.step()
    assert set(run.outcomes) == {"ok", REFUSED, EXHAUSTED}
