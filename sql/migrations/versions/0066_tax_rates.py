"""Tax rates of plans and charges, and when the tax of a plan's bills is due (rules I1, I6)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from billing.store.migrate import run_sql_file

revision = "0066"
down_revision = "0064"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("plan_version", sa.Column("tax_rate_ppm", sa.Integer()))
    op.add_column("plan_version", sa.Column("tax_point", sa.Text()))
    op.add_column("charge", sa.Column("tax_rate_ppm", sa.Integer()))
    op.add_column("usage_charge", sa.Column("tax_rate_ppm", sa.Integer()))
    op.add_column("invoice_line", sa.Column("tax_micros", sa.BigInteger()))
    op.add_column("credit_note", sa.Column("rates", postgresql.JSONB()))
    for table in ("plan_version", "charge"):
        op.create_check_constraint(
            op.f(f"{table}_tax_rate_check"), table, "tax_rate_ppm BETWEEN 0 AND 1000000"
        )
    op.create_check_constraint(
        op.f("plan_version_tax_point_check"), "plan_version", "tax_point IN ('issue', 'payment')"
    )
    run_sql_file("policies/0066_tax_rates.sql")
