"""What happens when the power comes back? `./run bench storm`

20,000 subscribers of 40 NAS log in and start at once, each NAS with as many requests under way as
it may have, and with resends. Ends with 1 when anybody is not online in time, or has another number
of sessions than one.
"""

from __future__ import annotations

import argparse
import heapq
import time
from collections import deque
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from rich.table import Table

from . import packets
from .cell import quantile
from .exchange import Answer, Exchange
from .ground import Ground, ground, running
from .packets import Kind
from .tollway_seed import Router
from .tollway_target import TollwayTarget
from .worker import worker

RESEND_SECONDS = (1.0, 2.0, 4.0, 8.0)
"""Waited after each sending; after the last the subscriber's device dials again."""
REDIAL_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0)
_GENERATION = 1
_SHARES = (0.5, 0.9, 0.99, 1.0)
_KNOWN_WITHIN_SECONDS = 120.0
# Sessions of each subscriber that the storm was to bring online.
_SESSIONS = """
SELECT count(*) FILTER (WHERE v.sessions = 1 AND v.right_one),
    count(*) FILTER (WHERE v.sessions > 1), count(*) FILTER (WHERE v.sessions = 0)
FROM subscription s
CROSS JOIN LATERAL (
    SELECT count(*) AS sessions,
        bool_and(l.closed_at IS NULL
                 AND l.acct_session_id = '0001' || lpad(to_hex(s.customer_id - 1), 8, '0')
        ) AS right_one
    FROM live_session l
    WHERE l.customer_id = s.customer_id
) v
WHERE s.customer_id <= %s
"""


@dataclass(frozen=True)
class Options:
    """*window* requests at most are under way at each NAS, to each server."""

    users: int
    routers: int
    window: int
    patience_seconds: float
    threads: int = 0


def router_address(number: int) -> str:
    """Source address of NAS number *number*."""
    return f"127.0.{1 + number // 200}.{1 + number % 200}"


@dataclass
class Storm:
    """Who is on the way, accepted, online; instants are seconds from the beginning."""

    options: Options
    exchange: Exchange
    accepted_at: dict[int, float] = field(default_factory=dict)
    online_at: dict[int, float] = field(default_factory=dict)
    latency_ms: dict[str, list[float]] = field(default_factory=lambda: {"auth": [], "start": []})
    refused: int = 0
    given_up: int = 0

    def __post_init__(self) -> None:
        routers, users = self.options.routers, self.options.users
        self._waiting = [deque(range(number, users, routers)) for number in range(routers)]
        self._under_way = [0] * routers
        self._failures: dict[int, int] = {}
        self._redials: list[tuple[float, int, int]] = []
        self._turn = count()
        self._began = 0.0

    def run(self) -> None:
        """Until everybody is online, or patience ends."""
        self._began_at = int(time.time())
        self._began = time.perf_counter()
        deadline = self._began + self.options.patience_seconds
        while len(self.online_at) < self.options.users and time.perf_counter() < deadline:
            now = time.perf_counter()
            while self._redials and self._redials[0][0] <= now:
                user = heapq.heappop(self._redials)[2]
                self._waiting[user % self.options.routers].append(user)
            for number, waiting in enumerate(self._waiting):
                while waiting and self._under_way[number] < self.options.window:
                    self._ask(waiting.popleft())
            self.exchange.work(time.perf_counter() + 0.05)

    def _ask(self, user: int) -> None:
        kind: Kind = "start" if user in self.accepted_at else "auth"
        router = user % self.options.routers
        sent = self.exchange.ask(
            router,
            kind,
            partial(_encode, kind, user, self._began_at),
            partial(self._answered, user, kind),
            time.perf_counter(),
        )
        if sent:
            self._under_way[router] += 1
        else:
            self._redial(user)

    def _answered(self, user: int, kind: Kind, answer: Answer) -> None:
        router = user % self.options.routers
        self._under_way[router] -= 1
        now = time.perf_counter() - self._began
        if answer.code is None:
            self.given_up += 1
            self._redial(user)
            return
        self.latency_ms[kind].append(answer.latency_seconds * 1000)
        if kind == "start":
            self.online_at[user] = now
        elif answer.code == packets.ACCESS_ACCEPT:
            self.accepted_at[user] = now
            # Its Start goes first: the NAS has opened the session.
            self._waiting[router].appendleft(user)
        else:
            self.refused += 1
            self._redial(user)

    def _redial(self, user: int) -> None:
        failures = self._failures.get(user, 0)
        self._failures[user] = failures + 1
        pause = REDIAL_SECONDS[min(failures, len(REDIAL_SECONDS) - 1)]
        heapq.heappush(self._redials, (time.perf_counter() + pause, next(self._turn), user))

    def table(self) -> Table:
        """When so many were accepted and online."""
        table = Table(title="reached after, seconds", title_justify="left")
        table.add_column("")
        for share in _SHARES:
            table.add_column(f"{share:.0%}", justify="right")
        table.add_column("p50 ms", justify="right")
        table.add_column("p99 ms", justify="right")
        for label, kind, instants in (
            ("accepted", "auth", self.accepted_at),
            ("online (Start answered)", "start", self.online_at),
        ):
            ascending = sorted(instants.values())
            latencies = sorted(self.latency_ms[kind])
            wanted = [max(0, int(share * self.options.users) - 1) for share in _SHARES]
            table.add_row(
                label,
                *(f"{ascending[at]:.2f}" if at < len(ascending) else "-" for at in wanted),
                *(f"{quantile(latencies, share):.1f}" for share in (0.5, 0.99)),
            )
        return table


def _encode(kind: Kind, user: int, began_at: int, identifier: int) -> bytes:
    return packets.request(kind, identifier, user, _GENERATION, 0, began_at)


def make_known(exchange: Exchange, options: Options) -> float:
    """Each NAS speaks to both servers, which look it up (one a second); seconds that it took.

    By a spare subscriber each, whose sessions are not counted.
    """
    began = time.perf_counter()
    missing = {(router, kind) for router in range(options.routers) for kind in ("auth", "start")}

    def heard(router: int, kind: str, answer: Answer) -> None:
        if answer.code is not None:
            missing.discard((router, kind))

    asked: set[tuple[int, str]] = set()
    while missing:
        if time.perf_counter() - began > _KNOWN_WITHIN_SECONDS:
            raise SystemExit(f"bench storm: {len(missing)} servers do not answer their NAS")
        if not exchange.in_flight:
            asked.clear()
        for router, kind in sorted(missing - asked):
            asked.add((router, kind))
            named: Kind = "auth" if kind == "auth" else "start"
            exchange.ask(
                router,
                named,
                partial(_encode, named, options.users + router, int(time.time())),
                partial(heard, router, kind),
                time.perf_counter(),
            )
        exchange.work(time.perf_counter() + 0.25)
    return time.perf_counter() - began


def measure(options: Options, place: Ground) -> tuple[Storm, tuple[int, int, int]]:
    """Run and report; the storm, and subscribers with one session, several, none."""
    addresses = [router_address(number) for number in range(options.routers)]
    nas = [Router(address) for address in addresses]
    target = TollwayTarget(place.cluster, place.state_dir, options.threads, name="storm", nas=nas)
    target.seed(options.users + options.routers)
    ports = (target.auth_port, target.acct_port)
    with running(target), worker(target):
        with closing(
            Exchange(*ports, sources=addresses, resend_seconds=RESEND_SECONDS)
        ) as exchange:
            took = make_known(exchange, options)
            place.say(f"{options.routers} NAS known to both servers after {took:.0f} s")
            resends_before = exchange.resends
            storm = Storm(options, exchange)
            storm.run()
            resends = exchange.resends - resends_before
        with place.admin(target.database) as db:
            one, several, none = db.execute(_SESSIONS, (options.users,)).fetchone() or (0, 0, 0)
    place.console.print(storm.table())
    place.say(
        f"{options.users:,} subscribers, {options.routers} NAS, {options.window} under way at each"
    )
    place.say(
        f"resends {resends}, refused {storm.refused}, given up and dialled again {storm.given_up},"
        f" forged {exchange.forged}"
    )
    place.say(f"sessions on record: {one} subscribers have one, {several} several, {none} none")
    return storm, (one, several, none)


def main(arguments: list[str]) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="bench storm", description=__doc__)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--nas", type=int, default=40)
    parser.add_argument("--window", type=int, default=32, help="requests under way at each NAS")
    parser.add_argument("--patience", type=float, default=300.0, metavar="SECONDS")
    parser.add_argument("--quick", action="store_true", help="300 subscribers, 3 NAS")
    given = parser.parse_args(arguments)
    options = Options(given.users, given.nas, given.window, given.patience)
    if given.quick:
        options = Options(300, 3, 16, 60.0)
    if not (0 < options.window <= 256 and 0 < options.routers <= min(options.users, 10_000)):
        parser.error("--window is at most 256, --nas at most --users")
    with ground() as place:
        storm, (one, _, _) = measure(options, place)
    everybody = len(storm.online_at) == options.users == one
    place.say("everybody is online, once" if everybody else "NOT everybody is online, once")
    raise SystemExit(0 if everybody else 1)
