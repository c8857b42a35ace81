"""Ending one running session, whatever its subscription's state (rule C1)."""

from __future__ import annotations

from datetime import datetime

from billing.errors import NotFound
from billing.model.enforcement import BY_SUBSCRIBER, Goal
from billing.services.context import Context
from billing.services.customers import changing
from billing.store import audit, tables
from billing.store import enforcement as store
from billing.store.guard import Transaction


def end(context: Context, subscription_id: int, session_id: int, now: datetime) -> bool:
    """Order a session of the subscription to be disconnected; False: that is ordered already.

    The device may log in again, with the right password, and gets a place where the plan has one
    (rule A7). Raises NotFound (it has ended, or is not the subscription's).
    """
    with changing(context, subscription_id) as (tx, row):
        running = {one.session_id: one for one in store.running_sessions(tx, row.customer_id)}
        session = running.get(session_id)
        if session is None or session.subscription_id != subscription_id:
            raise NotFound("this session has ended already", field="session")
        if not order_end(tx, session, BY_SUBSCRIBER, now):
            return False
        audit.append(
            tx,
            at=now,
            org_id=row.org_id,
            actor=context.actor,
            action="session.end",
            subject=f"subscription:{subscription_id}",
            detail={"session": session_id, "nas": session.nas_id},
        )
    return True


def order_end(tx: Transaction, session: tables.LiveSession, reason: str, now: datetime) -> bool:
    """Order a running session to be disconnected, for a reason that is not its subscription's
    state; False: that is ordered already. The customer is locked."""
    waiting = store.intents_of(tx, session.customer_id, [session.session_id])
    if any(one.goal == Goal.DISCONNECT and one.state in store.OPEN_STATES for one in waiting):
        return False
    store.insert_intent(tx, session, goal=Goal.DISCONNECT, reason=reason, now=now)
    tx.flush()
    store.notify(tx)
    return True
