"""How an interpreter that serves requests is set up (docs/adr/0008)."""

from __future__ import annotations

import gc
import os
import sys

SWITCH_SECONDS = 0.1
GARBAGE_THRESHOLD = 50_000


def calm() -> None:
    """Hooks hand the interpreter on by themselves, at every wait. Many waiting threads would make
    the running one stop as well every 5 ms; and what was imported need not be looked through for
    garbage again and again."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)


def stay_on_one_cpu(place: int) -> None:
    """The interpreter lets one thread run at a time; on one CPU it is handed over without waking
    another one. A thread that is woken waits for the interpreter anyway, so it does not displace
    the one that has it (SCHED_BATCH). Threads started from here on inherit both."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) > 1:
        os.sched_setaffinity(0, {cpus[place % len(cpus)]})
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
