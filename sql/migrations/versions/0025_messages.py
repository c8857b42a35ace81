"""Messages to customers: the outbox, where they go, whom they come from (docs/adr/0017)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from billing.store.migrate import run_sql_file

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "customer",
        sa.Column(
            "alert_addresses", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False
        ),
    )
    op.add_column("organisation", sa.Column("mail_from", sa.Text()))
    _outbox()
    _templates()
    run_sql_file("policies/0025_messages.sql")


def _outbox() -> None:
    op.create_table(
        "message",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("addresses", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("facts", postgresql.JSONB(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), server_default="queued", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True)),
        sa.Column("mail_id", sa.Text()),
        sa.Column("sent_at", sa.DateTime(timezone=True)),
        sa.Column("last_error", sa.Text()),
        sa.CheckConstraint(
            "kind IN ('low_balance', 'exhausted', 'restored', 'invoice_issued', 'reminder',"
            " 'suspended', 'recharge_failed', 'voucher_receipt')",
            name=op.f("message_kind_check"),
        ),
        sa.CheckConstraint("channel IN ('email')", name=op.f("message_channel_check")),
        sa.CheckConstraint(
            "state IN ('queued', 'sent', 'failed', 'given_up')", name=op.f("message_state_check")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f("message_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("message_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("customer_id", "message_id", name=op.f("message_pkey")),
        sa.UniqueConstraint(
            "customer_id", "idempotency_key", name=op.f("message_customer_id_idempotency_key_key")
        ),
    )
    op.create_index(op.f("message_org_id_idx"), "message", ["org_id"])
    op.create_index(
        "message_due_idx",
        "message",
        ["next_attempt_at"],
        postgresql_where=sa.text("state IN ('queued', 'failed')"),
    )
    op.create_index(
        "message_given_up_idx",
        "message",
        ["queued_at"],
        postgresql_where=sa.text("state = 'given_up'"),
    )
    op.create_index("message_created_at_idx", "message", ["created_at"])
    op.create_index("message_message_id_idx", "message", ["message_id"])


def _templates() -> None:
    op.create_table(
        "message_template",
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("mjml", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('low_balance', 'exhausted', 'restored', 'invoice_issued', 'reminder',"
            " 'suspended', 'recharge_failed', 'voucher_receipt')",
            name=op.f("message_template_kind_check"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("message_template_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("org_id", "kind", "language", name=op.f("message_template_pkey")),
    )
    op.create_index(op.f("message_template_org_id_idx"), "message_template", ["org_id"])
