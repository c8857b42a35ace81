"""Ending one running session, as its subscriber asks for it (rule C1)."""

from __future__ import annotations

from datetime import datetime

from billing.errors import NotFound
from billing.model.enforcement import BY_SUBSCRIBER, Goal
from billing.services.context import Context
from billing.services.customers import changing
from billing.store import audit
from billing.store import enforcement as store


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
        waiting = store.intents_of(tx, row.customer_id, [session_id])
        if any(one.goal == Goal.DISCONNECT and one.state in store.OPEN_STATES for one in waiting):
            return False
        store.insert_intent(tx, session, goal=Goal.DISCONNECT, reason=BY_SUBSCRIBER, now=now)
        tx.flush()
        store.notify(tx)
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
