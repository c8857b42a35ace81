"""What is agreed with a customer about paying: a promise, a last day (rules B15, B19)."""

from __future__ import annotations

from datetime import date, datetime

from billing.errors import InvalidInput, Refused
from billing.model.money import Money
from billing.model.promises import PromiseState
from billing.model.views import CustomerView
from billing.rules.cycles import local_day
from billing.services import cycle_bills, due_bills, enforcement, promise_book, promises
from billing.services.context import Context
from billing.services.customers import audit_customer, changing_customer, read_customer
from billing.services.issuing import operator_of
from billing.services.settling import checked_amount
from billing.store import invoices, tables
from billing.store.guard import Transaction


def promise(
    context: Context,
    customer_id: int,
    until: date,
    now: datetime,
    *,
    credit_micros: int = 0,
    wallet_id: int | None = None,
) -> CustomerView:
    """Overdue bills do not suspend up to and including the local day `until`; then the promise has
    ended by itself (rule B19). A promise before takes its place. Prepaid service that is on hold is
    billed on credit, due on that day (P10). To a wallet that is used up (P8), by default the
    customer's own, it lends `credit_micros` for usage until then.

    Raises NotFound, InvalidInput (the day has passed, the amount), Refused (nothing is unpaid, and
    nothing is lent).
    """
    with changing_customer(context, customer_id) as (tx, customer):
        lent_to = promise_book.wallet(tx, customer_id, wallet_id)
        credit = Money(credit_micros, lent_to.currency)
        return _promise(context, tx, customer, until, lent_to, credit, now, by_customer=False)


def promise_oneself(
    context: Context,
    customer_id: int,
    until: date,
    now: datetime,
    *,
    wallet_id: int,
    credit_micros: int = 0,
) -> CustomerView:
    """The same by the customer, within the limits of its billing profile. Raises NotFound,
    InvalidInput, Refused (with what to do instead)."""
    with changing_customer(context, customer_id) as (tx, customer):
        lent_to = promise_book.wallet(tx, customer_id, wallet_id)
        credit = Money(credit_micros, lent_to.currency)
        promises.check_own(tx, customer_id, wallet_id, until, credit, now)
        return _promise(context, tx, customer, until, lent_to, credit, now, by_customer=True)


def _promise(
    context: Context,
    tx: Transaction,
    customer: tables.Customer,
    until: date,
    lent_to: tables.Wallet,
    credit: Money,
    now: datetime,
    *,
    by_customer: bool,
) -> CustomerView:
    if until < local_day(now, operator_of(tx).time_zone):
        raise InvalidInput("has passed", field="until")
    if credit.amount_micros:
        checked_amount(credit.amount_micros, credit.currency, field="credit")
    customer_id = customer.customer_id
    issued = due_bills.issue_on_promise(tx, context, customer_id, until, now)
    if not invoices.open_invoices(tx, customer_id) and not credit.amount_micros:
        raise Refused(
            "no bill is unpaid, so there is nothing to promise; where a wallet is used up, say with"
            " credit how much it is lent until that day",
            field="credit",
        )
    if by_customer and issued:  # what was on hold is open now, and counts
        promises.check_own(tx, customer_id, lent_to.wallet_id, until, credit, now)
    promise_book.record(
        tx,
        customer,
        until,
        now,
        by_customer=by_customer,
        lent_to=lent_to,
        credit_micros=credit.amount_micros,
    )
    detail: dict[str, object] = {"until": until, "credit_micros": credit.amount_micros}
    view = _finish(context, tx, customer, "customer.promise", detail, now)
    cycle_bills.note_issued(tx, context, issued, now)
    return view


def withdraw(context: Context, customer_id: int, now: datetime) -> CustomerView:
    """End a promise at once. Raises NotFound, Refused (there is none)."""
    with changing_customer(context, customer_id) as (tx, customer):
        if customer.promise_until is None:
            raise Refused("nothing was promised", field="customer")
        promise_book.end(tx, customer_id, PromiseState.WITHDRAWN, now)
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
