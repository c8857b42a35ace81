"""Monthly statements: on day 1 that of the last month is queued to each customer that wants it,
once (docs/adr/0017).

Customers are served by pages, a transaction each; how far a customer has got is kept with it, so a
run that was killed is taken up where it was, and after downtime each month has a statement of its
own. Where one of a page fails it is parked, and the others go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from billing.model.bills import Parked
from billing.model.messages import MessageDraft, MessageKind
from billing.model.statements import StatementRunReport
from billing.rules.cycles import day_start, local_day, next_month
from billing.rules.statements import months_to_state
from billing.services.context import Context
from billing.services.issuing import operator_of
from billing.services.parking import pages, serve_page
from billing.services.statements import check_one_currency
from billing.store import billing_jobs, customers, messages
from billing.store import statements as store
from billing.store.guard import Transaction

JOB = "statements"


def run(context: Context, now: datetime) -> StatementRunReport:
    """Queue what is due. Raises NotFound (no operator yet), Unavailable."""
    with context.transaction() as tx:
        today = local_day(now, operator_of(tx).time_zone)
        store.forget_unwanted(tx)
        due = [customer_id for customer_id, _ in store.wanting(tx, today.replace(day=1))]

    def serve(page: Sequence[int]) -> list[MessageDraft]:
        return _queue(context, page, today, now)

    parked: list[Parked] = []
    queued = 0
    for page in pages(due):
        queued += len(serve_page(context, JOB, page, now, serve, parked))
    return StatementRunReport(at=now, queued=queued, parked=tuple(parked))


def preview(context: Context, now: datetime) -> Iterator[MessageDraft]:
    """The statements that `run` would queue; nothing is written."""
    with context.transaction() as tx:
        today = local_day(now, operator_of(tx).time_zone)
        due = [customer_id for customer_id, _ in store.wanting(tx, today.replace(day=1))]
    for page in pages(due):
        with context.transaction() as tx:
            yield from _due(tx, page, today)


def _queue(
    context: Context, customer_ids: Sequence[int], today: date, now: datetime
) -> list[MessageDraft]:
    with context.transaction() as tx:
        customers.lock_customers(tx, customer_ids)
        # Read behind the lock: another run may have been here.
        drafts = _due(tx, customer_ids, today)
        messages.queue(tx, drafts, now)
        store.note_stated(tx, customer_ids, today.replace(day=1))
        billing_jobs.unpark(tx, JOB, customer_ids)
        return drafts


def _due(tx: Transaction, customer_ids: Sequence[int], today: date) -> list[MessageDraft]:
    """Of each customer those of all months that it has none of yet, the oldest month first."""
    zone = operator_of(tx).time_zone
    by_month: dict[tuple[date, date], list[int]] = {}
    for customer_id, until in sorted(store.stated_until(tx, customer_ids).items()):
        for month in months_to_state(until, today):
            by_month.setdefault(month, []).append(customer_id)
    return [
        draft
        for month, those in sorted(by_month.items())
        for draft in _drafts(tx, those, month, zone)
    ]


def _drafts(
    tx: Transaction, customer_ids: Sequence[int], month: tuple[date, date], time_zone: str
) -> list[MessageDraft]:
    """Whose account has neither a movement nor a balance gets none."""
    since, until = (day_start(day, time_zone) for day in (month[0], next_month(month[0])))
    open_bills = store.open_bills(tx, customer_ids, until)
    found = store.totals(tx, customer_ids, since, until)
    drafts = []
    for totals in found:
        own = [one.currency for one in found if one.customer_id == totals.customer_id]
        check_one_currency(own, totals.currency)
        movements = totals.charged_micros or totals.credited_micros
        if not movements and not totals.opening_micros:
            continue
        bills = [bill for bill in open_bills if bill.customer_id == totals.customer_id]
        closing_micros = totals.opening_micros - totals.charged_micros + totals.credited_micros
        drafts.append(
            MessageDraft(
                customer_id=totals.customer_id,
                kind=MessageKind.STATEMENT,
                idempotency_key=f"statement:{month[0]}",
                facts={
                    "first_day": month[0],
                    "last_day": month[1],
                    "currency": totals.currency,
                    "opening_micros": totals.opening_micros,
                    "charged_micros": totals.charged_micros,
                    "credited_micros": totals.credited_micros,
                    "closing_micros": closing_micros,
                    "open_micros": sum(bill.open_micros for bill in bills),
                    "due_on": bills[0].due_on if bills else None,
                },
            )
        )
    return drafts
