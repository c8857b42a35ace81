"""What pay-as-you-go took past the limit of a wallet, one row an exhaustion (rule P12)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import replace_function, run_sql_file

revision = "0064"
down_revision = "0063"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("overspend", sa.Column("wallet_id", sa.BigInteger()))
    op.add_column(
        "overspend",
        sa.Column("micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
    )
    op.add_column("overspend", sa.Column("lifted_at", sa.DateTime(timezone=True)))
    op.create_check_constraint(
        "micros", "overspend", "micros >= 0 AND (micros = 0 OR wallet_id IS NOT NULL)"
    )
    run_sql_file("functions/note_wallet_overspend_v1.sql")
    op.execute("DROP FUNCTION look_closer_v1")  # it takes more now
    run_sql_file("functions/look_closer_v1.sql")
    replace_function("note_overspend_v1")
    replace_function("charge_usage_v1")
    run_sql_file("policies/0064_wallet_overspend.sql")
