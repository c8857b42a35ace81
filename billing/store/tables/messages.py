"""Messages to customers: the outbox and the delivery log in one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Base, CustomerKey, Int, OrgId, serial_key

_KINDS = (
    "kind IN ('low_balance', 'exhausted', 'restored', 'invoice_issued', 'reminder',"
    " 'suspended', 'recharge_failed', 'voucher_receipt', 'credit_note', 'statement',"
    " 'allowance_used', 'price_notice', 'payment_received', 'prepayment_due',"
    " 'debit_notice', 'sender_check', 'hotspot_code')"
)


class Message(Base):
    """Written in the transaction of what it tells of (docs/adr/0017).

    `kind`, `channel`, `state`: model.messages. `queued_at`: since when it waits; a
    resend sets it anew.
    `mail_id`: its Message-ID, or what a webhook tells copies by, chosen before the first attempt.
    `facts`: what its template tells.
    """

    __tablename__ = "message"
    __table_args__ = (
        CheckConstraint(_KINDS, name="kind"),
        CheckConstraint("channel IN ('email', 'webhook', 'panel')", name="channel"),
        CheckConstraint("state IN ('queued', 'sent', 'failed', 'given_up')", name="state"),
        UniqueConstraint("customer_id", "idempotency_key", "channel"),
        Index(
            "message_due_idx",
            "channel",
            "next_attempt_at",
            postgresql_where=text("state IN ('queued', 'failed')"),
        ),
        Index("message_given_up_idx", "queued_at", postgresql_where=text("state = 'given_up'")),
        Index("message_created_at_idx", "created_at"),
        Index("message_message_id_idx", "message_id"),
    )

    customer_id: Mapped[CustomerKey]
    message_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    kind: Mapped[str]
    language: Mapped[str]
    channel: Mapped[str]
    addresses: Mapped[list[str]]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB())
    idempotency_key: Mapped[str]
    created_at: Mapped[datetime]
    queued_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(server_default="queued")
    attempts: Mapped[Int] = mapped_column(server_default="0")
    next_attempt_at: Mapped[datetime | None]
    mail_id: Mapped[str | None]
    sent_at: Mapped[datetime | None]
    last_error: Mapped[str | None]


class MessageTemplate(Base):
    """What an organisation's messages of a kind look like, in the place of the product's own;
    rendered with example facts before it was stored."""

    __tablename__ = "message_template"
    __table_args__ = (CheckConstraint(_KINDS, name="kind"),)

    org_id: Mapped[OrgId] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(primary_key=True)
    language: Mapped[str] = mapped_column(primary_key=True)
    mjml: Mapped[str]
    text: Mapped[str]
    sms: Mapped[str | None]
    """NULL: the product's."""
    updated_at: Mapped[datetime]
