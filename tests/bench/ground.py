"""What every part of the bench stands on: a cluster of its own in a directory that is removed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from rich.console import Console

from rig.account import temporary_state_dir
from rig.postgres import PrivateCluster

from .target import Target

COLUMNS = 130


@dataclass(frozen=True)
class Ground:
    """A running PostgreSQL and where everything else may put its files."""

    state_dir: Path
    cluster: PrivateCluster
    postmaster_pid: int
    console: Console

    def say(self, text: str) -> None:
        """One line of progress."""
        self.console.print(text, highlight=False, soft_wrap=True)

    def admin(self, database: str) -> psycopg.Connection:
        """A superuser's connection, in autocommit."""
        return psycopg.connect(self.cluster.dsn(database), autocommit=True)


@contextmanager
def ground(console: Console | None = None) -> Iterator[Ground]:
    """Make it; end it and remove it afterwards."""
    console = console or Console(width=max(Console().width, COLUMNS))
    with temporary_state_dir("bench-") as state_dir:
        cluster = PrivateCluster(state_dir)
        postmaster = cluster.start()
        try:
            yield Ground(state_dir, cluster, postmaster.pid, console)
        finally:
            cluster.stop()


@contextmanager
def started(target: Target, users: int) -> Iterator[Target]:
    """A seeded and running target."""
    target.seed(users)
    with running(target):
        yield target


@contextmanager
def running(target: Target) -> Iterator[Target]:
    """A running target, which was seeded before."""
    try:
        target.start()
        yield target
    finally:
        target.stop()
