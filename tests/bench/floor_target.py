"""The floor: Tollway's own FreeRADIUS configuration with hooks that do nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from rig.account import Account
from rig.radius import Kind, RadiusOptions, RadiusServer

from . import workload
from .workload import Usage

_HOOKS = Path(__file__).parent / "floor"
_KINDS: tuple[Kind, ...] = ("auth", "acct")


class FloorTarget:
    """Two radiusd, as the product has, without database."""

    name = "floor"
    database = None

    def __init__(self, account: Account, state_dir: Path, threads: int) -> None:
        self._state_dir = account.make_dir(state_dir / "floor", 0o755)
        hooks = self._state_dir / "hooks"
        shutil.copytree(_HOOKS, hooks)
        for path in (hooks, *hooks.rglob("*")):
            account.share(path)
        options = RadiusOptions(threads=threads, python_paths=(hooks,))
        self._servers = [
            RadiusServer(kind, self._state_dir, options=options, account=account) for kind in _KINDS
        ]
        self.auth_port, self.acct_port = (server.port for server in self._servers)

    def seed(self, users: int) -> None:
        """The hooks know every subscriber."""

    def start(self) -> None:
        """Start both servers."""
        for server in self._servers:
            server.start()

    def stop(self) -> None:
        """End both servers."""
        for server in self._servers:
            server.stop()

    def pids(self) -> list[int]:
        """Both servers."""
        running = (server.process() for server in self._servers)
        return [process.pid for process in running if process is not None]

    def recorded_usage(self, users: Iterable[int]) -> dict[int, Usage | None]:
        """Nothing is kept."""
        return dict.fromkeys(users, workload.NOTHING)
