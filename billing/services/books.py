"""The ledger as a whole: usage is posted, the books are checked (rules M4, P2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from billing.errors import NotFound
from billing.model.bills import Parked
from billing.model.books import LedgerReport
from billing.rules.cycles import local_day
from billing.rules.usage_entries import usage_entries
from billing.services.context import Context
from billing.services.parking import serve_page
from billing.store import billing_jobs, books, catalog, customers, ledger
from billing.store.guard import Transaction

JOB = "post_usage"
_PAGE = 500


def post_usage(context: Context, now: datetime) -> int:
    """Bring what the meter has charged into the journal, for days that are over and sessions that
    have ended: one entry a wallet and day, each customer in a transaction of its own. Repeatable
    at any point; what is charged late to a day gets another entry. Returns the entries made.

    Raises NotFound, Unavailable.
    """
    with context.transaction() as tx:
        operator = catalog.operator(tx)
    if operator is None:
        raise NotFound("the installation has no operator yet; run `tollway migrate`")
    today = local_day(now, operator.time_zone)
    made = 0

    def serve(page: Sequence[int]) -> list[int]:
        with context.transaction() as tx:
            customers.lock_customers(tx, page)
            return [post_usage_of(tx, page, today, now)]

    parked: list[Parked] = []
    served: list[int] = []
    for customer_id in _customers_with_usage(context):
        entries = serve_page(context, JOB, [customer_id], now, serve, parked)
        made += sum(entries)
        served += [customer_id] if entries else []
    with context.transaction() as tx:
        billing_jobs.unpark(tx, JOB, served)
    return made


def check_ledger(context: Context, now: datetime) -> LedgerReport:
    """Look for everything that contradicts something else, and keep the result."""
    with context.transaction() as tx:
        report = LedgerReport(at=now, findings=tuple(books.findings(tx)))
        books.keep_report(tx, context.home_org_id, report)
    return report


def last_report(context: Context) -> LedgerReport | None:
    """The newest result of the check."""
    with context.transaction() as tx:
        return books.last_report(tx)


def _customers_with_usage(context: Context) -> Iterator[int]:
    last = 0
    while True:
        with context.transaction() as tx:
            page = books.customers_with_usage(tx, last, _PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        last = page[-1]


def post_usage_of(
    tx: Transaction,
    customer_ids: Sequence[int],
    today: date,
    now: datetime,
    *,
    to_the_end: bool = False,
) -> int:
    """The same for customers that are locked; `today` is the operator's local day. With
    `to_the_end` all that was charged. Returns the entries made."""
    taken = books.take_usage(tx, customer_ids, today, to_the_end=to_the_end)
    entries = usage_entries(taken)
    ledger.post_usage(tx, entries, now)
    return sum(bool(entry.gross_micros) for entry in entries)
