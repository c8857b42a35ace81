"""What providers tell us by themselves: each event once, whatever comes when (security.md 12).

The event is written in the transaction of what it does. One that is told again waits for the first
and finds it there; one that could not be carried out is not there, and is told again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime

from billing.errors import TollwayError
from billing.model.payments import EventOutcome, PaymentEvent, ProviderEvent
from billing.payments.protocol import WebhookRefused
from billing.services import gateways, reversals
from billing.services.context import Context
from billing.services.gateways import Gateways
from billing.services.payment_steps import advance, into_suspense
from billing.services.reversals import Done
from billing.store import customers
from billing.store import payments as store
from billing.store.guard import Transaction

log = logging.getLogger(__name__)

BODY_LIMIT = 256 * 1024
"""Octets; no provider sends as much."""


def take(
    nobody: Context,
    gateways_known: Gateways,
    token: str,
    body: bytes,
    headers: Mapping[str, str],
    now: datetime,
) -> list[EventOutcome] | None:
    """Carry out a request of a provider at the address with this token. None: no gateway has it.

    Raises WebhookRefused (not signed by it, too old, not readable), InvalidInput (the gateway's
    settings), Unavailable.
    """
    hooked = gateways.hooked(nobody, token)
    if hooked is None:
        return None
    context, gateway_id = hooked
    if len(body) > BODY_LIMIT:
        raise WebhookRefused("it is too long")
    with context.transaction() as tx:
        gateway = gateways_known.open(tx, context, gateway_id)
    told = gateway.parse_webhook(body, headers, now)
    return [carry_out(context, gateway_id, one, body, now) for one in told]


def carry_out(
    context: Context, gateway_id: int, told: ProviderEvent, body: bytes, now: datetime
) -> EventOutcome:
    """One event, once; NO_EFFECT where it is known. `body`: kept as it came."""
    with context.transaction() as tx:
        is_new = store.keep_event(
            tx,
            {
                "gateway_id": gateway_id,
                "event_id": told.event_id,
                "org_id": context.home_org_id,
                "kind": told.kind,
                "body": body,
                "facts": reversals.written(told),
                "received_at": now,
                "outcome": EventOutcome.NO_EFFECT.value,
                "detail": "",
            },
        )
        if not is_new:
            return EventOutcome.NO_EFFECT
        done = _act(tx, context, gateway_id, told, now)
        if done.outcome in (EventOutcome.MISMATCH, EventOutcome.UNMATCHED):
            log.warning(
                "gateway %d, event %s (%s): %s", gateway_id, told.event_id, told.kind, done.detail
            )
        row = store.event(tx, gateway_id, told.event_id)
        row.outcome, row.detail = done.outcome.value, done.detail[:500]
        return done.outcome


def _act(
    tx: Transaction, context: Context, gateway_id: int, told: ProviderEvent, now: datetime
) -> Done:
    if told.event is None:
        return Done(EventOutcome.NO_EFFECT, "of no interest")
    meant = store.meant_by(tx, gateway_id, told.key, told.provider_ref)
    if meant is None and told.reversal_key is not None:
        meant = store.meant_by_reversal(tx, gateway_id, told.reversal_key)
    customer = None if meant is None else customers.lock_customer(tx, meant[0])
    row = None if meant is None else store.attempt(tx, *meant)
    if customer is None or row is None:
        return _nobody(tx, gateway_id, told, now)
    kept = store.event(tx, gateway_id, told.event_id)
    kept.customer_id, kept.attempt_id = row.customer_id, row.attempt_id
    tx.flush()
    return advance(tx, context, customer, row, told, now)


def _nobody(tx: Transaction, gateway_id: int, told: ProviderEvent, now: datetime) -> Done:
    """Money of no payment of ours waits in suspense (rule P1)."""
    detail = "of no payment of ours"
    if told.event is PaymentEvent.PAID and told.amount is not None:
        reference = told.provider_ref or told.event_id
        note = f"event {told.event_id}: {told.reason or detail}"
        into_suspense(tx, gateway_id, told.amount, reference, note, now)
    return Done(EventOutcome.UNMATCHED, detail)


def refused(error: TollwayError | WebhookRefused, token: str) -> None:
    """A line in the log, of something that may be an attack or a wrong secret."""
    log.warning("a webhook (%s…) was refused: %s", token[:6], error)
