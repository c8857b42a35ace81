"""The worker process: the job queue, the sweep, the end of silent sessions, the history, and the
companions that its main hands over."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Callable, Mapping
from functools import partial

from billing.clock import utc_now
from billing.errors import Unavailable
from billing.jobs import history, queue, reaper, sweeper
from billing.services import upkeep
from billing.services.context import Context
from billing.services.history import Retention

log = logging.getLogger(__name__)

Companion = Callable[[threading.Event], None]
"""Runs in a thread of its own until the event is set; started again if it fails."""

_RESTART_SECONDS = 1.0
_STOP_SECONDS = 15.0


def run(context: Context, dsn: str, kept: Retention, companions: Mapping[str, Companion]) -> None:
    """Serve until SIGTERM or SIGINT; then finish what is being done and return.

    `companions` are what the composition root adds, by name: the sender of CoA and Disconnect.
    """
    asyncio.run(_run(context, dsn, kept, companions))


async def _run(
    context: Context, dsn: str, kept: Retention, companions: Mapping[str, Companion]
) -> None:
    stop = threading.Event()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    every = {
        "sweep": partial(sweeper.run, context),
        "silent sessions": partial(reaper.run, context),
        "history": partial(history.run, context, kept),
        **companions,
    }
    threads = [
        threading.Thread(target=_supervise, args=(name, body, stop), name=name, daemon=True)
        for name, body in every.items()
    ]
    for thread in threads:
        thread.start()
    jobs = asyncio.create_task(_jobs(context, dsn))
    log.info("the worker runs: jobs, %s", ", ".join(every))
    try:
        await ended.wait()
    finally:
        stop.set()
        await _cancelled(jobs)
        for thread in threads:
            await asyncio.to_thread(thread.join, _STOP_SECONDS)
    log.info("the worker has ended")


async def _cancelled(task: asyncio.Task[None]) -> None:
    # Again and again, as Python 3.11's wait_for loses one that comes just when it is connected.
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=queue.SHUTDOWN_SECONDS + 1)


async def _jobs(context: Context, dsn: str) -> None:
    # At once, as a machine that was off for weeks may have none for today.
    try:
        await asyncio.to_thread(upkeep.ensure_partitions, context, utc_now())
    except Unavailable as error:
        log.warning("partitions are made later: %s", error)
    while True:
        try:
            await queue.serve(context, dsn)
        except Exception:
            log.exception("the jobs failed; they are started again")
            await asyncio.sleep(_RESTART_SECONDS)


def _supervise(name: str, body: Companion, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            body(stop)
        except Exception:
            log.exception("%s failed; it is started again", name)
            stop.wait(_RESTART_SECONDS)
