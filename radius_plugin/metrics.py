"""The figures of one radiusd, for Prometheus and `tollway doctor` (docs/operations.md)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from billing.clock import utc_now
from billing.services import metrics
from billing.services.metrics import Measure, counter, gauge
from billing.services.snapshot import Snapshot
from radius_plugin.batcher import Batcher
from radius_plugin.deciders import DecisionProcess
from radius_plugin.history import History
from radius_plugin.keeper import Keeper
from radius_plugin.watch import DatabaseWatch

EVERY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Sources:
    """What is counted, and where. `records`: accounting by what became of it."""

    batchers: Mapping[str, Batcher[Any, Any, Any]]
    watch: DatabaseWatch
    history: History
    snapshot: Snapshot
    keeper: Keeper | None
    records: Counter[str]
    processes: Sequence[DecisionProcess]


class MetricsFile:
    """Written by the housekeeping, every EVERY_SECONDS and at the end."""

    def __init__(self, path: Path, sources: Sources) -> None:
        self._path = path
        self._sources = sources
        self._written_at = float("-inf")

    def tick(self, ending: bool = False) -> None:
        """Raises OSError."""
        now = time.monotonic()
        if ending or now - self._written_at >= EVERY_SECONDS:
            self._written_at = now
            metrics.write(self._path, self._measures())

    def _measures(self) -> Iterator[Measure]:
        sources = self._sources
        yield from _database(sources.watch)
        yield from _queues(sources.batchers)
        decided = dict(sources.history.decided)
        text = "Logins by what was decided and why."
        yield Measure("counter", "logins_total", text, decided, ("outcome", "reason"))
        text = "Lines of the login history that wait for the database."
        yield gauge("login_history_waiting", text, sources.history.waiting)
        text = "Logins decided without the database."
        yield counter("snapshot_logins_total", text, sources.snapshot.granted)
        text = "Accounts that may log in without the database."
        yield gauge("snapshot_accounts", text, sources.snapshot.accounts)
        text = "Processes beside radiusd that decide logins."
        yield gauge("decision_processes", text, sum(each.there for each in sources.processes))
        text = "Logins that they decided."
        decided_there = sum(each.settled for each in sources.processes)
        yield counter("decision_processes_logins_total", text, decided_there)
        records = dict(sources.records)
        text = "Accounting-Requests by what became of them."
        yield Measure("counter", "accounting_total", text, records, ("outcome",))
        if sources.keeper is not None:
            yield from _journal(sources.keeper)


def _database(watch: DatabaseWatch) -> Iterator[Measure]:
    out_since = watch.out_since
    out_seconds = 0.0 if out_since is None else (utc_now() - out_since).total_seconds()
    yield gauge("database_up", "1 while the database answers.", float(out_since is None))
    yield gauge("database_out_seconds", "How long the outage lasts.", out_seconds)
    yield counter("database_outages_total", "Outages of the database seen.", watch.outages)
    failures = dict(watch.failures)
    text = "Batches that the database did not do, by error."
    yield Measure("counter", "database_failures_total", text, failures, ("error",))


def _queues(batchers: Mapping[str, Batcher[Any, Any, Any]]) -> Iterator[Measure]:
    batches = {name: batcher.batches for name, batcher in batchers.items()}
    requests = {name: batcher.requests for name, batcher in batchers.items()}
    waiting = {name: batcher.waiting for name, batcher in batchers.items()}
    labels = ("queue",)
    yield Measure("counter", "batches_total", "Statements run for batches.", batches, labels)
    text = "Requests in these batches: their mean size is the one by the other."
    yield Measure("counter", "batched_requests_total", text, requests, labels)
    yield Measure("gauge", "queue_requests", "Requests waiting for a batch.", waiting, labels)


def _journal(keeper: Keeper) -> Iterator[Measure]:
    journal, oldest_at = keeper.journal, keeper.journal.oldest_at
    age_seconds = 0.0 if oldest_at is None else (utc_now() - oldest_at).total_seconds()
    yield gauge("journal_records", "Accounting in the local journal.", journal.waiting)
    yield gauge("journal_octets", "Its size.", journal.octets)
    yield gauge("journal_oldest_seconds", "Age of its oldest record.", age_seconds)
    yield counter("journal_charged_total", "Records charged from it.", keeper.replay.charged)
    text = "Records set aside because they could not be read or charged."
    yield counter("journal_damaged_total", text, keeper.replay.damaged)
