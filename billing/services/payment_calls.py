"""Providers are called between transactions: one says that a call begins, the next what came of it
(rules P1, M5).

Whoever takes a payment moves `due_at` past any call's time-out, so nobody else calls meanwhile;
when nothing was said by then (the process died, the answer was lost) the provider is asked. A
payment is sent once: from then on it is only asked for, until its outcome is known.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from billing.errors import NotFound, Unavailable
from billing.model.money import Money
from billing.model.payments import (
    Answer,
    DeclineKind,
    PaymentEvent,
    PaymentKind,
    PaymentOrder,
    PaymentState,
    ProviderEvent,
    RefundOrder,
    ReversalState,
)
from billing.payments.protocol import Gateway
from billing.rules.payments import LEASE, event_of, next_look_up
from billing.services import method_setup, methods, recharges, reversals
from billing.services.context import Context
from billing.services.customers import changing_customer
from billing.services.gateways import Gateways, actor_of, found
from billing.services.payment_steps import advance
from billing.store import gateways as gateway_store
from billing.store import method_setups, tables
from billing.store import payments as store
from billing.store.guard import Transaction

log = logging.getLogger(__name__)

BATCH = 50
AtOnce = Callable[[Callable[[tuple[int, int]], None], list[tuple[int, int]]], Iterable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """What somebody is to be asked. `first`: it is not known there yet."""

    gateway_id: int
    gateway: Gateway
    order: PaymentOrder
    first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _RefundCall:
    gateway_id: int
    gateway: Gateway
    order: RefundOrder
    first: bool


def run_due(
    context: Context,
    gateways: Gateways,
    clock: Callable[[], datetime],
    *,
    limit: int = BATCH,
    at_once: AtOnce = map,
) -> int:
    """Call and ask for what is due, returns how much that was. One that cannot be called keeps no
    other waiting. `at_once`: runs them, `map` one after the other. Raises Unavailable."""
    with context.transaction() as tx:
        payments = store.due_attempts(tx, clock(), limit)
        setups = method_setups.due(tx, clock(), limit)
        refunds = store.due_reversals(tx, clock(), limit)
        removed = gateway_store.due_detachments(tx, clock(), limit)

    def pay(due: tuple[int, int]) -> None:
        customer_id, attempt_id = due
        try:
            carry_out(context, gateways, customer_id, attempt_id, clock)
        except Unavailable:
            raise
        except Exception as error:
            log.exception("payment %d cannot be carried out", attempt_id)
            _put_off(context, customer_id, attempt_id, str(error), clock())

    def refund(due: tuple[int, int]) -> None:
        customer_id, reversal_id = due
        try:
            carry_out_refund(context, gateways, customer_id, reversal_id, clock)
        except Unavailable:
            raise
        except Exception:
            log.exception("refund %d cannot be carried out", reversal_id)
            _put_off_refund(context, customer_id, reversal_id, clock())

    def set_up(due: tuple[int, int]) -> None:
        customer_id, setup_id = due
        try:
            method_setup.carry_out(context, gateways, customer_id, setup_id, clock)
        except Unavailable:
            raise
        except Exception:
            log.exception("method %d cannot be put on file", setup_id)
            method_setup.put_off(context, customer_id, setup_id, clock())

    def detach(due: tuple[int, int]) -> None:
        customer_id, method_id = due
        try:
            methods.detach(context, gateways, customer_id, method_id, clock)
        except Unavailable:
            raise
        except Exception:
            log.exception("method %d cannot be detached", method_id)
            methods.put_off(context, customer_id, method_id, clock())

    calls = ((pay, payments), (refund, refunds), (set_up, setups), (detach, removed))
    return sum(len(list(at_once(call, due))) for call, due in calls)


def carry_out(
    context: Context,
    gateways: Gateways,
    customer_id: int,
    attempt_id: int,
    clock: Callable[[], datetime],
) -> None:
    """Call the provider of one payment, or ask what came of it, where that is due. Raises what the
    gateway's settings are wrong with."""
    call = _take(context, gateways, customer_id, attempt_id, clock())
    if call is None:
        return
    asked = call.gateway.pay if call.first else call.gateway.look_up
    told_by = by_gateway(context, call.gateway_id)
    settle(told_by, customer_id, attempt_id, asked(call.order), clock())


def by_gateway(context: Context, gateway_id: int) -> Context:
    """Whoever asks, the gateway took the money: it is in no cashier's shift."""
    return replace(context, actor=actor_of(gateway_id))


def settle(
    context: Context, customer_id: int, attempt_id: int, answer: Answer, now: datetime
) -> None:
    """Keep what came of a call, or of asking."""
    with changing_customer(context, customer_id) as (tx, customer):
        row = _attempt(store.attempt(tx, customer_id, attempt_id), attempt_id)
        event = event_of(answer.outcome, row.sent_at, now)
        soft = DeclineKind.SOFT if event is PaymentEvent.DECLINED else None
        told = ProviderEvent(
            event_id="",
            event=event,
            kind=answer.outcome.value,
            provider_ref=answer.provider_ref,
            amount=answer.amount,
            decline=answer.decline or soft,
            reason=answer.reason,
            method=answer.method,
            redirect_url=answer.redirect_url,
        )
        had_link = row.redirect_url is not None
        advance(tx, context, customer, row, told, now)
        if not had_link and row.state == PaymentState.PENDING:
            recharges.link_made(tx, row, now)


def _take(
    context: Context, gateways: Gateways, customer_id: int, attempt_id: int, now: datetime
) -> _Call | None:
    """Say that it is called now, before it is; None: somebody else does, or it is done."""
    with changing_customer(context, customer_id) as (tx, customer):
        row = _attempt(store.attempt(tx, customer_id, attempt_id), attempt_id)
        if row.due_at is None or row.due_at > now:
            return None
        first = row.state == PaymentState.CREATED
        method = None
        if row.kind == PaymentKind.CHARGE and row.method_id is not None:
            method = gateway_store.method(tx, customer_id, row.method_id)
        if first and (told := _not_sent(tx, row, method)):
            advance(tx, context, customer, row, told, now)
            return None
        gateway = gateways.open(tx, context, row.gateway_id)
        if gateway.capabilities.by_file:
            # Nobody is called; what the bank says of it comes by itself.
            row.state, row.due_at = PaymentState.PENDING, None
            return None
        if first:
            row.state, row.sent_at = PaymentState.PENDING, now
        else:
            row.lookups += 1
        row.due_at = now + LEASE
        order = order_of(tx, customer, row, method, now)
        gateway_id = row.gateway_id
    return _Call(gateway_id=gateway_id, gateway=gateway, order=order, first=first)


def order_of(
    tx: Transaction,
    customer: tables.Customer,
    row: tables.PaymentAttempt,
    method: tables.PaymentMethod | None,
    now: datetime,
) -> PaymentOrder:
    """What its provider is told of a payment; `method`: of a charge."""
    return PaymentOrder(
        key=row.key,
        kind=PaymentKind(row.kind),
        amount=Money(row.amount_micros, row.currency),
        text=row.text,
        method=None if method is None else method.reference,
        # A card belongs to the payer it was left by.
        payer=gateway_store.payer_at(tx, row.customer_id, row.gateway_id)
        if method is None
        else method.payer,
        provider_ref=row.provider_ref,
        email=customer.email,
        phone=customer.phone,
        return_url=row.return_url,
        saves_method=row.saves_method,
        sent_at=row.sent_at,
        sent_ago=_since(row.sent_at, now),
    )


def _not_sent(
    tx: Transaction, row: tables.PaymentAttempt, method: tables.PaymentMethod | None
) -> ProviderEvent | None:
    """Why a payment ends before its provider is called: the gateway was disabled meanwhile, or the
    method removed."""
    kind, reason = DeclineKind.SOFT, ""
    if found(tx, row.gateway_id).disabled_at is not None:
        reason = "payments in this way are not taken at present"
    elif row.kind == PaymentKind.CHARGE and (method is None or method.removed_at is not None):
        kind, reason = DeclineKind.HARD, "the method of payment was removed"
    if not reason:
        return None
    return ProviderEvent(
        event_id="", event=PaymentEvent.DECLINED, kind="not sent", decline=kind, reason=reason
    )


def carry_out_refund(
    context: Context,
    gateways: Gateways,
    customer_id: int,
    reversal_id: int,
    clock: Callable[[], datetime],
) -> None:
    """The same of a refund."""
    call = _take_refund(context, gateways, customer_id, reversal_id, clock())
    if call is None:
        return
    asked = call.gateway.refund if call.first else call.gateway.look_up_refund
    told_by = by_gateway(context, call.gateway_id)
    settle_refund(told_by, customer_id, reversal_id, asked(call.order), clock())


def settle_refund(
    context: Context, customer_id: int, reversal_id: int, answer: Answer, now: datetime
) -> None:
    """Keep what came of asking for a refund."""
    with changing_customer(context, customer_id) as (tx, _):
        made = reversals.owned(tx, customer_id, reversal_id)
        row = _attempt(store.attempt(tx, customer_id, made.attempt_id), made.attempt_id)
        event = event_of(answer.outcome, made.sent_at, now)
        if answer.provider_ref and made.provider_ref is None:
            made.provider_ref = answer.provider_ref
        if event in (PaymentEvent.PAID, PaymentEvent.DECLINED, PaymentEvent.CANCELLED):
            paid = event is PaymentEvent.PAID
            told = ProviderEvent(
                event_id="",
                event=PaymentEvent.REFUNDED if paid else PaymentEvent.REFUND_FAILED,
                kind=answer.outcome.value,
                amount=answer.amount,
                reason=answer.reason,
                reversal_key=made.key,
                reversal_ref=answer.provider_ref,
            )
            reversals.told(tx, context, row, told, now)
        elif ReversalState(made.state).is_open:
            waits = event is PaymentEvent.WAITS
            made.state = ReversalState.PENDING if waits else ReversalState.UNKNOWN
            made.due_at = next_look_up(made.lookups, now)


def _take_refund(
    context: Context, gateways: Gateways, customer_id: int, reversal_id: int, now: datetime
) -> _RefundCall | None:
    with changing_customer(context, customer_id) as (tx, _):
        made = reversals.owned(tx, customer_id, reversal_id)
        if made.due_at is None or made.due_at > now:
            return None
        row = _attempt(store.attempt(tx, customer_id, made.attempt_id), made.attempt_id)
        gateway = gateways.open(tx, context, row.gateway_id)
        first = made.state == ReversalState.CREATED
        if first:
            made.state, made.sent_at = ReversalState.PENDING, now
        else:
            made.lookups += 1
        made.due_at = now + LEASE
        order = RefundOrder(
            key=made.key or "",
            payment_ref=row.provider_ref or "",
            payment_key=row.key,
            amount=Money(made.amount_micros, made.currency),
            provider_ref=made.provider_ref,
            sent_ago=_since(made.sent_at, now),
        )
        gateway_id = row.gateway_id
    return _RefundCall(gateway_id=gateway_id, gateway=gateway, order=order, first=first)


def _put_off(
    context: Context, customer_id: int, attempt_id: int, problem: str, now: datetime
) -> None:
    """It is tried again later. Nothing was sent where it never was; else it is asked for."""
    with changing_customer(context, customer_id) as (tx, _):
        row = _attempt(store.attempt(tx, customer_id, attempt_id), attempt_id)
        if PaymentState(row.state).is_open:
            row.lookups += 1
            row.reason = problem[:500] or None
            row.due_at = next_look_up(row.lookups, now)


def _put_off_refund(context: Context, customer_id: int, reversal_id: int, now: datetime) -> None:
    with changing_customer(context, customer_id) as (tx, _):
        made = reversals.owned(tx, customer_id, reversal_id)
        if ReversalState(made.state).is_open:
            made.lookups += 1
            made.due_at = next_look_up(made.lookups, now)


def _since(sent_at: datetime | None, now: datetime) -> timedelta:
    return timedelta(0) if sent_at is None else now - sent_at


def _attempt(row: tables.PaymentAttempt | None, attempt_id: int) -> tables.PaymentAttempt:
    if row is None:
        raise NotFound(f"no payment has the number {attempt_id}", field="payment")
    return row
