"""A payment is taken back before anybody has paid it (rules P1, M5).

One that its provider knows nothing of ends here. A page that the payer may be at is closed by the
provider, which knows whether somebody has paid there: what it says is carried out, money included.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from billing.errors import NotFound, Refused
from billing.model.payments import (
    PaymentEvent,
    PaymentKind,
    PaymentOrder,
    PaymentState,
    PaymentView,
    ProviderEvent,
)
from billing.payments.protocol import CancelsCheckouts
from billing.rules.payments import LEASE
from billing.services.context import Context
from billing.services.customers import changing_customer
from billing.services.gateways import Gateways
from billing.services.payment_calls import by_gateway, order_of, settle
from billing.services.payment_steps import advance
from billing.store import audit, tables
from billing.store import payments as store
from billing.store.guard import Transaction


def cancel(
    context: Context, gateways: Gateways, attempt_id: int, clock: Callable[[], datetime]
) -> PaymentView:
    """As it stands afterwards: cancelled, or paid where the payer was faster, or open where the
    provider gave no answer. Raises NotFound, Refused (its outcome is known; a card is being
    charged; the provider cannot), InvalidInput (the gateway's settings)."""
    with context.transaction() as tx:
        customer_id = store.owner_of(tx, attempt_id)
    if customer_id is None:
        raise _unknown(attempt_id)
    asked = _taken_back(context, gateways, customer_id, attempt_id, clock())
    if asked is not None:
        gateway_id, gateway, order = asked
        told_by = by_gateway(context, gateway_id)
        settle(told_by, customer_id, attempt_id, gateway.cancel(order), clock())
    with context.transaction() as tx:
        found = store.view(tx, attempt_id)
    if found is None:
        raise _unknown(attempt_id)
    return found


def _taken_back(
    context: Context, gateways: Gateways, customer_id: int, attempt_id: int, now: datetime
) -> tuple[int, CancelsCheckouts, PaymentOrder] | None:
    """None: it is done; else who is to be asked."""
    with changing_customer(context, customer_id) as (tx, customer):
        row = store.attempt(tx, customer_id, attempt_id)
        if row is None:
            raise _unknown(attempt_id)
        if not PaymentState(row.state).is_open:
            raise Refused(f"its outcome is known: {row.state.replace('_', ' ')}", field="payment")
        if row.sent_at is None:
            _note(tx, context, row, now)
            told = ProviderEvent(
                event_id="", event=PaymentEvent.CANCELLED, kind="not sent", reason="taken back"
            )
            advance(tx, context, customer, row, told, now)
            return None
        if row.kind == PaymentKind.CHARGE:
            raise Refused(
                "the card is being charged: give it back when it has come", field="payment"
            )
        gateway = gateways.open(tx, context, row.gateway_id)
        if not isinstance(gateway, CancelsCheckouts):
            raise Refused(
                "its provider closes no page: it expires by itself, and what is paid there counts",
                field="payment",
            )
        # Whoever dies in between leaves it to be looked up.
        row.due_at = now + LEASE
        _note(tx, context, row, now)
        return row.gateway_id, gateway, order_of(tx, customer, row, None, now)


def _note(tx: Transaction, context: Context, row: tables.PaymentAttempt, now: datetime) -> None:
    audit.append(
        tx,
        at=now,
        org_id=row.org_id,
        actor=context.actor,
        action="payment.cancel",
        subject=f"payment:{row.attempt_id}",
        detail={"amount_micros": row.amount_micros},
    )


def _unknown(attempt_id: int) -> NotFound:
    return NotFound(f"no payment has the number {attempt_id}", field="payment")
