"""A reseller's people are its owner and its cashiers, who sell and see neither costs nor margins
(rules R1, R4)."""

from __future__ import annotations

from billing.store.migrate import run_sql_file

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("functions/is_cashier_v1.sql")
    run_sql_file("policies/0045_shop_staff.sql")
