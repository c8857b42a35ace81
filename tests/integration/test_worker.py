"""The worker as a process of its own: ends expired sessions, survives the database, stops well."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from billing.clock import utc_now
from billing.services import bill_previews, bill_run, books, customer_record
from billing.services.context import Context
from billing.settings import Settings
from billing.store import billing_jobs
from rig import processes
from rig.postgres import PrivateCluster
from rig.processes import Process
from tests.factories import MONTH_PLAN, MONTHLY, Factory

SECONDS = 30.0


def start_worker(settings: Settings, product_copy: Path) -> Process:
    """`tollway worker`, run by the service account."""
    return processes.start(
        f"worker-{os.urandom(3).hex()}",
        [sys.executable, "-m", "billing.cli", "worker"],
        run_dir=settings.state_dir / "run",
        log_dir=settings.state_dir / "log",
        env={
            "PYTHONPATH": str(product_copy),
            "TOLLWAY_STATE_DIR": str(settings.state_dir),
            "TOLLWAY_DATABASE_URL": settings.database_url,
            "TOLLWAY_DATABASE_NAME": settings.database_name,
        },
    )


@pytest.fixture
def worker(settings: Settings, product_copy: Path) -> Iterator[Process]:
    process = start_worker(settings, product_copy)
    try:
        yield process
    finally:
        process.stop()


def wait_for(what: Callable[[], object], process: Process) -> None:
    """Until `what` gives something true; fails with the worker's log."""
    deadline = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < deadline, processes.last_lines(process.log_file, 40)
        time.sleep(0.05)


def log_of(process: Process) -> str:
    return process.log_file.read_text(encoding="utf-8")


@pytest.mark.rule("B3")
@pytest.mark.rule("C1")
def test_a_session_ends_when_its_package_does(
    context: Context, make: Factory, now: datetime, worker: Process
) -> None:
    with make.simulated_nas(now) as router:
        subscriber = make.subscriber(now)
        expires = utc_now() + timedelta(seconds=3)
        make.package(subscriber, now, valid_from=now, valid_for=expires - now)
        make.session(subscriber, router, now)
        arrived = router.wait_for_orders(1, SECONDS)[0]
        assert arrived.kind == "Disconnect-Request"
        assert arrived.arrived_at >= expires


@pytest.mark.rule("C1")
def test_it_goes_on_after_a_crash_of_the_database(
    context: Context,
    cluster: PrivateCluster,
    make: Factory,
    now: datetime,
    worker: Process,
) -> None:
    with make.simulated_nas(now) as router:
        subscriber = make.subscriber(now)
        make.package(subscriber, now, valid_for=timedelta(hours=1))
        make.session(subscriber, router, now)
        wait_for(lambda: "the worker runs" in log_of(worker), worker)
        cluster.kill()
        wait_for(lambda: "wait for the database" in log_of(worker), worker)
        cluster.start()
        with context.transaction() as tx:
            tx.execute(
                text("UPDATE entitlement SET valid_until = :at WHERE subscription_id = :id"),
                {"at": utc_now(), "id": subscriber.subscription_id},
            )
            tx.execute(
                text(
                    "UPDATE subscription SET service_next_change_at = :at"
                    " WHERE subscription_id = :id"
                ),
                {"at": utc_now(), "id": subscriber.subscription_id},
            )
        assert router.wait_for_orders(1, SECONDS)[0].kind == "Disconnect-Request"
    assert worker.alive()
    assert "Traceback" not in log_of(worker)


def test_it_ends_on_sigterm_and_frees_its_place(context: Context, worker: Process) -> None:
    wait_for(lambda: "the worker runs" in log_of(worker), worker)
    worker.stop()
    assert "the worker has ended" in log_of(worker)
    assert "Traceback" not in log_of(worker)


def test_missing_partitions_are_made_when_it_starts(
    context: Context, settings: Settings, product_copy: Path, worker: Process
) -> None:
    count = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'acct_journal'::regclass"

    def journal_partitions() -> int:
        with context.transaction() as tx:
            return tx.scalar(text(count)) or 0

    wait_for(lambda: "the worker runs" in log_of(worker), worker)
    worker.stop()
    whole = journal_partitions()
    tomorrow = (utc_now() + timedelta(days=1)).strftime("%Y%m%d")
    with psycopg.connect(settings.dsn("owner"), autocommit=True) as owner:
        owner.execute(f"DROP TABLE acct_journal_p{tomorrow}")
    assert journal_partitions() == whole - 1
    again = start_worker(settings, product_copy)
    try:
        wait_for(lambda: journal_partitions() == whole, again)
    finally:
        again.stop()


@pytest.mark.rule("B7")
def test_a_bill_run_that_the_panel_wants_is_done_at_once(
    context: Context, make: Factory, now: datetime, worker: Process
) -> None:
    profile = replace(MONTHLY, automatic_bill=True)
    owner = make.subscriber(now - timedelta(days=70), profile=profile, plan=MONTH_PLAN)
    assert len(customer_record.open_bills(context, owner.customer_id, now)) == 1
    assert bill_previews.queue(context, now)
    wait_for(lambda: len(customer_record.open_bills(context, owner.customer_id, now)) > 1, worker)
    wait_for(lambda: bill_run.last_run(context), worker)


def test_the_panel_may_add_jobs_and_see_nothing_of_them(settings: Settings) -> None:
    add = """SELECT procrastinate_defer_jobs_v1(ARRAY[
        ('default', 'a task', 0, NULL, NULL, '{}', NULL)]::procrastinate_job_to_defer_v1[])"""
    with psycopg.connect(settings.dsn("panel"), autocommit=True) as panel:
        assert panel.execute(add).fetchone() is not None
        for forbidden in (
            "SELECT args FROM procrastinate_jobs",
            "DELETE FROM procrastinate_jobs",
            "SELECT procrastinate_fetch_job_v2(NULL, 1)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                panel.execute(forbidden)


def test_a_job_that_takes_long_holds_up_no_other(
    context: Context, settings: Settings, make: Factory, now: datetime, worker: Process
) -> None:
    subscriber = make.subscriber(
        now, profile=replace(MONTHLY, automatic_bill=True), plan=MONTH_PLAN
    )

    def states(job: str) -> list[str]:
        with context.transaction() as tx:
            found = tx.execute(
                text("SELECT status::text FROM procrastinate_jobs WHERE task_name LIKE :name"),
                {"name": f"%{job}"},
            )
            return list(found.scalars())

    wait_for(lambda: "the worker runs" in log_of(worker), worker)
    with psycopg.connect(settings.dsn("owner")) as owner:
        owner.execute(
            "SELECT FROM customer WHERE customer_id = %s FOR UPDATE", (subscriber.customer_id,)
        )
        with context.transaction() as tx:
            assert billing_jobs.queue(tx, "bill_run", utc_now())
        wait_for(lambda: "doing" in states("bill_run"), worker)
        with context.transaction() as tx:
            billing_jobs.queue(tx, "check_ledger", utc_now())
        wait_for(lambda: books.last_report(context) is not None, worker)
        assert "doing" in states("bill_run")
