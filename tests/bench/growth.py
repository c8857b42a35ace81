"""Does a year of history make it slower? `./run bench growth`

The same load on an installation with a million subscribers and twenty million closed sessions, and
on one with 20,000 and none, in turn. Ends with 1 when a rate of the large one is below 85 % of the
small one's, a request was lost, or usage is not exact.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.table import Table

from billing.clock import utc_now

from . import cell, past, workload
from .cell import Part, Result, Sending, Sessions
from .ground import Ground, ground, running
from .packets import KINDS, Kind
from .tollway_target import TollwayTarget
from .workload import Usage

ALLOWED_RATIO = 0.85
"""Of the rate of the small one: 15 % slower."""
_INTERIM_STEPS = (1, 2)
_STOP_STEP = len(_INTERIM_STEPS) + 1
_HOT_TABLES = (
    *("customer", "wallet", "subscription", "login", "entitlement"),
    *("live_session", "daily_usage", "session_slot", "coa_intent"),
)
_SHOWN_TABLES = (*_HOT_TABLES[:-2], "session_history", "acct_journal", "login_attempt")
# What this run has recorded of each subscriber it drove: sessions, slices, and its package.
_RECORDED = """
SELECT s.customer_id - 1, v.seconds, v.input, v.output,
    d.seconds = v.seconds AND d.input = v.input AND d.output = v.output
        AND e.seconds = v.seconds AND e.octets = v.input + v.output
FROM subscription s
JOIN LATERAL (
    SELECT sum(l.session_seconds)::bigint AS seconds, sum(l.input_octets)::bigint AS input,
        sum(l.output_octets)::bigint AS output, array_agg(l.session_id) AS ids
    FROM live_session l
    WHERE l.customer_id = s.customer_id AND NOT starts_with(l.acct_session_id, 'g')
) v ON true
JOIN LATERAL (
    SELECT sum(u.seconds)::bigint AS seconds, sum(u.input_octets)::bigint AS input,
        sum(u.output_octets)::bigint AS output
    FROM daily_usage u WHERE u.customer_id = s.customer_id AND u.session_id = ANY (v.ids)
) d ON true
JOIN LATERAL (
    SELECT sum(p.seconds_total - p.seconds_left)::bigint AS seconds,
        sum(p.octets_total - p.octets_left)::bigint AS octets
    FROM entitlement p WHERE p.customer_id = s.customer_id AND p.ended_at IS NULL
) e ON true
WHERE s.customer_id = ANY (%s)
"""


@dataclass(frozen=True)
class Options:
    """*users* are driven in each installation, those of the large one spread over all of it."""

    subscribers: int
    sessions: int
    users: int
    rounds: int
    in_flight: int = 64
    threads: int = 0


@dataclass
class Growth:
    """Both installations and what they did."""

    ground: Ground
    options: Options
    small: TollwayTarget = field(init=False)
    large: TollwayTarget = field(init=False)
    results: dict[tuple[Kind, str], list[Result]] = field(default_factory=lambda: defaultdict(list))
    sent: dict[str, dict[int, Usage]] = field(default_factory=lambda: defaultdict(dict))

    def __post_init__(self) -> None:
        place, threads = (self.ground.cluster, self.ground.state_dir), self.options.threads
        self.small = TollwayTarget(*place, threads, name="small")
        self.large = TollwayTarget(*place, threads, name="large")

    def prepare(self) -> None:
        """Subscribers in both, a past in the large one."""
        options, say = self.options, self.ground.say
        for target, users in ((self.small, options.users), (self.large, options.subscribers)):
            began = time.monotonic()
            target.seed(users)
            say(f"{target.name}: {users:,} subscribers: {time.monotonic() - began:.0f} s")
        with self.ground.admin(self.large.database) as db:
            (version,) = (
                db.execute("SELECT max(plan_version_id) FROM plan_version").fetchone() or ()
            )
            past.write(
                db, past.Past(options.subscribers, options.sessions, utc_now(), version), say
            )

    def run(self) -> None:
        """The first round only fills caches and touches pages since the checkpoint, as an
        installation has that runs; the order turns around in every round."""
        for number in range(self.options.rounds + 1):
            order = (self.small, self.large)[:: 1 if number % 2 == 0 else -1]
            self._round(number, order)

    def _round(self, number: int, order: tuple[TollwayTarget, ...]) -> None:
        sessions = Sessions(number + 1, int(time.time()))
        steps: dict[Kind, tuple[int, ...]] = {
            "auth": (0,),
            "start": (0,),
            "interim": _INTERIM_STEPS,
            "stop": (_STOP_STEP,),
        }
        for kind in KINDS:
            for target in order:
                self._analyze(target)
                parts = [self._part(target, number, step) for step in steps[kind]]
                sending = Sending(in_flight=self.options.in_flight)
                result = cell.run(
                    target, kind, sending, sessions, parts, self.ground.postmaster_pid
                )
                self._keep(number, kind, target, result)
        used = self.sent
        for target in order:
            for user in self._part(target, number, 0).users():
                so_far = used[target.name].get(user, workload.NOTHING)
                used[target.name][user] = so_far + workload.usage_at(user, _STOP_STEP)

    def _part(self, target: TollwayTarget, number: int, step: int) -> Part:
        """Other subscribers of the large one in every round."""
        users = self.options.users
        if target is self.small:
            return Part(0, users, step)
        stride = max(1, self.options.subscribers // users)
        # Number 5 of every ten is online already.
        first = (number * 10) % stride
        return Part(first, min(users, self.options.subscribers // stride), step, stride)

    def _analyze(self, target: TollwayTarget) -> None:
        """All sessions begin and end together here, which no network does: statistics of now."""
        with self.ground.admin(target.database) as db:
            db.execute(f"ANALYZE {', '.join(_HOT_TABLES)}")

    def _keep(self, number: int, kind: Kind, target: TollwayTarget, result: Result) -> None:
        name = target.name
        if number:
            self.results[kind, name].append(result)
        self.ground.say(
            f"  {'warm-up' if not number else f'round {number}':9}{kind:8}{name:7}"
            f"{result.per_second:8,.0f}/s  p50 {result.p50_ms:5.1f} ms  p99 {result.p99_ms:6.1f} ms"
            f"  µs: radiusd {result.radiusd_us:4.0f} PostgreSQL {result.postgres_us:4.0f}"
            f"  others {result.others_busy:.0%}"
            + (f"  lost {result.lost} wrong {result.wrong}" if result.lost + result.wrong else "")
        )

    def ratios(self) -> dict[Kind, float]:
        """Rate of the large one as a share of the small one's, medians of the rounds."""
        return {kind: self._median(kind, "large") / self._median(kind, "small") for kind in KINDS}

    def _median(self, kind: Kind, name: str) -> float:
        return median(result.per_second for result in self.results[kind, name])

    def faults(self) -> int:
        """Requests lost or answered wrongly."""
        return sum(one.lost + one.wrong for rounds in self.results.values() for one in rounds)

    def inexact(self, target: TollwayTarget) -> int:
        """Subscribers whose recorded usage is not what was sent."""
        sent = self.sent[target.name]
        with self.ground.admin(target.database) as db:
            rows = db.execute(_RECORDED, ([user + 1 for user in sent],)).fetchall()
        recorded = {user: Usage(*counters) for user, *counters, agree in rows if agree}
        return sum(recorded.get(user) != usage for user, usage in sent.items())

    def report(self) -> None:
        """Rates and sizes."""
        options = self.options
        table = Table(
            title=f"{options.subscribers:,} subscribers and {options.sessions:,} closed sessions"
            f" beside {options.users:,} and none, {options.in_flight} in flight",
            title_justify="left",
        )
        for heading in ("request", "small /s", "large /s", "ratio", "p99 ms", "large p99 ms"):
            table.add_column(heading, justify="right")
        for kind, ratio in self.ratios().items():
            p99s = [
                median(one.p99_ms for one in self.results[kind, name])
                for name in ("small", "large")
            ]
            rates = [self._median(kind, name) for name in ("small", "large")]
            table.add_row(
                kind,
                *(f"{rate:,.0f}" for rate in rates),
                f"{ratio:.2f}",
                *(f"{p:.1f}" for p in p99s),
            )
        self.ground.console.print(table)
        self.ground.console.print(self._sizes())

    def _sizes(self) -> Table:
        table = Table(title="tables of the large one", title_justify="left")
        for heading in ("table", "rows", "MiB", "indexes MiB"):
            table.add_column(heading, justify="right")
        with self.ground.admin(self.large.database) as db:
            for name in _SHOWN_TABLES:
                row = db.execute(
                    "SELECT sum(greatest(c.reltuples, 0))::bigint, sum(pg_table_size(c.oid)),"
                    " sum(pg_indexes_size(c.oid)) FROM pg_partition_tree(%(name)s::regclass) t"
                    " JOIN pg_class c ON c.oid = t.relid WHERE t.isleaf"
                    " UNION ALL SELECT reltuples::bigint, pg_table_size(oid), pg_indexes_size(oid)"
                    " FROM pg_class WHERE oid = %(name)s::regclass AND relkind = 'r'"
                    " ORDER BY 1 NULLS LAST LIMIT 1",
                    {"name": name},
                ).fetchone()
                rows, octets, index_octets = row or (0, 0, 0)
                table.add_row(
                    name, f"{rows:,}", f"{octets / 2**20:,.0f}", f"{index_octets / 2**20:,.0f}"
                )
        return table


def check_room(place: Path, options: Options, ground: Ground) -> None:
    """SystemExit when the disk has too little."""
    wanted = past.wanted_octets(options.subscribers, options.sessions)
    free = shutil.disk_usage(place).free
    ground.say(f"disk at {place}: {wanted / 2**30:.0f} GiB wanted, {free / 2**30:.0f} GiB free")
    if free < wanted:
        raise SystemExit(
            f"bench growth: {wanted / 2**30:.0f} GiB are needed at {place}, {free / 2**30:.0f} are"
            " free; set TMPDIR to a larger disk, or give fewer --sessions"
        )


def measure(options: Options, ground: Ground) -> Growth:
    """Prepare, run and report."""
    growth = Growth(ground, options)
    growth.prepare()
    with ExitStack() as stack:
        for target in (growth.small, growth.large):
            stack.enter_context(running(target))
        growth.run()
    growth.report()
    return growth


def main(arguments: list[str]) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="bench growth", description=__doc__)
    parser.add_argument("--subscribers", type=int, default=1_000_000)
    parser.add_argument("--sessions", type=int, default=20_000_000, help="closed ones")
    parser.add_argument(
        "--users", type=int, default=20_000, help="driven, and all of the small one"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="5,000 subscribers, 50,000 sessions")
    given = parser.parse_args(arguments)
    options = Options(given.subscribers, given.sessions, given.users, given.rounds)
    if given.quick:
        options = Options(5_000, 50_000, 500, 1)
    if not 0 < options.users <= min(options.subscribers, 1_000_000) or options.sessions < 1_000:
        parser.error("--users must be at most --subscribers, these at most a million")
    with ground() as place:
        check_room(place.state_dir, options, place)
        growth = measure(options, place)
        exact = True
        for target in (growth.small, growth.large):
            count = growth.inexact(target)
            exact = exact and not count
            place.say(
                f"usage on record, {target.name}: "
                + (f"{count} subscribers differ" if count else "exact for every subscriber")
            )
    slowest = min(growth.ratios().values())
    place.say(f"lowest ratio {slowest:.2f} (allowed {ALLOWED_RATIO})")
    fine = exact and not growth.faults() and slowest >= ALLOWED_RATIO
    raise SystemExit(0 if fine else 1)
