"""How soon does a running session follow money and staff? `./run bench restore`

Monthly customers whose sessions run in the suspended pool pay their bills, others are suspended by
staff, ten of each a second beside a load of 1,000 requests a second; measured at the NAS's socket.
Ends with 1 when p99 is a second or more (rules B10, P9, C2), or when anybody was not moved, or was
moved for nothing.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from billing.clock import utc_now
from billing.model.account import HoldBehaviour
from billing.model.commerce import MoneyChannel
from billing.model.plan import PlanTerms
from billing.model.profile import BillingKind, BillingProfile, Payment
from billing.services import bills, catalog, enforcement, holds
from billing.services.context import Context
from billing.services.secrets import SecretBox
from billing.store.pool import Database

from . import workload
from .cell import quantile
from .coa_listener import CoaListener
from .exchange import Answer, Exchange
from .ground import Ground, ground, running
from .packets import Kind
from .population import Population, drive
from .sessions import EndedSessions, arrivals
from .tollway_seed import Router
from .tollway_target import TollwayTarget
from .worker import worker

ALLOWED_SECONDS = 1.0
KINDS = ("restored by a payment", "suspended by staff")
_PORTS = 16
_BILLED_BEFORE = timedelta(days=60)
_MONTH_MICROS = 30_000_000


@dataclass(frozen=True)
class Options:
    """*users* make the load; *each_second* × *seconds* customers of each kind are moved."""

    users: int
    rate_per_second: int
    seconds: int
    each_second: int
    threads: int = 0

    @property
    def moved(self) -> int:
        return self.each_second * self.seconds


@dataclass(kw_only=True)
class Moves(EndedSessions):
    """*customers* of both kinds in turn, by subscriber number; `bill_of` are those who pay."""

    context: Context
    bill_of: dict[int, str]
    customers: int
    called_at: dict[int, float] = field(default_factory=dict)
    committed_at: dict[int, float] = field(default_factory=dict)
    """Unix seconds before the service's call, and when it had returned."""

    def __post_init__(self) -> None:
        self._waiting = list(range(self.first + self.customers - 1, self.first - 1, -1))
        self._desk = ThreadPoolExecutor(1)
        self._calls: list[Future[None]] = []

    def kind(self, user: int) -> str:
        return KINDS[user not in self.bill_of]

    def begin(self) -> None:
        """All sessions run."""
        self.send_all(self._waiting, "start", 0)

    def next(self, _due: float) -> None:
        """The next one's payment or suspension, in a thread of its own."""
        if self._waiting:
            self._calls.append(self._desk.submit(self._move, self._waiting.pop()))

    def finish(self) -> None:
        """Those that are left; wait for the Stops. Raises what a call raised."""
        while self._waiting:
            self.next(0.0)
        self.settle(self.customers)
        self._desk.shutdown()
        for call in self._calls:
            call.result()

    def _move(self, user: int) -> None:
        now = utc_now()
        self.called_at[user] = time.time()
        if user in self.bill_of:
            bills.pay(
                self.context,
                self.bill_of[user],
                idempotency_key=f"bench {user}",
                now=now,
                channel=MoneyChannel.CASH,
            )
        else:
            holds.suspend(
                self.context,
                user + 1,
                note="bench",
                now=now,
                behaviour=HoldBehaviour.SUSPENDED_POOL,
            )
        self.committed_at[user] = time.time()


@dataclass(frozen=True)
class Found:
    """Seconds to the Disconnect-Request's arrival by kind, ascending: from before the call of the
    service, and from its return, which is after its commit (below zero where the Disconnect
    came first)."""

    from_call: dict[str, list[float]]
    from_commit: dict[str, list[float]]
    not_moved: int
    moved_for_nothing: int
    faults: int
    load_ms: tuple[float, float]

    def fine(self) -> bool:
        """Everybody and nobody else was moved."""
        return not (self.not_moved or self.moved_for_nothing or self.faults)

    def soon(self) -> bool:
        return all(quantile(seconds, 0.99) < ALLOWED_SECONDS for seconds in self.from_call.values())


def measure(options: Options, place: Ground) -> Found:
    """Run it."""
    listener = CoaListener()
    target = TollwayTarget(
        place.cluster,
        place.state_dir,
        options.threads,
        name="restore",
        nas=[Router(coa_port=listener.port)],
    )
    target.seed(options.users + 2 * options.moved)
    box = SecretBox(target.settings.secrets_key())
    with (
        closing(Database(target.settings.dsn("worker"))) as database,
        closing(listener),
    ):
        context = Context(db=database, box=box, actor="bench")
        billed = _make_monthly(place, context, options, utc_now())
        with (
            running(target),
            worker(target),
            closing(Exchange(target.auth_port, target.acct_port, ports_each=_PORTS)) as exchange,
        ):
            moves = Moves(
                exchange=exchange,
                first=options.users,
                last_step=1,
                began_at=int(time.time()) - 60,
                context=context,
                bill_of=billed,
                customers=2 * options.moved,
            )
            return _run(options, moves, listener)


def _make_monthly(
    place: Ground, context: Context, options: Options, now: datetime
) -> dict[int, str]:
    """Those to be moved are monthly; every other one has a bill whose payment date has passed, and
    is suspended. The numbers of those bills by subscriber."""
    since = now - _BILLED_BEFORE
    profile = BillingProfile(
        name="bench suspends",
        kind=BillingKind.MONTHLY,
        payment=Payment.POSTPAID,
        automatic_suspend=True,
        suspended_pool="walled",
    )
    plan = PlanTerms(
        plan_version_id=0,
        plan_name="bench month",
        price_micros=_MONTH_MICROS,
        currency="USD",
        validity_months=1,
    )
    profile_id = catalog.add_profile(context, profile, since).profile_id
    version_id = catalog.add_plan(context, plan, since).terms.plan_version_id
    with place.admin("restore") as db:
        db.execute(
            "UPDATE customer SET profile_id = %s WHERE customer_id > %s",
            (profile_id, options.users),
        )
        db.execute(
            "UPDATE subscription SET plan_version_id = %s, requires_entitlement = false,"
            " service_next_change_at = NULL, created_at = %s WHERE customer_id > %s",
            (version_id, since, options.users),
        )
        db.execute("DELETE FROM entitlement WHERE customer_id > %s", (options.users,))
        db.execute("VACUUM ANALYZE")
    first = since.date()
    billed = {
        user: bills.issue_bill(
            context,
            user + 1,
            cycle_from=first,
            cycle_until=first + timedelta(days=30),
            amount_micros=_MONTH_MICROS,
            now=since,
        ).number
        for user in range(options.users, options.users + 2 * options.moved, 2)
    }
    while enforcement.sweep(context, now):  # so many at a time
        pass
    return billed


def _run(options: Options, moves: Moves, listener: CoaListener) -> Found:
    exchange = moves.exchange
    latencies: list[float] = []

    def heard(_kind: Kind, answer: Answer) -> None:
        latencies.append(answer.latency_seconds * 1000)

    listener.ended = moves.end
    exchange.listen(listener.socket, listener.read)
    moves.begin()
    population = Population(exchange, options.users, heard)
    population.prepare()
    calls = [
        (float(options.rate_per_second), population.call),
        (2.0 * options.each_second, moves.next),
    ]
    drive(exchange, calls, options.seconds)
    moves.finish()
    arrived = {workload.user_of(name): at for name, at in listener.arrived_at.items()}
    load_ms = sorted(latencies)
    return Found(
        from_call=_by_kind(moves, arrived, moves.called_at),
        from_commit=_by_kind(moves, arrived, moves.committed_at),
        not_moved=2 * options.moved - len(arrived.keys() & moves.called_at.keys()),
        moved_for_nothing=sum(
            user not in moves.called_at or at < moves.called_at[user]
            for user, at in arrived.items()
        ),
        faults=moves.faults + listener.forged + population.wrong + population.given_up,
        load_ms=(quantile(load_ms, 0.5), quantile(load_ms, 0.99)),
    )


def _by_kind(
    moves: Moves, arrived: dict[int, float], since: dict[int, float]
) -> dict[str, list[float]]:
    return {
        kind: sorted(
            arrived[user] - at
            for user, at in since.items()
            if user in arrived and moves.kind(user) == kind
        )
        for kind in KINDS
    }


def report(options: Options, found: Found, place: Ground) -> bool:
    """Print; whether the verdict is good."""
    table = arrivals(
        f"{options.moved} customers each, {options.each_second} a second beside"
        f" {options.rate_per_second:,} requests a second",
        {f"{kind}, after the call began": found.from_call[kind] for kind in KINDS}
        | {f"{kind}, after its commit": found.from_commit[kind] for kind in KINDS},
    )
    place.console.print(table)
    place.say(
        f"not moved {found.not_moved}, moved for nothing {found.moved_for_nothing},"
        f" faults {found.faults}"
    )
    place.say(f"latency of the load: p50 {found.load_ms[0]:.2f} ms, p99 {found.load_ms[1]:.1f} ms")
    place.say(f"p99 {'below' if found.soon() else 'NOT below'} {ALLOWED_SECONDS:.0f} s")
    return found.soon() and found.fine()


def main(arguments: list[str]) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="bench restore", description=__doc__)
    parser.add_argument("--users", type=int, default=20_000, help="that make the load")
    parser.add_argument("--rate", type=int, default=1_000, help="requests a second beside")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--each-second", type=int, default=10, help="of each kind")
    parser.add_argument("--quick", action="store_true", help="3 seconds, 5 a second beside 100")
    given = parser.parse_args(arguments)
    options = Options(given.users, given.rate, given.seconds, given.each_second)
    if given.quick:
        options = Options(200, 100, 3, 5)
    with ground() as place:
        raise SystemExit(0 if report(options, measure(options, place), place) else 1)
