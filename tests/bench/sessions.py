"""Sessions that the product is to end: their records are sent, and a NAS that obeys is played."""

from __future__ import annotations

import time
from dataclasses import dataclass

from rich.table import Table

from . import packets, workload
from .cell import quantile
from .exchange import Answer, Done, Exchange
from .packets import Kind

GENERATION = 1
_SETTLE_SECONDS = 30.0
_WINDOW = 64


@dataclass(kw_only=True)
class EndedSessions:
    """Of subscribers from number *first* on. `end` is for the listener: the NAS ends the session
    with a Stop that tells what it had used at *last_step*."""

    exchange: Exchange
    first: int
    last_step: int
    began_at: int
    faults: int = 0
    stopped: int = 0

    def send(self, user: int, kind: Kind, step: int, done: Done, due: float | None = None) -> None:
        """One record."""

        def encode(identifier: int) -> bytes:
            return packets.request(kind, identifier, user, GENERATION, step, self.began_at)

        at = time.perf_counter() if due is None else due
        if not self.exchange.ask(0, kind, encode, done, at):
            self.faults += 1

    def send_all(self, users: list[int], kind: Kind, step: int) -> None:
        """A record of each, and wait for the answers."""
        for user in users:
            while self.exchange.in_flight >= _WINDOW:
                self.exchange.work(time.perf_counter() + 0.25)
            self.send(user, kind, step, self.check)
        while self.exchange.in_flight:
            self.exchange.work(time.perf_counter() + 0.25)

    def check(self, answer: Answer) -> None:
        """It must be an answer."""
        self.faults += answer.code != packets.ACCOUNTING_RESPONSE

    def end(self, session_id: str) -> None:
        """Ordered by the product."""
        user = workload.user_of(session_id)
        if user >= self.first:
            self.send(user, "stop", self.last_step, self._counted)

    def settle(self, stops: int) -> None:
        """Wait for so many Stops to be answered, not for ever."""
        deadline = time.perf_counter() + _SETTLE_SECONDS
        while self.stopped < stops and time.perf_counter() < deadline:
            self.exchange.work(time.perf_counter() + 0.25)

    def _counted(self, answer: Answer) -> None:
        self.stopped += 1
        self.check(answer)


def arrivals(title: str, rows: dict[str, list[float]]) -> Table:
    """When the Disconnect-Requests arrived: seconds, ascending, by what they are counted from."""
    table = Table(title=title, title_justify="left")
    for heading in ("Disconnect-Request arrived, ms", "p50", "p99", "max"):
        table.add_column(heading, justify="right")
    for label, seconds in rows.items():
        shown = (quantile(seconds, 0.5), quantile(seconds, 0.99), seconds[-1] if seconds else 0.0)
        table.add_row(label, *(f"{value * 1000:.1f}" for value in shown))
    return table
