"""Periodic and queued jobs, kept in PostgreSQL by procrastinate.

A job's arguments are ids, never names, amounts or secrets: the queue belongs to no organisation.
"""

from __future__ import annotations

import asyncio
import logging
import threading

import procrastinate
import psycopg
import psycopg_pool
from procrastinate.exceptions import ConnectorException

from billing.clock import utc_now
from billing.jobs.registry import JOBS, Job
from billing.services.context import Context

log = logging.getLogger(__name__)

jobs = procrastinate.Blueprint()

JOBS_AT_ONCE = 3
"""A bill run of minutes must not keep renewals and plan changes waiting."""
SHUTDOWN_SECONDS = 5.0
"""How long jobs that run may go on after `serve` was cancelled."""
_BACKOFF_SECONDS = (0.5, 1.0, 2.0, 5.0)
_LOST = (ConnectorException, psycopg.OperationalError, psycopg_pool.PoolTimeout, OSError)


def _task(job: Job, cron: str) -> None:
    """Run the job by its clock, never twice at a time in this worker."""
    running = threading.Lock()

    def run(context: procrastinate.JobContext, timestamp: int) -> None:
        if not running.acquire(blocking=False):
            log.info("%s still runs; what is due now is done by its next run", job.name)
            return
        try:
            said = job.run(_acting(context), utc_now())
        finally:
            running.release()
        if said:
            log.info("%s: %s", job.name, said)

    task = jobs.task(name=job.name, queueing_lock=job.name, pass_context=True)(run)
    jobs.periodic(cron=cron)(task)


for _job in JOBS.values():
    if _job.cron is not None:
        _task(_job, _job.cron)


async def serve(context: Context, dsn: str) -> None:
    """Run jobs until cancelled; a lost database is connected to again, with back-off."""
    failures = 0
    while True:
        try:
            connector = procrastinate.PsycopgConnector(conninfo=dsn, min_size=1, max_size=4)
            app = procrastinate.App(connector=connector)
            app.add_tasks_from(jobs, namespace="tollway")
            async with app.open_async():
                failures = 0
                await app.run_worker_async(
                    concurrency=JOBS_AT_ONCE,
                    install_signal_handlers=False,
                    delete_jobs="successful",
                    shutdown_graceful_timeout=SHUTDOWN_SECONDS,
                    additional_context={"tollway": context},
                )
        except _LOST as error:
            log.warning("jobs wait for the database: %s", _first_line(error))
        else:
            log.warning("the job worker ended by itself; it is started again")
        await asyncio.sleep(_BACKOFF_SECONDS[min(failures, len(_BACKOFF_SECONDS) - 1)])
        failures += 1


def lost_database_in_one_line(record: logging.LogRecord) -> bool:
    """Log filter: what the library says with a traceback when the database is lost."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, _LOST):
        record.msg, record.args = "the database was lost: %s", (_first_line(error),)
        record.exc_info = None
    return True


def _acting(context: procrastinate.JobContext) -> Context:
    acting = context.additional_context["tollway"]
    if not isinstance(acting, Context):
        raise TypeError("the worker was started without a context")
    return acting


def _first_line(error: BaseException) -> str:
    cause = error.__cause__ or error
    text = str(cause).strip()
    return text.splitlines()[0] if text else type(cause).__name__
