"""Orders to running sessions, for people to look at and to take up again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import select, text, tuple_
from sqlalchemy.orm import Session

from billing.model.enforcement import Goal, Outcome
from billing.model.orders import NOT_DONE, AttemptView, OrderState, OrderView
from billing.store.enforcement import OPEN_STATES
from billing.store.pool import named_query
from billing.store.tables import CoaAttempt, CoaIntent


def find_orders(
    tx: Session,
    *,
    states: Collection[OrderState],
    order_id: int | None = None,
    nas_id: int | None = None,
    subscription_id: int | None = None,
    before: int | None = None,
    limit: int,
) -> list[OrderView]:
    """Newest first, with every attempt; `before` is the number after which a page goes on."""
    rows = tx.execute(
        text(named_query("coa_orders")),
        {
            "done": not set(states) <= set(NOT_DONE),
            "states": [state.value for state in states],
            "intent_id": order_id,
            "nas_id": nas_id,
            "subscription_id": subscription_id,
            "before": before,
            "limit": limit,
        },
    ).all()
    attempts = _attempts(tx, [(row.customer_id, row.intent_id) for row in rows])
    return [_view(row, attempts[row.intent_id]) for row in rows]


def _attempts(
    tx: Session, orders: Collection[tuple[int, int]]
) -> defaultdict[int, list[AttemptView]]:
    found: defaultdict[int, list[AttemptView]] = defaultdict(list)
    if not orders:
        return found
    statement = (
        select(CoaAttempt)
        .where(tuple_(CoaAttempt.customer_id, CoaAttempt.intent_id).in_(orders))
        .order_by(CoaAttempt.intent_id, CoaAttempt.attempt)
    )
    for row in tx.scalars(statement):
        found[row.intent_id].append(
            AttemptView(
                attempt=row.attempt,
                packet=row.packet,
                sent_at=row.sent_at,
                answered_at=row.answered_at,
                outcome=Outcome(row.outcome),
                error_cause=row.error_cause,
            )
        )
    return found


def _view(row: Any, attempts: Collection[AttemptView]) -> OrderView:
    return OrderView(
        order_id=row.intent_id,
        subscription_id=row.subscription_id,
        username=row.username,
        session_id=row.session_id,
        acct_session_id=row.acct_session_id,
        running=row.running,
        nas_id=row.nas_id,
        nas_name=row.nas_name,
        goal=Goal(row.goal),
        reason=row.reason,
        state=OrderState(row.state),
        created_at=row.created_at,
        retried_at=row.retried_at,
        next_attempt_at=row.next_attempt_at,
        finished_at=row.finished_at,
        tries=row.tries,
        escalated=row.escalated,
        attempts=tuple(attempts),
    )


def customer_of_order(tx: Session, order_id: int) -> int | None:
    """The customer whose lock comes before the order's (radius.md F15)."""
    return tx.scalar(select(CoaIntent.customer_id).where(CoaIntent.intent_id == order_id))


def lock_order(tx: Session, customer_id: int, order_id: int) -> CoaIntent:
    """The order's row, to be changed."""
    return tx.scalars(
        select(CoaIntent)
        .where(CoaIntent.customer_id == customer_id, CoaIntent.intent_id == order_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def has_open_twin(tx: Session, order: CoaIntent) -> bool:
    """Whether the same is being done for the same session by another order."""
    statement = select(CoaIntent.intent_id).where(
        CoaIntent.customer_id == order.customer_id,
        CoaIntent.session_id == order.session_id,
        CoaIntent.goal == order.goal,
        CoaIntent.intent_id != order.intent_id,
        CoaIntent.state.in_(OPEN_STATES),
    )
    return tx.scalar(statement.limit(1)) is not None


def reopen(order: CoaIntent, now: datetime) -> None:
    """Due at once, by CoA again where that is how it began."""
    order.state, order.finished_at = OrderState.PENDING.value, None
    order.next_attempt_at = order.retried_at = now
    order.escalated = False
