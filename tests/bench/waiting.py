"""Waiting for a radiusd that has just been started."""

from __future__ import annotations

import time

from rig import processes
from rig.processes import Process


def wait_for_line(process: Process, wanted: str, timeout_seconds: float = 60.0) -> None:
    """Return when the log of *process* holds *wanted*; StartError when it ends or is late."""
    deadline = time.monotonic() + timeout_seconds
    while wanted not in process.log_file.read_text(encoding="utf-8", errors="replace"):
        if not process.alive():
            raise processes.failed(process, f"{process.name} ended at once")
        if time.monotonic() > deadline:
            raise processes.failed(process, f"{process.name} is not ready")
        time.sleep(0.05)
