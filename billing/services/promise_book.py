"""Promises to pay as they are made, kept and broken (rule B19)."""

from __future__ import annotations

from datetime import date, datetime

from billing.errors import NotFound
from billing.model.promises import PromiseState
from billing.rules.cycles import day_passed_at
from billing.rules.promises import became
from billing.services.issuing import operator_of
from billing.store import customers, invoices, spending, tables
from billing.store import promises as store
from billing.store.guard import Transaction


def open_micros(tx: Transaction, customer_id: int) -> int:
    """Of all bills of a customer."""
    return sum(map(invoices.open_micros, invoices.open_invoices(tx, customer_id)))


def wallet(tx: Transaction, customer_id: int, wallet_id: int | None) -> tables.Wallet:
    """One wallet of a customer, by default its own. Raises NotFound."""
    number = customers.wallets_of(tx, customer_id)[0].wallet_id if wallet_id is None else wallet_id
    row = spending.wallet(tx, customer_id, number)
    if row is None:
        raise NotFound(f"customer {customer_id} has no wallet {wallet_id}", field="wallet")
    return row


def record(
    tx: Transaction,
    customer: tables.Customer,
    until: date,
    now: datetime,
    *,
    by_customer: bool,
    lent_to: tables.Wallet,
    credit_micros: int,
) -> None:
    """A promise that stands from now on, in the place of the one before; the customer is locked."""
    settle(tx, customer.customer_id, now)  # one that nobody looked at since its day
    end(tx, customer.customer_id, PromiseState.REPLACED, now)
    ends_at = day_passed_at(until, operator_of(tx).time_zone)
    customer.promise_until = until
    if credit_micros:
        lent_to.promised_micros, lent_to.promised_until = credit_micros, ends_at
    store.insert(
        tx,
        tables.PaymentPromise(
            customer_id=customer.customer_id,
            org_id=customer.org_id,
            made_at=now,
            by_customer=by_customer,
            until=until,
            ends_at=ends_at,
            open_micros=open_micros(tx, customer.customer_id),
            wallet_id=lent_to.wallet_id if credit_micros else None,
            credit_micros=credit_micros,
            currency=lent_to.currency,
            state=PromiseState.STANDS.value,
        ),
    )


def settle(tx: Transaction, customer_id: int, now: datetime) -> None:
    """Note that the promise that stands was kept or broken, where it was; what it lent ends with
    it. The customer is locked."""
    customer = tx.get(tables.Customer, customer_id)
    if customer is None or customer.promise_until is None:
        return
    row = store.standing(tx, customer_id)
    if row is None:
        return
    settled = store.paid_before(tx, row) and _given_back(tx, row)
    state = became(row.ends_at, now, settled=settled)
    if state is not PromiseState.STANDS:
        end(tx, customer_id, state, now)
    if state is PromiseState.KEPT and row.by_customer:
        # Its limits were of what was open then: it covers no bill that comes later.
        customer.promise_until = None


def end(tx: Transaction, customer_id: int, state: PromiseState, now: datetime) -> None:
    """End the promise that stands, if there is one, with what became of it."""
    row = store.standing(tx, customer_id)
    if row is None:
        return
    row.state, row.settled_at = state.value, now
    if row.wallet_id is not None:
        lent_to = wallet(tx, customer_id, row.wallet_id)
        lent_to.promised_micros, lent_to.promised_until = 0, None
    tx.flush()


def _given_back(tx: Transaction, row: tables.PaymentPromise) -> bool:
    """Whether the wallet is funded without what was lent to it."""
    if row.wallet_id is None:
        return True
    lent_to = wallet(tx, row.customer_id, row.wallet_id)
    balance = lent_to.posted_micros - lent_to.unposted_micros
    return balance + lent_to.credit_limit_micros > 0
