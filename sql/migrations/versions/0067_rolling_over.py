"""What is unused of a package may go into the one that follows it (rule B4)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0067"
down_revision = "0066"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "plan_version",
        sa.Column("rolls_over", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column(
        "entitlement",
        sa.Column("rolls_over", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.create_index(
        "entitlement_rolling_idx",
        "entitlement",
        ["customer_id", "subscription_id"],
        postgresql_where=sa.text("rolls_over"),
    )
    op.add_column("entitlement", sa.Column("carried_from_id", sa.BigInteger()))
    for name in ("carried_seconds", "carried_octets"):
        op.add_column(
            "entitlement", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)
        )
    op.add_column("entitlement", sa.Column("carried_at", sa.DateTime(timezone=True)))
    op.create_check_constraint(
        op.f("entitlement_carried_check"),
        "entitlement",
        "carried_seconds >= 0 AND carried_octets >= 0",
    )
    run_sql_file("policies/0067_rolling_over.sql")
