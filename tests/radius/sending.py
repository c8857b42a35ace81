"""A sender of orders beside a test, and what becomes of the orders."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from billing.clock import utc_now
from billing.model.enforcement import Goal
from billing.services.context import Context
from billing.store import enforcement as store
from billing.store import tables
from radius_plugin.coa import CoaSender

ANSWER_SECONDS = 0.4


@dataclass
class Seen:
    """An order as the database has it."""

    state: str
    attempts: list[tuple[str, str, str | None]]


@contextmanager
def sending(
    context: Context, clock: Callable[[], datetime] = utc_now
) -> Iterator[threading.Thread]:
    """A running sender, as the worker runs one."""
    stop = threading.Event()
    sender = CoaSender(context, answer_seconds=ANSWER_SECONDS, clock=clock)
    thread = threading.Thread(target=sender.run, args=(stop,))
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()


def order(context: Context, session_id: int, goal: Goal, now: datetime) -> int:
    """Write an order as `reconcile` does; returns its id."""
    with context.transaction() as tx:
        session = tx.scalars(
            select(tables.LiveSession).where(tables.LiveSession.session_id == session_id)
        ).one()
        store.insert_intent(tx, session, goal=goal, reason="expired", now=now)
        tx.flush()
        store.notify(tx)
        return (
            tx.scalars(
                select(tables.CoaIntent.intent_id)
                .where(tables.CoaIntent.session_id == session_id)
                .order_by(tables.CoaIntent.intent_id.desc())
            ).first()
            or 0
        )


def seen(context: Context, intent_id: int) -> Seen:
    with context.transaction() as tx:
        intent = tx.scalars(
            select(tables.CoaIntent).where(tables.CoaIntent.intent_id == intent_id)
        ).one()
        attempts = tx.scalars(
            select(tables.CoaAttempt)
            .where(tables.CoaAttempt.intent_id == intent_id)
            .order_by(tables.CoaAttempt.attempt)
        )
        return Seen(intent.state, [(a.packet, a.outcome, a.error_cause) for a in attempts])


def until(
    context: Context, intent_id: int, holds: Callable[[Seen], bool], seconds: float = 10.0
) -> Seen:
    """The order once `holds` is true of it; fails with what it is instead."""
    deadline = time.monotonic() + seconds
    while not holds(found := seen(context, intent_id)):
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def account(context: Context, session_id: int, **values: object) -> None:
    """What an accounting record changes in a session."""
    with context.transaction() as tx:
        tx.execute(
            update(tables.LiveSession)
            .where(tables.LiveSession.session_id == session_id)
            .values(**values)
        )


def wake(context: Context) -> None:
    """Announce orders, so that a sender looks at the clock again at once."""
    with context.transaction() as tx:
        store.notify(tx)
