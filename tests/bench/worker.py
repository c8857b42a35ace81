"""The product's worker beside a target: it closes, cuts and sends, as in an installation."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rig import processes
from rig.processes import Process

from .tollway_target import TollwayTarget

_READY_SECONDS = 60.0


@contextmanager
def worker(target: TollwayTarget) -> Iterator[Process]:
    """`tollway worker`, until the end."""
    process = processes.start(
        "worker",
        [sys.executable, "-m", "billing.cli", "worker"],
        run_dir=target.state_dir / "run",
        log_dir=target.state_dir / "log",
        env=target.environment() | {"PYTHONPATH": str(target.product)},
        account=target.account,
    )
    try:
        deadline = time.monotonic() + _READY_SECONDS
        while "the worker runs" not in process.log_file.read_text(encoding="utf-8"):
            if not process.alive() or time.monotonic() > deadline:
                raise processes.failed(process, "the worker does not run")
            time.sleep(0.05)
        yield process
    finally:
        process.stop()
