"""What the bill run would do, by pages and in all, and having the worker do it (rule B7)."""

from __future__ import annotations

from datetime import date, datetime

from billing.model.bills import BillPreview, Parked, PreviewPage, PreviewTotals
from billing.rules.cycles import day_start
from billing.services.bill_run import JOB, preview_by, preview_of
from billing.services.context import Context
from billing.services.issuing import operator_of
from billing.store import audit, billing_jobs

LOOKED_AT = 3_000
"""Customers that one page looks at, at most: most of them may have nothing due."""


def page(context: Context, day: date, *, after: int = 0, limit: int = 100) -> PreviewPage:
    """What a run on the local day would do to customers whose number is above `after`: `limit`
    lines, and what else the last one of these customers gets; fewer, or none, where LOOKED_AT
    customers have no more."""
    with context.transaction() as tx:
        begins = day_start(day, operator_of(tx).time_zone)
        rest = [one for one in billing_jobs.billed_automatically(tx) if one > after]
    looked_at = rest[:LOOKED_AT]
    next_after = looked_at[-1] if len(rest) > LOOKED_AT else None
    found: list[BillPreview | Parked] = []
    for one in preview_of(context, looked_at, begins):
        if len(found) >= limit and one.customer_id != found[-1].customer_id:
            next_after = found[-1].customer_id
            break
        found.append(one)
    return PreviewPage(
        bills=tuple(one for one in found if isinstance(one, BillPreview)),
        parked=tuple(one for one in found if isinstance(one, Parked)),
        next_after=next_after,
    )


def totals(context: Context, day: date) -> PreviewTotals:
    """Of the whole run. It works out every bill, so it takes a while with many customers."""
    bills = total_micros = parked = 0
    for one in preview_by(context, day):
        if isinstance(one, BillPreview):
            bills += 1
            total_micros += one.total_micros
        else:
            parked += 1
    with context.transaction() as tx:
        return PreviewTotals(
            customers=len(billing_jobs.billed_automatically(tx)),
            bills=bills,
            total_micros=total_micros,
            currency=operator_of(tx).currency,
            parked=parked,
        )


def queue(context: Context, now: datetime) -> bool:
    """Have the worker do the run now, and write down who asked for it; False where one waits
    already."""
    with context.transaction() as tx:
        if not billing_jobs.queue(tx, JOB, now):
            return False
        audit.append(
            tx,
            at=now,
            org_id=context.home_org_id,
            actor=context.actor,
            action="job.queue",
            subject=f"job:{JOB}",
            detail={},
        )
    return True
