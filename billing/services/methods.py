"""Methods of payment that a customer has on file (rule P5, security.md 11).

What is removed is forgotten at its provider, too: the worker tells it, until it answers.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from billing.errors import NotFound
from billing.model.method_setups import MethodView
from billing.model.payments import Outcome
from billing.payments.protocol import DetachesMethods
from billing.rules.payments import LEASE, next_look_up
from billing.services import enforcement
from billing.services.context import Context
from billing.services.customers import audit_customer, changing_customer
from billing.services.gateways import Gateways
from billing.store import audit, customers, tables
from billing.store import gateways as store
from billing.store.guard import Transaction

DETACH_TRIES = 48
"""For about two days."""


def of_customer(context: Context, customer_id: int) -> list[MethodView]:
    """What is on file, oldest first."""
    with context.transaction() as tx:
        return store.methods_of(tx, customer_id)


def looked_up(context: Context, customer_id: int, now: datetime) -> list[MethodView]:
    """The same for a member of staff; that it was looked at is written down, where there is any."""
    with context.transaction() as tx:
        found = store.methods_of(tx, customer_id)
        customer = customers.customer_view(tx, customer_id) if found else None
        if customer is not None:
            audit.append(
                tx,
                at=now,
                org_id=customer.org_id,
                actor=context.actor,
                action="payment.methods_looked_up",
                subject=f"customer:{customer_id}",
                detail={"methods": [one.method_id for one in found]},
            )
        return found


def make_default(context: Context, customer_id: int, method_id: int, now: datetime) -> None:
    """It is offered first. What auto-recharge charges is set there. Raises NotFound."""
    with changing_customer(context, customer_id) as (tx, customer):
        row = on_file(tx, customer_id, method_id)
        store.make_default(tx, customer_id, method_id)
        detail: dict[str, object] = {"method": method_id, "label": row.label}
        audit_customer(context, tx, customer, "payment.method_default", now, detail)


def remove(context: Context, customer_id: int, method_id: int, now: datetime) -> None:
    """It is charged no more; auto-recharge from it pauses when it is next due. The oldest of the
    others is the default then. Raises NotFound."""
    with changing_customer(context, customer_id) as (tx, customer):
        row = on_file(tx, customer_id, method_id)
        take_off_file(tx, customer_id, method_id, now)
        enforcement.reconcile(tx, context, customer_id, now)
        detail: dict[str, object] = {"method": method_id, "label": row.label}
        audit_customer(context, tx, customer, "payment.method_removed", now, detail)


def take_off_file(tx: Transaction, customer_id: int, method_id: int, now: datetime) -> None:
    """As part of another command; the customer is locked. Raises NotFound."""
    row = on_file(tx, customer_id, method_id)
    row.removed_at = row.detach_at = now
    if row.is_default:
        tx.flush()
        left = store.methods_of(tx, customer_id)
        store.make_default(tx, customer_id, left[0].method_id if left else None)
    tx.flush()


def known(tx: Transaction, customer_id: int, method_id: int) -> tables.PaymentMethod | None:
    """One on file or removed."""
    return store.method(tx, customer_id, method_id)


def on_file(tx: Transaction, customer_id: int, method_id: int) -> tables.PaymentMethod:
    """Raises NotFound: it is removed, or another customer's."""
    row = store.method(tx, customer_id, method_id)
    if row is None or row.removed_at is not None:
        raise NotFound(f"no method on file has the number {method_id}", field="method")
    return row


def detach(
    context: Context,
    gateways: Gateways,
    customer_id: int,
    method_id: int,
    clock: Callable[[], datetime],
) -> None:
    """Have the provider forget a method that was removed, where that is due, and it can."""
    with changing_customer(context, customer_id) as (tx, _):
        row = store.method(tx, customer_id, method_id)
        now = clock()
        if row is None or row.detach_at is None or row.detach_at > now:
            return
        gateway = gateways.open(tx, context, row.gateway_id)
        kept = store.is_on_file(tx, customer_id, row.gateway_id, row.reference)
        if kept or not isinstance(gateway, DetachesMethods):
            row.detach_at = None
            return
        row.detach_at, row.detach_tries = now + LEASE, row.detach_tries + 1
        reference = row.reference
    answer = gateway.detach(reference)
    with changing_customer(context, customer_id) as (tx, customer):
        row = store.method(tx, customer_id, method_id)
        if row is None or row.detach_at is None:
            return
        gone = answer.outcome in (Outcome.PAID, Outcome.NOT_FOUND)
        row.detach_at = None if gone else _next_try(row.detach_tries, clock())
        detail: dict[str, object] = {"method": method_id, "answer": answer.outcome.value}
        if gone or row.detach_at is None:
            audit_customer(context, tx, customer, "payment.method_detached", clock(), detail)


def put_off(context: Context, customer_id: int, method_id: int, now: datetime) -> None:
    """What could not be carried out is tried again later."""
    with changing_customer(context, customer_id) as (tx, _):
        row = store.method(tx, customer_id, method_id)
        if row is not None and row.detach_at is not None:
            row.detach_tries += 1
            row.detach_at = _next_try(row.detach_tries, now)


def _next_try(tries: int, now: datetime) -> datetime | None:
    """None: it is given up."""
    return next_look_up(tries, now) if tries < DETACH_TRIES else None
