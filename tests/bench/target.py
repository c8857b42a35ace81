"""What the bench needs to know about a server under load."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from .workload import Usage


class Target(Protocol):
    """A RADIUS server on loopback with a database of its own in the shared cluster."""

    name: str
    auth_port: int
    acct_port: int
    database: str | None
    """Its database in the shared cluster; None when it has none, and so keeps no usage."""

    def seed(self, users: int) -> None:
        """Create the database and *users* subscribers; before `start`."""

    def start(self) -> None:
        """Start the server and wait until it answers."""

    def stop(self) -> None:
        """Stop what `start` started."""

    def pids(self) -> list[int]:
        """The RADIUS server's processes."""

    def recorded_usage(self, users: Iterable[int]) -> dict[int, Usage | None]:
        """What the server has on record per subscriber, over all sessions; None where its own
        books disagree."""
