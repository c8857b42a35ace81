"""Tollway in a network namespace: its servers and worker, for NAS with a network of their own."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from billing.settings import Settings
from rig import processes
from rig.netns import Namespace
from rig.processes import Process
from rig.radius import Kind, RadiusOptions, RadiusServer

PORTS: dict[Kind, int] = {"auth": 1812, "acct": 1813}


@contextmanager
def servers(
    core: Namespace, address: str, settings: Settings, product: Path
) -> Iterator[dict[Kind, RadiusServer]]:
    """Both servers at the usual ports of `address`, for NAS of its /24."""
    options = RadiusOptions(
        threads=8,
        instances=10,
        bind_address=address,
        nas_networks=(f"{address.rpartition('.')[0]}.0/24",),
        reject_delay_seconds=0,
        python_paths=(product, Path(sysconfig.get_path("purelib"))),
    )
    made = {
        kind: RadiusServer(
            kind, settings.state_dir, port=port, options=options, environment=_environment(settings)
        )
        for kind, port in PORTS.items()
    }
    try:
        start(core, *made.values())
        yield made
    finally:
        for server in made.values():
            server.stop()


def start(core: Namespace, *servers: RadiusServer) -> None:
    """Start servers inside; this thread is out again afterwards."""
    with core.entered():
        for server in servers:
            server.start()


@contextmanager
def worker(core: Namespace, settings: Settings, product: Path) -> Iterator[Process]:
    """`tollway worker`."""
    with core.entered():
        process = processes.start(
            f"worker-{core.name}",
            [sys.executable, "-m", "billing.cli", "worker"],
            run_dir=settings.state_dir / "run",
            log_dir=settings.state_dir / "log",
            env=_environment(settings) | {"PYTHONPATH": str(product)},
        )
    try:
        yield process
    finally:
        process.stop()


def _environment(settings: Settings) -> dict[str, str]:
    return {
        "TOLLWAY_STATE_DIR": str(settings.state_dir),
        "TOLLWAY_DATABASE_URL": settings.database_url,
        "TOLLWAY_DATABASE_NAME": settings.database_name,
    }
