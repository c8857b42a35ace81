"""Messages go by several channels, and are not kept for ever (docs/adr/0017)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from billing.store.migrate import run_sql_file

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_KINDS = (
    "kind IN ('low_balance', 'exhausted', 'restored', 'invoice_issued', 'reminder',"
    " 'suspended', 'recharge_failed', 'voucher_receipt', 'credit_note', 'statement',"
    " 'allowance_used', 'price_notice', 'payment_received')"
)


def upgrade() -> None:
    for table, column in (("customer", "alert_numbers"), ("operator", "webhook_kinds")):
        op.add_column(
            table,
            sa.Column(column, postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        )
    for table in ("message", "message_template"):
        name = op.f(f"{table}_kind_check")
        op.drop_constraint(name, table)
        op.create_check_constraint(name, table, _KINDS)
    name = op.f("message_channel_check")
    op.drop_constraint(name, "message")
    op.create_check_constraint(name, "message", "channel IN ('email', 'webhook', 'panel')")
    op.drop_constraint(op.f("message_customer_id_idempotency_key_key"), "message")
    op.create_unique_constraint(
        op.f("message_customer_id_idempotency_key_channel_key"),
        "message",
        ["customer_id", "idempotency_key", "channel"],
    )
    op.drop_index("message_due_idx", "message")
    op.create_index(
        "message_due_idx",
        "message",
        ["channel", "next_attempt_at"],
        postgresql_where=sa.text("state IN ('queued', 'failed')"),
    )
    run_sql_file("functions/message_channels_v1.sql")
    run_sql_file("policies/0034_message_channels.sql")
