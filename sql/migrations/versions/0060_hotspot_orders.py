"""What guests of a hotspot may buy, what they have bought, and the message with its code (B13, R3)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None

_KINDS = (
    "kind IN ('low_balance', 'exhausted', 'restored', 'invoice_issued', 'reminder',"
    " 'suspended', 'recharge_failed', 'voucher_receipt', 'credit_note', 'statement',"
    " 'allowance_used', 'price_notice', 'payment_received', 'prepayment_due', 'debit_notice',"
    " 'sender_check', 'hotspot_code')"
)


def upgrade() -> None:
    _offers()
    _orders()
    for table in ("message", "message_template"):
        name = op.f(f"{table}_kind_check")
        op.drop_constraint(name, table, type_="check")
        op.create_check_constraint(name, table, _KINDS)
    run_sql_file("policies/0060_hotspot_orders.sql")


def _offers() -> None:
    op.create_table(
        "hotspot_offer",
        sa.Column("nas_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("plan_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.BigInteger()),
        _refers("hotspot_offer", "nas_id", "hotspot"),
        _refers("hotspot_offer", "plan_id", "plan"),
        _refers("hotspot_offer", "batch_id", "voucher_batch"),
        _refers("hotspot_offer", "org_id", "organisation"),
        sa.PrimaryKeyConstraint("nas_id", "plan_id", name=op.f("hotspot_offer_pkey")),
    )
    op.create_index(op.f("hotspot_offer_org_id_idx"), "hotspot_offer", ["org_id"])


def _orders() -> None:
    op.create_table(
        "hotspot_order",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("order_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("nas_id", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("plan_name", sa.Text(), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("attempt_id", sa.BigInteger(), nullable=False),
        sa.Column("serial", sa.BigInteger()),
        sa.Column("code_sealed", sa.LargeBinary()),
        sa.Column("problem", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("price_micros > 0", name=op.f("hotspot_order_price_check")),
        _refers("hotspot_order", "customer_id", "customer"),
        _refers("hotspot_order", "nas_id", "hotspot"),
        _refers("hotspot_order", "batch_id", "voucher_batch"),
        _refers("hotspot_order", "org_id", "organisation"),
        sa.PrimaryKeyConstraint("customer_id", "order_id", name=op.f("hotspot_order_pkey")),
    )
    op.create_index(op.f("hotspot_order_org_id_idx"), "hotspot_order", ["org_id"])
    op.create_index("hotspot_order_token_idx", "hotspot_order", ["token_sha256"])
    op.create_index("hotspot_order_created_idx", "hotspot_order", ["created_at"])
    op.create_index(
        "hotspot_order_kept_idx",
        "hotspot_order",
        ["issued_at"],
        postgresql_where=sa.text("code_sealed IS NOT NULL"),
    )


def _refers(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    key = {"customer": "customer_id", "hotspot": "nas_id", "voucher_batch": "batch_id"}.get(
        target, column
    )
    return sa.ForeignKeyConstraint(
        [column], [f"{target}.{key}"], name=op.f(f"{table}_{column}_fkey")
    )
