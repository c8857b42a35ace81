"""The bill run: every bill that is due by now, each exactly once (rule B7).

Customers are billed by pages, and who fails is parked (`parking`). A run that was killed is taken
up where it was, since what is billed is not due any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from functools import partial

from billing.model.bills import (
    BillPreview,
    BillRunNote,
    BillRunReport,
    IssuedBill,
    Parked,
)
from billing.rules.cycles import day_start, local_day, next_month
from billing.services.context import Context
from billing.services.cycle_bills import due_bills, issue_due, note_issued
from billing.services.issuing import operator_of
from billing.services.parking import Progress, pages, preview_page, quiet, serve_page
from billing.store import audit, billing_jobs, customers

JOB = "bill_run"
_RUN = "bill.run"


def run(context: Context, now: datetime, progress: Progress = quiet) -> BillRunReport:
    """Issue what is due. Raises NotFound (no operator yet), Unavailable."""
    with context.transaction() as tx:
        currency = operator_of(tx).currency
        candidates = billing_jobs.billed_automatically(tx)
    issued = total_micros = done = 0
    parked: list[Parked] = []
    for page in pages(candidates):
        bills = serve_page(context, JOB, page, now, partial(_bill, context, now), parked)
        issued += len(bills)
        total_micros += sum(bill.total_micros for bill in bills)
        done += len(page)
        progress(done, len(candidates))
    report = BillRunReport(
        at=now, issued=issued, total_micros=total_micros, currency=currency, parked=tuple(parked)
    )
    if issued or parked:
        _note_run(context, report)
    return report


def last_run(context: Context) -> BillRunNote | None:
    """The newest run that did something; None where the log tells of none."""
    with context.transaction() as tx:
        found = audit.newest(tx, context.home_org_id, _RUN)
        if found is None:
            return None
        at, detail = found
        return BillRunNote(at=at, currency=operator_of(tx).currency, **detail)


def preview(context: Context, now: datetime) -> Iterator[BillPreview | Parked]:
    """What a run at `now` would issue, and whom it would park, by customer; nothing is written."""
    with context.transaction() as tx:
        candidates = billing_jobs.billed_automatically(tx)
    yield from preview_of(context, candidates, now)


def preview_of(
    context: Context, customer_ids: Sequence[int], now: datetime
) -> Iterator[BillPreview | Parked]:
    """The same for these customers only."""
    for page in pages(customer_ids):
        yield from preview_page(JOB, page, now, partial(_look, context, now))


def preview_by(context: Context, day: date) -> Iterator[BillPreview | Parked]:
    """What a run on a local day would issue."""
    with context.transaction() as tx:
        zone = operator_of(tx).time_zone
    return preview(context, day_start(day, zone))


def next_day_one(context: Context, now: datetime) -> date:
    """The local day on which the next month's bills are issued (rule B7)."""
    with context.transaction() as tx:
        zone = operator_of(tx).time_zone
    return next_month(local_day(now, zone))


def parked(context: Context) -> list[Parked]:
    """Customers that the last runs could not bill, oldest first."""
    with context.transaction() as tx:
        return billing_jobs.parked(tx, JOB)


def _note_run(context: Context, report: BillRunReport) -> None:
    with context.transaction() as tx:
        audit.append(
            tx,
            at=report.at,
            org_id=context.home_org_id,
            actor=context.actor,
            action=_RUN,
            subject=f"job:{JOB}",
            detail={
                "issued": report.issued,
                "total_micros": report.total_micros,
                "parked": len(report.parked),
            },
        )


def _look(context: Context, now: datetime, customer_ids: Sequence[int]) -> list[BillPreview]:
    with context.transaction() as tx:
        found = list(due_bills(tx, customer_ids, now, operator_of(tx).time_zone))
    return [
        BillPreview(
            customer_id=due.billable.customer_id,
            username=due.billable.username,
            first_day=due.first_day,
            next_first_day=due.next_first_day,
            plan_name=due.terms.plan_name,
            total_micros=due.amount.total.amount_micros,
            currency=due.amount.total.currency,
        )
        for due in found
    ]


def _bill(context: Context, now: datetime, customer_ids: Sequence[int]) -> list[IssuedBill]:
    with context.transaction() as tx:
        customers.lock_customers(tx, customer_ids)
        issued = issue_due(tx, context, customer_ids, now)
        billing_jobs.unpark(tx, JOB, customer_ids)
        note_issued(tx, context, issued, now)
        return issued
