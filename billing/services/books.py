"""The ledger as a whole: usage is posted, the books are checked (rules M4, P2)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import date, datetime

from billing.errors import NotFound, Unavailable
from billing.model.books import LedgerReport
from billing.rules.cycles import local_day
from billing.rules.usage_entries import usage_entries
from billing.services.context import Context
from billing.store import books, catalog, ledger
from billing.store.customers import lock_customer
from billing.store.guard import Transaction

log = logging.getLogger(__name__)

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
    for customer_id in _customers_with_usage(context):
        try:
            made += _post_customers_usage(context, customer_id, today, now)
        except Unavailable:
            raise
        except Exception:
            # Whatever is wrong with one customer's rows must not keep others' usage waiting.
            log.exception("usage of customer %d cannot be posted", customer_id)
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


def _post_customers_usage(context: Context, customer_id: int, today: date, now: datetime) -> int:
    with context.transaction() as tx:
        if lock_customer(tx, customer_id) is None:
            return 0
        return post_usage_of(tx, [customer_id], today, now)
