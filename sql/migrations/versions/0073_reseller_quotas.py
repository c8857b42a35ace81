"""How many NAS a reseller may have, and plans on its price list (rule R1)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0073"
down_revision = "0072"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("max_nas", "max_plans"):
        op.add_column("reseller", sa.Column(name, sa.Integer()))
        op.create_check_constraint(op.f(f"reseller_{name}_check"), "reseller", f"{name} >= 0")
    run_sql_file("policies/0073_reseller_quotas.sql")
