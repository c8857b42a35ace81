"""The jobs that the worker runs by the clock and `tollway jobs` by hand.

Each may be run at any time, again, and after days of downtime: it does what is due by then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from billing.services import bill_run, books, dunning_run, recognition, upkeep
from billing.services.context import Context


@dataclass(frozen=True, slots=True)
class Job:
    """`cron` is in UTC; `run` says what it did in one line, empty when there was nothing to do."""

    name: str
    cron: str
    purpose: str
    run: Callable[[Context, datetime], str]


def _ensure_partitions(context: Context, now: datetime) -> str:
    made = upkeep.ensure_partitions(context, now)
    return f"made {made} partitions" if made else ""


def _fair_use_steps(context: Context, now: datetime) -> str:
    found = upkeep.fair_use_steps(context, now)
    return f"looked at {found} customers" if found else ""


def _post_usage(context: Context, now: datetime) -> str:
    made = books.post_usage(context, now)
    return f"posted usage in {made} entries" if made else ""


def _check_ledger(context: Context, now: datetime) -> str:
    findings = books.check_ledger(context, now).findings
    return (
        f"THE BOOKS DISAGREE: {len(findings)} findings, see `tollway ledger check`"
        if findings
        else ""
    )


def _bill_run(context: Context, now: datetime) -> str:
    report = bill_run.run(context, now)
    said = f"issued {report.issued} bills" if report.issued else ""
    if report.parked:
        said = f"{said or 'issued no bills'}; {len(report.parked)} customers PARKED"
    return said


def _recognise_revenue(context: Context, now: datetime) -> str:
    report = recognition.run(context, now)
    said = f"posted what was earned of {report.items} items" if report.items else ""
    if report.parked:
        said = f"{said or 'posted nothing'}; {report.parked} customers PARKED"
    return said


def _dunning(context: Context, now: datetime) -> str:
    report = dunning_run.run(context, now)
    said = (
        f"{report.reminders} reminders, {report.fees} late fees"
        if report.reminders or report.fees
        else ""
    )
    if report.parked:
        said = f"{said or 'dunned nobody'}; {len(report.parked)} customers PARKED"
    return said


JOBS = {
    job.name: job
    for job in (
        # The partitions reach two weeks ahead, so days of downtime do no harm.
        Job("ensure_partitions", "7 * * * *", "partitions of the near future", _ensure_partitions),
        Job("fair_use_steps", "* * * * *", "speeds by fair use (rule Q2)", _fair_use_steps),
        # Before the bill run, so that after downtime its bills carry the fees of the days before.
        Job("dunning", "9 * * * *", "reminders and late fees (rule I5)", _dunning),
        # Every hour, as the operator's day begins at any of them.
        Job("bill_run", "11 * * * *", "bills of monthly customers (rule B7)", _bill_run),
        Job("post_usage", "3 * * * *", "usage into the ledger (rule P2)", _post_usage),
        Job(
            "recognise_revenue",
            "23 * * * *",
            "what has become earned (rule I6)",
            _recognise_revenue,
        ),
        Job("check_ledger", "37 1 * * *", "whether the books agree (rule M4)", _check_ledger),
    )
}
