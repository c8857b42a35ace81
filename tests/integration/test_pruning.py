"""Messages and checks of the ledger of long ago are removed; what waits stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from billing.jobs.registry import JOBS
from billing.model.messages import MessageDraft, MessageKind, MessageState
from billing.services import messages, pruning
from billing.services.context import Context
from billing.store import messages as store
from billing.store import tables
from tests.factories import Factory

DAY = timedelta(days=1)


def _queue(context: Context, customer_id: int, key: str, at: datetime) -> None:
    draft = MessageDraft(
        customer_id=customer_id,
        kind=MessageKind.RESTORED,
        idempotency_key=key,
        facts={"username": "x"},
    )
    with context.transaction() as tx:
        store.queue(tx, [draft], at)


def _keys(context: Context, customer_id: int) -> set[str]:
    table = tables.Message
    with context.transaction() as tx:
        keys = select(table.idempotency_key).where(table.customer_id == customer_id)
        return set(tx.scalars(keys))


def _state(context: Context, customer_id: int, key: str, state: MessageState) -> None:
    table = tables.Message
    with context.transaction() as tx:
        tx.execute(
            update(table)
            .where(table.customer_id == customer_id, table.idempotency_key == key)
            .values(state=state, next_attempt_at=None)
        )


def test_settled_messages_of_long_ago_are_removed_in_batches(
    context: Context, make: Factory, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer_id = make.subscriber(now).customer_id
    messages.set_alerts(context, customer_id, now, addresses=["a@net.example"])
    later = now + 100 * DAY
    settled = [f"settled {number}" for number in range(5)]
    for key in (*settled, "given up", "waits", "again"):
        _queue(context, customer_id, key, now)
    for key in (*settled, "again"):
        _state(context, customer_id, key, MessageState.SENT)
    _state(context, customer_id, "given up", MessageState.GIVEN_UP)
    _queue(context, customer_id, "younger", now + DAY)
    _state(context, customer_id, "younger", MessageState.SENT)
    (again,) = [
        one.message_id
        for one in messages.listed(context, customer_id=customer_id)
        if one.message_id == _number(context, customer_id, "again")
    ]
    messages.resend(context, again, now + 2 * DAY)
    _state(context, customer_id, "again", MessageState.SENT)
    monkeypatch.setattr(pruning, "BATCH", 2)
    hundred = replace(context, message_days=100)
    before = _keys(context, customer_id)
    pruning.remove_old(hundred, later)
    assert _keys(context, customer_id) == before  # To the instant 100 days: not yet.
    removed, _ = pruning.remove_old(hundred, later + timedelta(seconds=1))
    assert removed >= 6
    assert _keys(context, customer_id) == {"waits", "younger", "again"}
    assert pruning.remove_old(hundred, later + timedelta(seconds=1)) == (0, 0)


def _number(context: Context, customer_id: int, key: str) -> int:
    table = tables.Message
    with context.transaction() as tx:
        found = tx.scalar(
            select(table.message_id).where(
                table.customer_id == customer_id, table.idempotency_key == key
            )
        )
    assert found is not None
    return found


def test_the_newest_checks_of_the_ledger_stay(
    context: Context, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = tables.LedgerCheck
    with context.transaction() as tx:
        for number in range(7):
            tx.add(check(org_id=1, at=now + number * DAY, findings="[]"))
    monkeypatch.setattr(pruning, "CHECKS_KEPT", 3)
    assert JOBS["remove_old"].run(context, now).startswith("removed 0 messages, ")
    with context.transaction() as tx:
        assert tx.scalar(select(func.count()).select_from(check)) == 3
        assert tx.scalar(select(func.max(check.at))) == now + 6 * DAY
    assert JOBS["remove_old"].run(context, now) == ""
