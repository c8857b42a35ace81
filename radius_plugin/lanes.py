"""Connections of one radiusd to the database, the batchers on them, and the watch over all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Any

from billing.clock import utc_now
from billing.errors import Unavailable
from billing.settings import Settings
from billing.store.hotpath import HotConnection, RowLocked, hear, probe
from radius_plugin.batcher import Batcher
from radius_plugin.deciders import DecisionProcess
from radius_plugin.watch import SHUT, DatabaseWatch

Run = Callable[[Any, list[Any]], Sequence[Any]]


class Lanes:
    """Makes lanes; `watch` knows all of them.

    `hears`: of the accounting server, which tells the database every ten seconds that it hears NAS,
    unless `is_behind`: what it heard waits to be charged (rule U10).
    """

    def __init__(
        self,
        settings: Settings,
        log: Callable[[str], None],
        good_at: datetime | None,
        *,
        hears: bool,
    ) -> None:
        self._settings = settings
        self._hears = hears
        self.is_behind: Callable[[], bool] = lambda: False
        self._made: list[HotConnection | DecisionProcess] = []
        self.watch = DatabaseWatch(
            partial(self._probe, self.lane()),
            self._made,
            log,
            stuck_seconds=settings.statement_timeout_ms / 1000 + 1,
            good_at=good_at,
            always=hears,
        )

    def lane(self) -> HotConnection:
        made = HotConnection(
            self._settings.dsn("radius"),
            statement_timeout_ms=self._settings.statement_timeout_ms,
            lock_timeout_ms=self._settings.lock_timeout_ms,
        )
        self._made.append(made)
        return made

    def watch_over(self, processes: Sequence[DecisionProcess]) -> None:
        """These wait for the database, too."""
        self._made.extend(processes)

    def batcher(
        self,
        run: Run,
        *,
        lanes: int,
        batch_max: int,
        processes: Sequence[DecisionProcess] = (),
        **more: Any,
    ) -> Any:
        """Batches of `run`, watched, on so many lanes of their own; or on these processes, with a
        lane of their own for the request that comes while nothing else runs."""
        settings = self._settings
        return Batcher(
            processes or [self.lane() for _ in range(lanes)],
            partial(self._watched, run),
            solitary=self.lane() if processes else None,
            batch_max=batch_max,
            queue_max=settings.queue_max,
            # Longer than a statement may take, shorter than radiusd's max_request_time.
            wait_seconds=2 * settings.statement_timeout_ms / 1000,
            **more,
        )

    def writer(self, run: Run) -> Callable[[list[Any]], Sequence[Any]]:
        """`run` on a lane of its own for a thread that can wait: it does not even try while the
        database is shut."""
        lane = self.lane()

        def write(requests: list[Any]) -> Sequence[Any]:
            if self.watch.shut:
                raise SHUT
            return self._watched(run, lane, requests)

        return write

    def _probe(self, lane: HotConnection) -> None:
        probe(lane)
        if self._hears and not self.is_behind():
            hear(lane, utc_now())

    def _watched(self, run: Run, lane: Any, requests: list[Any]) -> Sequence[Any]:
        """Run a batch; the watch learns whether the database did its part."""
        began = monotonic()
        try:
            answers = run(lane, requests)
        except RowLocked:
            raise
        except Unavailable as error:
            self.watch.failed(error, monotonic() - began)
            raise
        self.watch.good()
        return answers
