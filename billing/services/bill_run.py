"""The bill run: every bill that is due by now, each exactly once (rule B7).

Customers are billed by pages, a transaction each. Where one of a page fails, the page is done
again customer by customer: that one is parked with its problem and tried again by the next run. A
run that was killed is taken up where it was, since what is billed is not due any more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime

from billing.errors import NotFound, Refused, Unavailable
from billing.model.bills import BillPreview, BillRunReport, IssuedBill, Parked
from billing.rules.cycles import day_start, local_day, next_month
from billing.rules.prepaid import covered, short_micros
from billing.services.context import Context
from billing.services.cycle_bills import Standing, note_issued, standings
from billing.services.due_bills import by_wallet, issue_due
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
    with context.transaction() as tx:
        currency = operator_of(tx).currency
        candidates = billing_jobs.billed_automatically(tx)
    issued = total_micros = done = 0
    parked: list[Parked] = []
    for page in _pages(candidates):
        bills = _bill_page(context, page, now, parked)
        issued += len(bills)
        total_micros += sum(bill.total_micros for bill in bills)
        done += len(page)
        progress(done, len(candidates))
    return BillRunReport(
        at=now, issued=issued, total_micros=total_micros, currency=currency, parked=tuple(parked)
    )


def preview(context: Context, now: datetime) -> Iterator[BillPreview | Parked]:
    """What a run at `now` would issue, and whom it would park; nothing is written."""
    with context.transaction() as tx:
        candidates = billing_jobs.billed_automatically(tx)
    for page in _pages(candidates):
        yield from _preview_page(context, page, now)


def preview_by(context: Context, day: date) -> Iterator[BillPreview | Parked]:
    """What a run on a local day would issue; what a prepaid wallet does not cover is left out."""
    with context.transaction() as tx:
        zone = operator_of(tx).time_zone
    for one in preview(context, day_start(day, zone)):
        if isinstance(one, Parked) or not one.short_micros:
            yield one


def next_day_one(context: Context, now: datetime) -> date:
    """The local day on which the next month's bills are issued (rule B7)."""
    with context.transaction() as tx:
        zone = operator_of(tx).time_zone
    return next_month(local_day(now, zone))


def parked(context: Context) -> list[Parked]:
    """Customers that the last runs could not bill, oldest first."""
    with context.transaction() as tx:
        return billing_jobs.parked(tx, JOB)


def _pages(customer_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(customer_ids), _PAGE):
        yield customer_ids[start : start + _PAGE]


def _preview_page(
    context: Context, page: Sequence[int], now: datetime
) -> Iterator[BillPreview | Parked]:
    try:
        with context.transaction() as tx:
            found = list(standings(tx, page, now, operator_of(tx).time_zone))
    except (NotFound, Refused) as error:
        if len(page) == 1:
            yield Parked(job=JOB, customer_id=page[0], at=now, problem=error.message)
        else:
            for one in page:
                yield from _preview_page(context, [one], now)
        return
    short = _short(found)
    for due in (bill for one in found for bill in one.bills):
        yield BillPreview(
            customer_id=due.billable.customer_id,
            username=due.billable.username,
            first_day=due.first_day,
            next_first_day=due.next_first_day,
            plan_name=due.terms.plan_name,
            total_micros=due.amount.total.amount_micros,
            currency=due.amount.total.currency,
            short_micros=short.get((due.billable.subscription_id, due.first_day), 0),
        )


def _short(found: Sequence[Standing]) -> dict[tuple[int, date], int]:
    """What prepaid wallets lack for their bills, by subscription and first day (rule P10). Older
    bills and those that are issued anyway go first."""
    missing: dict[tuple[int, date], int] = {}
    for (_, wallet_id), bills in by_wallet(found, prepaid=True).items():
        known = bills[0].billable
        free = known.free_micros - sum(
            one.billable.owed_micros for one in found if one.billable.wallet_id == wallet_id
        )
        for others in by_wallet(found, prepaid=False).items():
            if others[0] == (known.customer_id, wallet_id):
                free -= sum(one.amount.total.amount_micros for one in others[1])
        left = max(0, max(0, free) + known.credit_limit_micros)
        totals = [(one.billable.subscription_id, one.amount.total.amount_micros) for one in bills]
        for one, pays in zip(bills, covered(totals, left), strict=True):
            total = one.amount.total.amount_micros
            if pays:
                left -= total
            else:
                lacks = short_micros(total, left) or total
                missing[one.billable.subscription_id, one.first_day] = lacks
    return missing


def _bill_page(
    context: Context, page: Sequence[int], now: datetime, parked: list[Parked]
) -> list[IssuedBill]:
    """The bills issued to these customers; who fails is added to `parked`."""
    try:
        return _bill(context, page, now)
    except Unavailable:
        raise
    except Exception as error:
        if len(page) == 1:
            parked.append(_park(context, page[0], error, now))
            return []
    return [bill for one in page for bill in _bill_page(context, [one], now, parked)]


def _bill(context: Context, customer_ids: Sequence[int], now: datetime) -> list[IssuedBill]:
    with context.transaction() as tx:
        customers.lock_customers(tx, customer_ids)
        issued = issue_due(tx, context, customer_ids, now)
        billing_jobs.unpark(tx, JOB, customer_ids)
        note_issued(tx, context, issued, now)
        return issued


def _park(context: Context, customer_id: int, error: Exception, now: datetime) -> Parked:
    log.error("customer %d cannot be billed", customer_id, exc_info=error)
    problem = str(error) or type(error).__name__
    with context.transaction() as tx:
        billing_jobs.park(tx, JOB, customer_id, problem, now)
    return Parked(job=JOB, customer_id=customer_id, at=now, problem=problem)
