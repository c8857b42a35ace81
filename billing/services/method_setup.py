"""A method goes on file at the provider's page, without a payment (rule P5, security.md 11).

As a payment it is stored before its provider is called, and asked for until its outcome is known:
the payer may leave the page by closing it. No money hangs on it, so an answer is kept as it comes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.method_setups import SetupOrder, SetupState, SetupView
from billing.model.payments import Answer, PaymentEvent
from billing.payments.protocol import SetsUpMethods
from billing.rules.payments import LEASE, event_of, next_look_up
from billing.services import gateways as gateway_services
from billing.services.attempts import new_key
from billing.services.context import Context
from billing.services.customers import audit_customer, changing_customer
from billing.services.gateways import Gateways
from billing.services.payment_steps import save_method
from billing.store import gateways as gateway_store
from billing.store import method_setups as store
from billing.store import tables
from billing.store.guard import Transaction

log = logging.getLogger(__name__)

NOT_TOLD = "the page was left, or has expired"
_NOT_TAKEN = "methods are not put on file in this way at present"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """Whoever is to be asked. `first`: it is not known there yet."""

    gateway: SetsUpMethods
    order: SetupOrder
    first: bool


def begin(
    context: Context,
    gateways: Gateways,
    customer_id: int,
    gateway_id: int,
    *,
    idempotency_key: str,
    now: datetime,
    return_url: str = "",
) -> SetupView:
    """Stored; whoever is to carry it out calls the provider. Raises InvalidInput, NotFound, Refused
    (the gateway is disabled, or cannot do it), Conflict (rule M5)."""
    if not 1 <= len(idempotency_key) <= 200:
        raise InvalidInput("must have 1 to 200 characters", field="idempotency_key")
    with changing_customer(context, customer_id) as (tx, customer):
        known = store.by_command(tx, customer_id, idempotency_key)
        if known is not None:
            if known.gateway_id != gateway_id:
                raise Conflict(
                    f"the key {idempotency_key!r} was used for another command (rule M5)",
                    field="idempotency_key",
                )
            return store.view(known)
        gateway_services.serves(tx, gateway_services.usable(tx, gateway_id), customer)
        if not isinstance(gateways.open(tx, context, gateway_id), SetsUpMethods):
            raise Refused("a method goes on file with a payment only", field="gateway")
        row = tables.MethodSetup(
            customer_id=customer_id,
            org_id=customer.org_id,
            gateway_id=gateway_id,
            state=SetupState.CREATED.value,
            key=new_key(customer_id),
            command_key=idempotency_key,
            return_url=return_url,
            created_at=now,
            due_at=now,
        )
        store.insert(tx, row)
        detail: dict[str, object] = {"setup": row.setup_id, "gateway": gateway_id}
        audit_customer(context, tx, customer, "payment.method_setup", now, detail)
        return store.view(row)


def carry_out(
    context: Context,
    gateways: Gateways,
    customer_id: int,
    setup_id: int,
    clock: Callable[[], datetime],
) -> None:
    """Open the page, or ask what came of it, where that is due. Raises what the gateway's settings
    are wrong with."""
    call = _take(context, gateways, customer_id, setup_id, clock())
    if call is None:
        return
    asked = call.gateway.set_up if call.first else call.gateway.look_up_setup
    _settle(context, customer_id, setup_id, asked(call.order), clock())


def ask_again(context: Context, customer_id: int, setup_id: int, now: datetime) -> SetupView:
    """Have the provider asked at once, where its outcome is not known. Raises NotFound."""
    with changing_customer(context, customer_id) as (tx, _):
        row = _owned(tx, customer_id, setup_id)
        if SetupState(row.state).is_open:
            row.due_at = now
        return store.view(row)


def show(context: Context, customer_id: int, setup_id: int) -> SetupView:
    """Raises NotFound."""
    with context.transaction() as tx:
        return store.view(_owned(tx, customer_id, setup_id))


def by_command(context: Context, customer_id: int, command_key: str) -> SetupView:
    """Raises NotFound."""
    with context.transaction() as tx:
        row = store.by_command(tx, customer_id, command_key)
        if row is None:
            raise NotFound("there is no such page", field="form")
        return store.view(row)


def put_off(context: Context, customer_id: int, setup_id: int, now: datetime) -> None:
    """What could not be carried out is tried again later."""
    with changing_customer(context, customer_id) as (tx, _):
        row = _owned(tx, customer_id, setup_id)
        if SetupState(row.state).is_open:
            row.lookups += 1
            row.due_at = next_look_up(row.lookups, now)


def _take(
    context: Context, gateways: Gateways, customer_id: int, setup_id: int, now: datetime
) -> _Call | None:
    """Say that it is called now, before it is; None: somebody else does, or it is done."""
    with changing_customer(context, customer_id) as (tx, customer):
        row = _owned(tx, customer_id, setup_id)
        if row.due_at is None or row.due_at > now:
            return None
        first = row.state == SetupState.CREATED
        gateway = gateways.open(tx, context, row.gateway_id)
        disabled = gateway_services.found(tx, row.gateway_id).disabled_at is not None
        if (first and disabled) or not isinstance(gateway, SetsUpMethods):
            _fail(row, _NOT_TAKEN, now)
            return None
        if first:
            row.state, row.sent_at = SetupState.PENDING.value, now
        else:
            row.lookups += 1
        row.due_at = now + LEASE
        order = SetupOrder(
            key=row.key,
            payer=gateway_store.payer_at(tx, customer_id, row.gateway_id),
            provider_ref=row.provider_ref,
            email=customer.email,
            return_url=row.return_url,
            sent_at=row.sent_at,
        )
    return _Call(gateway=gateway, order=order, first=first)


def _settle(
    context: Context, customer_id: int, setup_id: int, answer: Answer, now: datetime
) -> None:
    with changing_customer(context, customer_id) as (tx, customer):
        row = _owned(tx, customer_id, setup_id)
        if not SetupState(row.state).is_open:
            return
        event = event_of(answer.outcome, row.sent_at, now)
        row.provider_ref = answer.provider_ref or row.provider_ref
        row.redirect_url = answer.redirect_url or row.redirect_url
        if event is PaymentEvent.PAID and answer.method is not None:
            row.method_id = save_method(tx, customer, row.gateway_id, answer.method, now)
            row.state, row.settled_at, row.due_at = SetupState.DONE.value, now, None
            detail: dict[str, object] = {"method": row.method_id, "label": answer.method.label}
            audit_customer(context, tx, customer, "payment.method_saved", now, detail)
        elif event in (PaymentEvent.PAID, PaymentEvent.DECLINED, PaymentEvent.CANCELLED):
            _fail(row, answer.reason or NOT_TOLD, now)
        else:
            row.reason = answer.reason
            row.due_at = next_look_up(row.lookups, now)


def _fail(row: tables.MethodSetup, reason: str, now: datetime) -> None:
    row.state, row.reason = SetupState.FAILED.value, reason
    row.settled_at, row.due_at = now, None


def _owned(tx: Transaction, customer_id: int, setup_id: int) -> tables.MethodSetup:
    row = store.get(tx, customer_id, setup_id)
    if row is None:
        raise NotFound("there is no such page", field="setup")
    return row
