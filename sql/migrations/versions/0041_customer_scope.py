"""Customers log in themselves: their browser sessions, failed logins, and a scope of one customer
(security.md 7 and 8)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "customer_session",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.customer_id"],
            name=op.f("customer_session_customer_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("customer_session_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("customer_id", "token_sha256", name=op.f("customer_session_pkey")),
    )
    op.create_index(op.f("customer_session_org_id_idx"), "customer_session", ["org_id"])
    op.create_table(
        "customer_throttle",
        sa.Column("throttle_key", sa.Text(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("window_started_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("throttle_key", name=op.f("customer_throttle_pkey")),
    )
    run_sql_file("functions/visible_customer_id_v1.sql")
    run_sql_file("functions/customer_login_v1.sql")
    run_sql_file("policies/0041_customer_scope.sql")
