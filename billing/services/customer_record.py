"""What is kept of a customer, to look at: found, its ledger, bills, payments, sessions, usage."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from billing.errors import InvalidInput, NotFound
from billing.model.credits import CreditNoteView
from billing.model.customer_record import (
    BillLine,
    BillPage,
    CustomerPage,
    LedgerPage,
    PaymentLine,
)
from billing.model.views import DayUsage, SessionView, SubscriptionRow
from billing.rules.bill_states import bill_state
from billing.rules.cycles import local_day
from billing.services import subscribers
from billing.services.context import Context
from billing.services.identity import checked_optional
from billing.services.issuing import operator_of
from billing.store import customer_record as store
from billing.store import customers, invoices, sessions, usage

PAGE_LIMIT = 500
SUBSCRIPTIONS_SHOWN = 100
SESSIONS_SHOWN = 50


def search(
    context: Context, text: str, now: datetime, *, before: int | None = None, limit: int = 50
) -> CustomerPage:
    """Customers, newest first, whose name, email, phone or a user name contains `text`, or whose
    number, tax number or bill it is; '' lists all. `before`: the last page's `next_before`.
    Raises InvalidInput."""
    _check(limit)
    wanted = checked_optional(text, "text") or ""
    with context.transaction() as tx:
        today = local_day(now, operator_of(tx).time_zone)
        rows = store.search(tx, wanted, today=today, before=before, limit=limit + 1)
    more = len(rows) > limit
    return CustomerPage(
        rows=tuple(rows[:limit]), next_before=rows[limit - 1].customer_id if more else None
    )


def ledger(
    context: Context,
    customer_id: int,
    wallet_id: int,
    *,
    before: int | None = None,
    limit: int = 50,
) -> LedgerPage:
    """What moved a wallet, newest first, with the balance after each. Raises InvalidInput, NotFound
    (it is not the customer's)."""
    _check(limit)
    with context.transaction() as tx:
        if all(one.wallet_id != wallet_id for one in customers.wallets_of(tx, customer_id)):
            raise NotFound(f"customer {customer_id} has no wallet {wallet_id}", field="wallet")
        lines = store.ledger(tx, customer_id, wallet_id, before=before, limit=limit + 1)
    more = len(lines) > limit
    return LedgerPage(
        lines=tuple(lines[:limit]), next_before=lines[limit - 1].entry_id if more else None
    )


def bills(
    context: Context,
    customer_id: int,
    now: datetime,
    *,
    before: int | None = None,
    limit: int = 50,
) -> BillPage:
    """A customer's bills with their states, newest first. Raises InvalidInput."""
    _check(limit)
    with context.transaction() as tx:
        today = local_day(now, operator_of(tx).time_zone)
        found = store.bills(tx, customer_id, before=before, limit=limit + 1)
        views = [invoices.view(row) for row in found]
    return BillPage(
        lines=tuple(BillLine(bill=one, state=bill_state(one, today)) for one in views[:limit]),
        next_before=views[limit - 1].invoice_id if len(views) > limit else None,
    )


def open_bills(context: Context, customer_id: int, now: datetime) -> tuple[BillLine, ...]:
    """Those with something left to pay, in the order in which money settles them (rule I4)."""
    with context.transaction() as tx:
        today = local_day(now, operator_of(tx).time_zone)
        views = [invoices.view(row) for row in invoices.open_invoices(tx, customer_id)]
    return tuple(BillLine(bill=one, state=bill_state(one, today)) for one in views)


def given_up(context: Context, customer_id: int, now: datetime) -> tuple[BillLine, ...]:
    """Those of which something is written off and did not come in since, newest first (I5)."""
    with context.transaction() as tx:
        today = local_day(now, operator_of(tx).time_zone)
        views = [invoices.view(row) for row in invoices.written_off(tx, customer_id)]
    return tuple(BillLine(bill=one, state=bill_state(one, today)) for one in views)


def payments(context: Context, customer_id: int, *, limit: int = 20) -> Sequence[PaymentLine]:
    """Money that arrived, newest first."""
    with context.transaction() as tx:
        return store.payments(tx, customer_id, limit)


def credit_notes(
    context: Context, customer_id: int, *, limit: int = 20
) -> Sequence[CreditNoteView]:
    """Newest first."""
    with context.transaction() as tx:
        return store.credit_notes(tx, customer_id, limit)


def subscriptions(
    context: Context, customer_id: int, now: datetime
) -> tuple[SubscriptionRow, ...]:  # fmt: skip
    """With their states, by user name; SUBSCRIPTIONS_SHOWN at most."""
    with context.transaction() as tx:
        ids = [row.subscription_id for row in customers.subscriptions_of(tx, customer_id)]
        return subscribers.rows(tx, context, ids[:SUBSCRIPTIONS_SHOWN], now)


def live_sessions(context: Context, customer_id: int, now: datetime) -> list[SessionView]:
    """Open ones of all its subscriptions, newest first; SESSIONS_SHOWN at most."""
    with context.transaction() as tx:
        return sessions.sessions_of(
            tx, customer_id, None, now, open_only=True, limit=SESSIONS_SHOWN
        )


def usage_days(
    context: Context, customer_id: int, now: datetime, *, days: int = 31
) -> tuple[DayUsage, ...]:
    """Of all its subscriptions, the latest `days` local days with usage, newest first."""
    with context.transaction() as tx:
        today = local_day(now, operator_of(tx).time_zone)
        parts = usage.days_of(tx, customer_id, None, today)
    listed = sorted({part.day for part in parts}, reverse=True)[:days]
    return tuple(part for part in parts if part.day >= listed[-1]) if listed else ()


def _check(limit: int) -> None:
    if not 1 <= limit <= PAGE_LIMIT:
        raise InvalidInput(f"must be 1 to {PAGE_LIMIT}", field="limit")
