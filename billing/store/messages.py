"""Messages to customers: queued with what they tell of, taken, settled (docs/adr/0017)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.model.designs import InvoiceDesign
from billing.model.messages import (
    WITH_PAPER,
    DueMessage,
    Facts,
    MessageChannel,
    MessageDraft,
    MessageFigures,
    MessageKind,
    MessageState,
    MessageView,
    OwnTemplate,
)
from billing.store import tables
from billing.store.pool import named_query

OPEN_STATES = (MessageState.QUEUED, MessageState.FAILED)
_ERROR_LIMIT = 500


def queue(tx: Session, drafts: Sequence[MessageDraft], now: datetime) -> None:
    """Queue these for each of their customers' channels, in one statement."""
    if drafts:
        rows = json.dumps([asdict(draft) for draft in drafts], default=str)
        tx.connection().exec_driver_sql(named_query("queue_messages"), {"drafts": rows, "now": now})


def queue_mail(
    tx: Session,
    customer_id: int,
    kind: MessageKind,
    address: str,
    *,
    key: str,
    facts: Facts,
    now: datetime,
) -> None:
    """Queue one mail to `address`, wherever else the customer is told of things."""
    customer = tx.get_one(tables.Customer, customer_id)
    tx.add(
        tables.Message(
            customer_id=customer_id,
            org_id=customer.org_id,
            kind=kind,
            language=customer.locale,
            channel=MessageChannel.EMAIL,
            addresses=[address],
            facts=dict(facts),
            idempotency_key=key,
            created_at=now,
            queued_at=now,
            state=MessageState.QUEUED,
            next_attempt_at=now,
        )
    )
    tx.flush()


def queue_bills(tx: Session, bills: Sequence[tuple[int, int]], now: datetime) -> None:
    """Queue a message about each bill (customer, invoice), in one statement."""
    if bills:
        tx.connection().exec_driver_sql(
            named_query("queue_bill_messages"),
            {
                "customer_ids": [customer_id for customer_id, _ in bills],
                "invoice_ids": [invoice_id for _, invoice_id in bills],
                "now": now,
            },
        )


def claim(
    tx: Session,
    now: datetime,
    *,
    channel: MessageChannel,
    limit: int,
    leased_until: datetime,
    oldest: datetime,
    mail_from: str,
    spoken: Sequence[str],
    with_paper: bool | None,
) -> list[DueMessage]:
    """Take what is due of a channel (`with_paper`: of the kinds that speak of one only, or of the
    others only); it is due again at `leased_until` unless `settle` says
    otherwise. What waits since before `oldest` is marked as expired. `spoken`: the languages of the
    product's own templates."""
    rows = tx.execute(
        text(named_query("claim_messages")),
        {
            "now": now,
            "channel": channel.value,
            "limit": limit,
            "leased_until": leased_until,
            "oldest": oldest,
            "mail_from": mail_from,
            "spoken": list(spoken),
            "with_paper": with_paper,
            "paper_kinds": sorted(WITH_PAPER),
        },
    ).mappings()
    return [_due(dict(row)) for row in rows]


def settle(
    tx: Session,
    customer_id: int,
    message_id: int,
    state: MessageState,
    now: datetime,
    *,
    error: str | None = None,
    next_attempt_at: datetime | None = None,
) -> None:
    """Note what came of an attempt. `error` stays to be read also of a message that was sent (an
    address of several that was refused)."""
    table = tables.Message
    tx.execute(
        update(table)
        .where(table.customer_id == customer_id, table.message_id == message_id)
        .values(
            state=state,
            next_attempt_at=next_attempt_at,
            sent_at=now if state is MessageState.SENT else None,
            last_error=None if error is None else error[:_ERROR_LIMIT],
        )
    )


def find(tx: Session, message_id: int) -> tables.Message | None:
    """By its own number, locked."""
    table = tables.Message
    return tx.scalar(select(table).where(table.message_id == message_id).with_for_update())


def requeue(tx: Session, row: tables.Message, now: datetime) -> None:
    """Have it sent again as if it were new. One that arrived before gets another Message-ID, as
    a mailbox may drop what it has had."""
    if row.state == MessageState.SENT:
        row.mail_id = None
    row.state, row.attempts, row.last_error, row.sent_at = MessageState.QUEUED, 0, None, None
    row.queued_at = row.next_attempt_at = now
    tx.flush()


def log_lines(
    tx: Session, *, customer_id: int | None, states: Sequence[MessageState], limit: int
) -> list[MessageView]:
    """The newest first. `states`: only these; empty: all."""
    table = tables.Message
    statement = (
        select(table, tables.Customer.name)
        .join(tables.Customer, tables.Customer.customer_id == table.customer_id)
        .order_by(table.created_at.desc(), table.message_id.desc())
        .limit(limit)
    )
    if customer_id is not None:
        statement = statement.where(table.customer_id == customer_id)
    if states:
        statement = statement.where(table.state.in_(states))
    return [_view(row, name) for row, name in tx.execute(statement)]


def events(
    tx: Session, customer_id: int, limit: int
) -> list[tuple[dict[str, object], list[MessageView]]]:
    """The newest events of a customer: the facts of each, and its messages, a channel each."""
    table = tables.Message
    newest = (
        select(table.idempotency_key)
        .where(table.customer_id == customer_id)
        .group_by(table.idempotency_key)
        .order_by(func.max(table.created_at).desc(), func.max(table.message_id).desc())
        .limit(limit)
    )
    keys = list(tx.scalars(newest))
    rows = tx.execute(
        select(table, tables.Customer.name)
        .join(tables.Customer, tables.Customer.customer_id == table.customer_id)
        .where(table.customer_id == customer_id, table.idempotency_key.in_(keys))
        .order_by(table.channel)
    ).all()
    found = []
    for key in keys:
        own = [(row, name) for row, name in rows if row.idempotency_key == key]
        found.append((own[0][0].facts, [_view(row, name) for row, name in own]))
    return found


def figures(tx: Session, now: datetime, channel: MessageChannel | None = None) -> MessageFigures:
    """What waits, and what of the last week was given up; None: by all channels together."""
    table = tables.Message
    chosen = [] if channel is None else [table.channel == channel]
    waiting = tx.execute(
        select(func.count(), func.min(table.queued_at)).where(table.state.in_(OPEN_STATES), *chosen)
    ).one()
    given_up = tx.scalar(
        select(func.count()).where(
            table.state == MessageState.GIVEN_UP,
            table.queued_at > now - timedelta(days=7),
            *chosen,
        )
    )
    return MessageFigures(waiting=waiting[0], oldest_at=waiting[1], given_up=given_up or 0)


def remove_old(tx: Session, before: datetime, limit: int) -> int:
    """Remove messages queued before then that were sent or given up, oldest first, `limit` at
    most; returns how many."""
    table = tables.Message
    old = (
        select(table.customer_id, table.message_id)
        .where(
            table.created_at < before,
            # One that was sent again is as old as that.
            table.queued_at < before,
            table.state.in_((MessageState.SENT, MessageState.GIVEN_UP)),
        )
        .order_by(table.created_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    removed = tx.execute(
        delete(table)
        .where(tuple_(table.customer_id, table.message_id).in_(old))
        .returning(table.message_id)
        .execution_options(synchronize_session=False)
    )
    return len(removed.all())


def webhook_kinds(tx: Session) -> list[str]:
    """Kinds that the webhook gets about customers without a number, too."""
    return list(tx.scalar(select(tables.Operator.webhook_kinds)) or [])


def set_webhook_kinds(tx: Session, kinds: Sequence[str]) -> None:
    """Store them in the place of the ones before."""
    tx.execute(update(tables.Operator).values(webhook_kinds=list(kinds)))


def sender(tx: Session, org_id: int) -> str | None:
    """An organisation's own From address."""
    return tx.scalar(
        select(tables.Organisation.mail_from).where(tables.Organisation.org_id == org_id)
    )


def own_template(
    tx: Session, org_id: int, kind: MessageKind, language: str
) -> OwnTemplate | None:  # fmt: skip
    """An organisation's own template in exactly this language."""
    row = tx.get(tables.MessageTemplate, (org_id, kind.value, language))
    return (
        None
        if row is None
        else OwnTemplate(language=language, mjml=row.mjml, text=row.text, sms=row.sms)
    )


def template_languages(tx: Session, org_id: int) -> set[str]:
    """In which an organisation has a template of its own."""
    row = tables.MessageTemplate
    return set(tx.scalars(select(row.language).where(row.org_id == org_id).distinct()))


def put_template(
    tx: Session, org_id: int, kind: MessageKind, own: OwnTemplate, now: datetime
) -> None:  # fmt: skip
    """Store it in the place of the one before."""
    values = {"mjml": own.mjml, "text": own.text, "sms": own.sms, "updated_at": now}
    statement = insert(tables.MessageTemplate).values(
        org_id=org_id, kind=kind.value, language=own.language, **values
    )
    tx.execute(
        statement.on_conflict_do_update(index_elements=["org_id", "kind", "language"], set_=values)
    )


def drop_template(tx: Session, org_id: int, kind: MessageKind, language: str) -> bool:
    """The product's own again; False where it was."""
    row = tx.get(tables.MessageTemplate, (org_id, kind.value, language))
    if row is None:
        return False
    tx.delete(row)
    tx.flush()
    return True


def _due(row: dict[str, Any]) -> DueMessage:
    addresses = row.pop("addresses")
    kind = MessageKind(row.pop("kind"))
    channel = MessageChannel(row.pop("channel"))
    language, mjml, text, sms = (
        row.pop(f"own_{name}") for name in ("language", "mjml", "text", "sms")
    )
    own = None
    if language is not None:
        own = OwnTemplate(language=language, mjml=mjml, text=text, sms=sms)
    contact = InvoiceDesign(footer=row.pop("footer")).contact
    # The other columns of the query are the other fields.
    return DueMessage(
        kind=kind,
        channel=channel,
        addresses=tuple(addresses),
        own=own,
        contact=contact,
        **row,
    )


def _view(row: tables.Message, customer_name: str) -> MessageView:
    return MessageView(
        customer_id=row.customer_id,
        message_id=row.message_id,
        customer_name=customer_name,
        kind=MessageKind(row.kind),
        language=row.language,
        channel=MessageChannel(row.channel),
        addresses=tuple(row.addresses),
        created_at=row.created_at,
        state=MessageState(row.state),
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at,
        sent_at=row.sent_at,
        last_error=row.last_error,
    )
