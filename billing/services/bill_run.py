"""The bill run: every bill that is due by now, each exactly once (rule B7).

A customer is one transaction. One that fails is parked with its problem and tried again by the
next run; the others go on. A run that was killed is taken up where it was, since what is billed is
not due any more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime

from billing.errors import Unavailable
from billing.model.bill_run import BillPreview, BillRunReport, Parked
from billing.services.context import Context
from billing.services.cycle_bills import due_bills, issue_due
from billing.services.issuing import operator_of
from billing.store import billing_jobs, customers

log = logging.getLogger(__name__)

JOB = "bill_run"
_PAGE = 200

Progress = Callable[[int, int], None]
"""Told how many customers were looked at, of how many."""


def _quiet(_done: int, _of: int) -> None:
    return None


def run(context: Context, now: datetime, progress: Progress = _quiet) -> BillRunReport:
    """Issue what is due. Raises NotFound (no operator yet), Unavailable."""
    currency = _currency(context)
    issued = total_micros = 0
    parked = []
    for customer_id in _candidates(context, progress):
        try:
            amounts = _bill_customer(context, customer_id, now)
        except Unavailable:
            raise
        except Exception as error:
            log.exception("customer %d cannot be billed", customer_id)
            problem = str(error) or type(error).__name__
            with context.transaction() as tx:
                billing_jobs.park(tx, JOB, customer_id, problem, now)
            parked.append(Parked(job=JOB, customer_id=customer_id, at=now, problem=problem))
            continue
        issued += len(amounts)
        total_micros += sum(amounts)
    return BillRunReport(
        at=now, issued=issued, total_micros=total_micros, currency=currency, parked=tuple(parked)
    )


def preview(context: Context, now: datetime) -> Iterator[BillPreview]:
    """What a run at `now` would issue; nothing is written."""
    for customer_id in _candidates(context, _quiet):
        with context.transaction() as tx:
            for row in customers.subscriptions_of(tx, customer_id):
                for due in due_bills(tx, row, now):
                    yield BillPreview(
                        customer_id=customer_id,
                        username=row.username,
                        first_day=due.first_day,
                        next_first_day=due.next_first_day,
                        plan_name=due.terms.plan_name,
                        total_micros=due.amount.total.amount_micros,
                        currency=due.amount.total.currency,
                    )


def parked(context: Context) -> list[Parked]:
    """Customers that the last runs could not bill, oldest first."""
    with context.transaction() as tx:
        return billing_jobs.parked(tx, JOB)


def _currency(context: Context) -> str:
    with context.transaction() as tx:
        return operator_of(tx).currency


def _candidates(context: Context, progress: Progress) -> Iterator[int]:
    """Customers with a subscription that is billed automatically."""
    last = done = 0
    with context.transaction() as tx:
        count = billing_jobs.count_billed_automatically(tx)
    while True:
        with context.transaction() as tx:
            page = billing_jobs.billed_automatically(tx, last, _PAGE)
        for customer_id in page:
            yield customer_id
            done += 1
            progress(done, count)
        if len(page) < _PAGE:
            return
        last = page[-1]


def _bill_customer(context: Context, customer_id: int, now: datetime) -> list[int]:
    """Totals of the bills issued to one customer, in micros."""
    with context.transaction() as tx:
        customer = customers.lock_customer(tx, customer_id)
        if customer is None or customer.closed_at is not None:
            return []
        issued = [
            bill.total_micros
            for row in customers.subscriptions_of(tx, customer_id)
            for bill in issue_due(tx, context, customer, row, now)
        ]
        billing_jobs.unpark(tx, JOB, customer_id)
        return issued
