"""How soon is a session cut that used up its package? `./run bench cutoff`

Twenty packages a second run out beside a load of 1,000 requests a second, with the product's
worker; measured at the NAS's socket. Ends with 1 when p99 is a second or more (rule C2), or when
anybody was not cut, or was cut for nothing.
"""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import psycopg

from . import workload
from .cell import quantile
from .coa_listener import CoaListener
from .exchange import Answer, Exchange
from .ground import Ground, ground, running
from .packets import Kind
from .population import Population, drive
from .sessions import GENERATION, EndedSessions, arrivals
from .tollway_seed import Router
from .tollway_target import TollwayTarget
from .worker import worker

ALLOWED_SECONDS = 1.0
_PORTS = 16
# An order is confirmed by the Stop, which the worker looks for once a second.
_CONFIRM_SECONDS = 3.0
# Those packages are used up by the second update: one octet less than it tells.
_SHORTEN = """
UPDATE entitlement SET octets_total = %s, octets_left = %s WHERE customer_id = %s
"""
_INTENTS = """
SELECT s.acct_session_id, i.created_at, i.state
FROM coa_intent i
JOIN live_session s ON s.customer_id = i.customer_id AND s.session_id = i.session_id
WHERE i.goal = 'disconnect'
"""


@dataclass(frozen=True)
class Options:
    """*users* make the load; as many packages as *each_second* × *seconds* run out beside it."""

    users: int
    rate_per_second: int
    seconds: int
    each_second: int
    threads: int = 0

    @property
    def packages(self) -> int:
        return self.each_second * self.seconds


@dataclass(kw_only=True)
class Cut(EndedSessions):
    """Subscribers whose packages run out, numbered after those of the load."""

    packages: int
    answered_at: dict[int, float] = field(default_factory=dict)
    """Unix seconds of the answer to the record that used up the package."""

    def __post_init__(self) -> None:
        self._waiting = list(range(self.first + self.packages - 1, self.first - 1, -1))

    def begin(self) -> None:
        """All sessions run, half of each package is used."""
        self.send_all(self._waiting, "start", 0)
        self.send_all(self._waiting, "interim", 1)

    def finish(self, each_second: int) -> None:
        """What is left runs out as before; wait for the Stops of those that were cut."""
        while self._waiting:
            self.use_up(time.perf_counter())
            self.exchange.work(time.perf_counter() + 1 / each_second)
        self.settle(self.packages)

    def use_up(self, due: float) -> None:
        """The next one's last octet."""
        if self._waiting:
            user = self._waiting.pop()
            self.send(user, "interim", 2, partial(self._noted, user), due)

    def _noted(self, user: int, answer: Answer) -> None:
        self.answered_at[user] = time.time()
        self.check(answer)


@dataclass(frozen=True)
class Found:
    """Seconds to the Disconnect-Request's arrival, ascending: from the instant of the transaction
    that charged the record (before its commit), and from the arrival of the record's answer (after
    it; below zero where the Disconnect came first)."""

    from_transaction: list[float]
    from_answer: list[float]
    not_cut: int
    cut_for_nothing: int
    unconfirmed: int
    faults: int
    resends: int
    load_ms: tuple[float, float]

    def fine(self) -> bool:
        """Everybody and nobody else was cut."""
        return not (self.not_cut or self.cut_for_nothing or self.faults)


def measure(options: Options, place: Ground) -> Found:
    """Run it."""
    listener = CoaListener()
    target = TollwayTarget(
        place.cluster,
        place.state_dir,
        options.threads,
        name="cutoff",
        nas=[Router(coa_port=listener.port)],
    )
    target.seed(options.users + options.packages)
    with place.admin(target.database) as db:
        _shorten(db, options)
    ports = (target.auth_port, target.acct_port)
    with (
        closing(listener),
        running(target),
        worker(target),
        closing(Exchange(*ports, ports_each=_PORTS)) as exchange,
    ):
        return _run(options, place, target, listener, exchange)


def _run(
    options: Options,
    place: Ground,
    target: TollwayTarget,
    listener: CoaListener,
    exchange: Exchange,
) -> Found:
    latencies: list[float] = []

    def heard(_kind: Kind, answer: Answer) -> None:
        latencies.append(answer.latency_seconds * 1000)

    cut = Cut(
        exchange=exchange,
        first=options.users,
        last_step=2,
        began_at=int(time.time()) - 60,
        packages=options.packages,
    )
    listener.ended = cut.end
    exchange.listen(listener.socket, listener.read)
    cut.begin()
    population = Population(exchange, options.users, heard)
    population.prepare()
    calls = [
        (float(options.rate_per_second), population.call),
        (float(options.each_second), cut.use_up),
    ]
    drive(exchange, calls, options.seconds)
    cut.finish(options.each_second)
    time.sleep(_CONFIRM_SECONDS)
    return _found(place, target, listener, cut, sorted(latencies), population)


def _shorten(db: psycopg.Connection, options: Options) -> None:
    rows = []
    for user in range(options.users, options.users + options.packages):
        used = workload.usage_at(user, 2)
        octets = used.input_octets + used.output_octets - 1
        rows.append((octets, octets, user + 1))
    with db.cursor() as cursor:
        cursor.executemany(_SHORTEN, rows)


def _found(
    place: Ground,
    target: TollwayTarget,
    listener: CoaListener,
    cut: Cut,
    load_ms: list[float],
    population: Population,
) -> Found:
    with place.admin(target.database) as db:
        intents = {name: (at.timestamp(), state) for name, at, state in db.execute(_INTENTS)}
    wanted = {workload.session_id(user, GENERATION): user for user in cut.answered_at}
    arrived = listener.arrived_at
    return Found(
        from_transaction=sorted(
            arrived[name] - intents[name][0]
            for name in wanted
            if name in arrived and name in intents
        ),
        from_answer=sorted(
            arrived[name] - cut.answered_at[user]
            for name, user in wanted.items()
            if name in arrived
        ),
        not_cut=cut.packages - sum(name in arrived for name in wanted),
        cut_for_nothing=sum(name not in wanted for name in arrived),
        unconfirmed=sum(state != "confirmed" for _, state in intents.values()),
        faults=cut.faults + listener.forged + population.wrong + population.given_up,
        resends=cut.exchange.resends,
        load_ms=(quantile(load_ms, 0.5), quantile(load_ms, 0.99)),
    )


def report(options: Options, found: Found, place: Ground) -> bool:
    """Print; whether the verdict is good."""
    table = arrivals(
        f"{options.packages} packages ran out, {options.each_second} a second beside"
        f" {options.rate_per_second:,} requests a second",
        {
            "after the transaction's instant": found.from_transaction,
            "after the record's answer": found.from_answer,
        },
    )
    place.console.print(table)
    place.say(
        f"not cut {found.not_cut}, cut for nothing {found.cut_for_nothing}, orders not confirmed"
        f" {found.unconfirmed}, faults {found.faults}, resends {found.resends}"
    )
    place.say(f"latency of the load: p50 {found.load_ms[0]:.2f} ms, p99 {found.load_ms[1]:.1f} ms")
    soon = quantile(found.from_transaction, 0.99) < ALLOWED_SECONDS
    place.say(f"p99 {'below' if soon else 'NOT below'} {ALLOWED_SECONDS:.0f} s")
    return soon and found.fine()


def main(arguments: list[str]) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="bench cutoff", description=__doc__)
    parser.add_argument("--users", type=int, default=20_000, help="that make the load")
    parser.add_argument("--rate", type=int, default=1_000, help="requests a second beside")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--each-second", type=int, default=20, help="packages that run out")
    parser.add_argument("--quick", action="store_true", help="3 seconds, 10 a second beside 100")
    given = parser.parse_args(arguments)
    options = Options(given.users, given.rate, given.seconds, given.each_second)
    if given.quick:
        options = Options(200, 100, 3, 10)
    with ground() as place:
        raise SystemExit(0 if report(options, measure(options, place), place) else 1)
