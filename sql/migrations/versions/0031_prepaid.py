"""Recurring prepaid: what is on hold, and when the next period is to be paid (rule P10)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import replace_function, run_sql_file

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("subscription", sa.Column("on_hold_since", sa.DateTime(timezone=True)))
    op.add_column(
        "subscription",
        sa.Column("renews", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column("subscription", sa.Column("renews_at", sa.DateTime(timezone=True)))
    op.create_index(
        "subscription_renews_at_idx",
        "subscription",
        ["renews_at"],
        postgresql_where=sa.text("renews_at IS NOT NULL"),
    )
    # It returns a column more (see 0014).
    op.execute("DROP FUNCTION load_access_v1")
    run_sql_file("functions/load_access_v1.sql")
    replace_function("cut_unserved_v1")
    replace_function("record_logins_v1")
    run_sql_file("policies/0031_prepaid.sql")
