"""Bills are issued by themselves: since when, and for whom that failed (rule B7)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("billing_profile", sa.Column("bills_from", sa.Date()))
    op.create_table(
        "parked_customer",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.customer_id"],
            name=op.f("parked_customer_customer_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("customer_id", "job", name=op.f("parked_customer_pkey")),
    )
    run_sql_file("policies/0022_bill_run.sql")
