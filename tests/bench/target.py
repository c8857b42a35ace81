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
    keeps_usage: bool

    def seed(self, users: int) -> None:
        """Create the database and *users* subscribers; before `start`."""

    def start(self) -> None:
        """Start the server and wait until it answers."""

    def stop(self) -> None:
        """Stop what `start` started."""

    def pids(self) -> list[int]:
        """The RADIUS server's processes."""

    def recorded_usage(self, users: Iterable[int]) -> dict[int, Usage]:
        """What the server has on record per subscriber, over all sessions."""
