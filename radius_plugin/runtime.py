"""Composition root of the hooks: settings, lanes, batchers, and the bridge to radiusd's log.

radiusd loads one copy of this for all its module instances (radius.md F1); `instantiate` is called
once by each of them and does its work the first time.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

from billing.clock import utc_now
from billing.errors import TollwayError
from billing.model.events import Admitted, LoginRecord, UnusableRecord
from billing.services.access import AccessDesk
from billing.services.acct_journal import Journal, Replay, survey
from billing.services.clients import ClientBook
from billing.services.login_lines import Line, write_lines
from billing.services.metering import (
    Metered,
    is_one_rows_fault,
    keep_poison,
    meter_batch,
)
from billing.services.secrets import SecretBox
from billing.services.snapshot import LoginShelf, Snapshot, SnapshotFile
from billing.settings import Settings
from billing.store.hotpath import HotConnection
from radius_plugin import interpreter
from radius_plugin.answers import Decider, LoginAnswers, Settled
from radius_plugin.batcher import Batcher
from radius_plugin.complaints import Complaints
from radius_plugin.deciders import DecisionProcess
from radius_plugin.history import History
from radius_plugin.housekeeping import Housekeeping
from radius_plugin.keeper import Keeper
from radius_plugin.lanes import Lanes
from radius_plugin.lookup import Lookups
from radius_plugin.metrics import MetricsFile, Sources
from radius_plugin.pairs import Pairs
from radius_plugin.watch import DatabaseWatch

try:  # only inside radiusd
    import radiusd  # type: ignore[import-not-found]
except ImportError:
    radiusd = None

Kind = Literal["auth", "acct"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# FreeRADIUS's log levels (its log.h).
L_ERR, L_WARN = 4, 5


@dataclass(slots=True)
class Runtime:
    """What the hooks need while the server runs."""

    clients: ClientBook
    lookups: Lookups
    decisions: Batcher[Pairs, Settled, HotConnection | DecisionProcess]
    logins: Batcher[LoginRecord, Admitted, HotConnection]
    answers: LoginAnswers
    history: History
    usage: Batcher[Metered, None, HotConnection]
    watch: DatabaseWatch
    complaints: Complaints
    keeper: Keeper | None
    snapshot: Snapshot
    housekeeping: Housekeeping
    records: Counter[str]
    """Accounting-Requests by what became of them."""


_runtime: Runtime | None = None
_starting = threading.Lock()


def instantiate(kind: Kind) -> int:
    """What both hook modules do once per instance; the first one makes everything ready.

    Connections are made when first used, so that the server starts and keeps serving while the
    database is down. −1, after a line in the log, when the settings are not usable.
    """
    global _runtime
    with _starting:
        if _runtime is None:
            try:
                settings = Settings()
                cpus = os.sched_getaffinity(0)
                if settings.pin_cpus:
                    interpreter.stay_on_one_cpu(KINDS.index(kind))
                _runtime = _compose(kind, settings, cpus)
            except TollwayError as error:
                log(L_ERR, error.message)
                return -1
            except Exception as error:
                # rlm_python3 goes on after an exception (radius.md F7), with every request failing.
                log(L_ERR, f"the settings cannot be used: {named(error)}")
                return -1
            interpreter.calm()
    return 0


def detach() -> int:
    """Write what waits to be written; idempotent."""
    with _starting:
        if _runtime is not None:
            _runtime.history.close()
            if _runtime.keeper is not None:
                _runtime.keeper.close()
            _runtime.watch.close()
            _runtime.housekeeping.close()
            _runtime.snapshot.close()
    return 0


def runtime() -> Runtime:
    """The running parts; RuntimeError before `instantiate`."""
    if _runtime is None:
        raise RuntimeError("radius_plugin is not started")
    return _runtime


def log(level: int, message: str) -> None:
    """One line in radiusd's log; never a secret, never a packet's content."""
    if radiusd is not None:
        radiusd.radlog(level, f"tollway: {message}")
    else:
        print(message, file=sys.stderr)


def named(error: Exception) -> str:
    """What went wrong, for the log: what the error says of itself, else its kind."""
    return str(error) or type(error).__name__


def _compose(kind: Kind, settings: Settings, cpus: set[int]) -> Runtime:
    # The key is read now: a missing one must stop the server, not the first login.
    box = SecretBox(settings.secrets_key())
    complaints = Complaints(partial(log, L_ERR))
    file = SnapshotFile(settings.snapshot_dir / f"{kind}.db", partial(log, L_ERR))
    snapshot = Snapshot(file, box, accounts_max=settings.snapshot_accounts)
    desk = AccessDesk(box, snapshot)
    clients = ClientBook(box, file, partial(complaints.say, "snapshot"))
    lanes = Lanes(settings, partial(log, L_ERR), snapshot.good_at(), hears=kind == "acct")
    watch = lanes.watch

    def record(lane: HotConnection, lines: list[Line]) -> list[None]:
        write_lines(lane, lines, utc_now())
        return []

    def keep_snapshot(_ending: bool) -> None:
        snapshot.flush(watch.good_at if watch.out_since is None else None)

    history = History(
        lanes.writer(record),
        partial(complaints.say, "login history"),
        pending_max=settings.queue_max,
        shelf=LoginShelf(file, box),
    )
    decider = Decider(desk, partial(log, L_ERR))
    answers = LoginAnswers(decider, clients, history)
    processes = [
        DecisionProcess(decider, lanes.lane(), snapshot, partial(log, L_ERR), _others(cpus))
        for _ in range(settings.decision_processes(len(cpus)) if kind == "auth" else 0)
    ]
    lanes.watch_over(processes)
    records: Counter[str] = Counter()
    decisions, logins, usage = _batchers(settings, lanes, desk, decider, processes, records)
    keeper = _keeper(settings, lanes, complaints) if kind == "acct" else None
    batchers: dict[str, Batcher[Any, Any, Any]] = {"accounting": usage}
    if kind == "auth":
        batchers = {"authorize": decisions, "admit": logins}
    sources = Sources(batchers, watch, history, snapshot, keeper, records, processes)
    figures = MetricsFile(settings.metrics_file(f"radiusd-{kind}"), sources)
    return Runtime(
        clients=clients,
        lookups=Lookups(partial(clients.look_up, lanes.lane())),
        decisions=decisions,
        logins=logins,
        answers=answers,
        history=history,
        usage=usage,
        watch=watch,
        complaints=complaints,
        keeper=keeper,
        snapshot=snapshot,
        housekeeping=Housekeeping(
            [complaints.tick, keep_snapshot, figures.tick, *(each.tick for each in processes)],
            partial(complaints.say, "housekeeping"),
        ),
        records=records,
    )


def _batchers(
    settings: Settings,
    lanes: Lanes,
    desk: AccessDesk,
    decider: Decider,
    processes: Sequence[DecisionProcess],
    records: Counter[str],
) -> tuple[
    Batcher[Pairs, Settled, HotConnection | DecisionProcess],
    Batcher[LoginRecord, Admitted, HotConnection],
    Batcher[Metered, None, HotConnection],
]:
    """Logins decided, logins admitted, accounting charged (counted in `records`)."""

    def decide(lane: HotConnection | DecisionProcess, requests: Sequence[Pairs]) -> list[Settled]:
        if isinstance(lane, DecisionProcess):
            return lane.settle_batch(requests)
        return decider.settle_batch(lane, requests)

    def meter(lane: HotConnection, batch: Sequence[Metered]) -> list[None]:
        done = meter_batch(lane, batch, utc_now())
        unusable = sum(type(record) is UnusableRecord for record in batch)
        records["dead-letter"] += unusable
        records["charged"] += len(batch) - unusable
        return done

    def keep(lane: HotConnection, record: Metered, error: Exception) -> None:
        keep_poison(lane, record, error)
        records["dead-letter"] += 1

    return (
        lanes.batcher(
            decide,
            lanes=settings.auth_lanes,
            batch_max=settings.auth_batch_max,
            processes=processes,
        ),
        lanes.batcher(
            lambda lane, logins: desk.admit_batch(lane, logins, utc_now()),
            # Two, so that one customer's locked row does not hold up all others.
            lanes=2,
            batch_max=settings.batch_max,
            is_one_requests_fault=is_one_rows_fault,
        ),
        lanes.batcher(
            meter,
            lanes=settings.acct_lanes,
            batch_max=settings.acct_batch_max,
            is_one_requests_fault=is_one_rows_fault,
            isolate=keep,
        ),
    )


def _others(cpus: set[int]) -> set[int]:
    """The CPUs that radiusd has left to others; all where it keeps to none."""
    return cpus - os.sched_getaffinity(0) or cpus


def _keeper(settings: Settings, lanes: Lanes, complaints: Complaints) -> Keeper | None:
    """The journal of accounting: when it is switched on, or one was left behind."""
    if not settings.acct_journal and not survey(settings.journal_dir).records:
        return None
    journal = Journal(settings.journal_dir, octets_max=settings.acct_journal_mib * 2**20)
    lanes.is_behind = lambda: journal.waiting > 0
    return Keeper(
        journal,
        Replay(journal, lanes.lane(), partial(log, L_ERR)),
        complaints,
        takes=settings.acct_journal,
        may_charge=lambda: not lanes.watch.shut,
        batch_max=settings.batch_max,
        queue_max=settings.queue_max,
    )
