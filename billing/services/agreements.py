"""What is agreed with a customer about paying: a promise, a last day (rules B15, B19)."""

from __future__ import annotations

from datetime import date, datetime

from billing.errors import InvalidInput, Refused
from billing.model.views import CustomerView
from billing.rules.cycles import local_day
from billing.services import cycle_bills, due_bills, enforcement
from billing.services.context import Context
from billing.services.customers import audit_customer, changing_customer, read_customer
from billing.services.issuing import operator_of
from billing.store import invoices, tables
from billing.store.guard import Transaction


def promise(context: Context, customer_id: int, until: date, now: datetime) -> CustomerView:
    """Overdue bills do not suspend up to and including the local day `until`; then the promise has
    ended by itself (rule B19). A promise before takes its place. Prepaid service that is on hold is
    billed on credit, due on that day (P10).

    Raises NotFound, InvalidInput (the day has passed), Refused (nothing is unpaid).
    """
    with changing_customer(context, customer_id) as (tx, customer):
        if until < local_day(now, operator_of(tx).time_zone):
            raise InvalidInput("has passed", field="until")
        issued = due_bills.issue_on_promise(tx, context, customer_id, until, now)
        if not invoices.open_invoices(tx, customer_id):
            raise Refused("no bill is unpaid, so there is nothing to promise", field="customer")
        customer.promise_until = until
        view = _finish(context, tx, customer, "customer.promise", {"until": until}, now)
        cycle_bills.note_issued(tx, context, issued, now)
        return view


def withdraw(context: Context, customer_id: int, now: datetime) -> CustomerView:
    """End a promise at once. Raises NotFound, Refused (there is none)."""
    with changing_customer(context, customer_id) as (tx, customer):
        if customer.promise_until is None:
            raise Refused("nothing was promised", field="customer")
        customer.promise_until = None
        return _finish(context, tx, customer, "customer.promise.withdraw", {}, now)


def discontinue(context: Context, customer_id: int, on: date | None, now: datetime) -> CustomerView:
    """Unpaid at the end of the local day `on` ⇒ suspended, whatever the profile says; None: not any
    more (rule B15). Raises NotFound."""
    with changing_customer(context, customer_id) as (tx, customer):
        customer.discontinue_on = on
        return _finish(context, tx, customer, "customer.discontinue", {"on": on}, now)


def _finish(
    context: Context,
    tx: Transaction,
    customer: tables.Customer,
    action: str,
    detail: dict[str, object],
    now: datetime,
) -> CustomerView:
    tx.flush()
    enforcement.reconcile(tx, context, customer.customer_id, now)
    audit_customer(context, tx, customer, action, now, detail)
    return read_customer(tx, customer.customer_id)
