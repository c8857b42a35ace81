"""Kills parts of an installation at random moments, and starts them again."""

from __future__ import annotations

import random
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from rig import processes
from rig.processes import Process
from tests.radius.installation import Installation

# Each of these once, in any order, then anew.
PARTS = ("postgres", "postgres", "radiusd-acct", "radiusd-acct", "radiusd-auth", "worker")
ANSWER_RECORDS = frozenset({"postgres", "radiusd-acct"})
"""Whose end may keep a record that was committed from being answered."""


@dataclass(frozen=True)
class Kill:
    """`at` is Unix seconds."""

    part: str
    at: float


@dataclass
class Killer:
    """One installation and its worker."""

    isp: Installation
    product: Path
    rng: random.Random
    kills: list[Kill] = field(default_factory=list)
    _next: list[str] = field(default_factory=list)
    _workers: int = 0

    def __enter__(self) -> Killer:
        self._worker = self._start_worker()
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.stop()

    def counted(self) -> Counter[str]:
        """How often each part was killed."""
        return Counter(kill.part for kill in self.kills)

    def kill_something(self) -> None:
        """After a random while; the part is back, and so is its service, when this returns."""
        time.sleep(self.rng.uniform(0.1, 0.6))
        if not self._next:
            self._next = self.rng.sample(PARTS, len(PARTS))
        self.kill(self._next.pop())

    def kill(self, part: str) -> None:
        """SIGKILL to one part, which is started again soon after."""
        if part == "postgres":
            self.kills.append(Kill(part, time.time()))
            self.isp.cluster.kill()
            self._pause()
            self.isp.cluster.start()
        elif part == "worker":
            self.kills.append(Kill(part, time.time()))
            self._worker.kill()
            self._pause()
            self._worker = self._start_worker()
        else:
            self._kill_server("auth" if part == "radiusd-auth" else "acct")

    def _kill_server(self, kind: str) -> None:
        server = self.isp.radius["auth" if kind == "auth" else "acct"]
        process = server.process()
        assert process is not None, f"radiusd-{kind} has ended by itself"
        if self.rng.random() < 0.7:
            # It stands still while the database commits what it was asked: it can't answer then.
            process.send(signal.SIGSTOP)
            time.sleep(0.05)
        self.kills.append(Kill(f"radiusd-{kind}", time.time()))
        server.kill()
        self._pause()
        server.start()

    def _pause(self) -> None:
        time.sleep(self.rng.uniform(0, 0.3))

    def _start_worker(self) -> Process:
        self._workers += 1
        settings = self.isp.settings
        return processes.start(
            f"worker-{self._workers}",
            [sys.executable, "-m", "billing.cli", "worker"],
            run_dir=settings.state_dir / "run",
            log_dir=settings.state_dir / "log",
            env={
                "PYTHONPATH": str(self.product),
                "TOLLWAY_STATE_DIR": str(settings.state_dir),
                "TOLLWAY_DATABASE_URL": settings.database_url,
                "TOLLWAY_DATABASE_NAME": settings.database_name,
            },
        )
