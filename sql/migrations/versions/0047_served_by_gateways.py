"""A reseller's staff begins payments by the gateways above it; whether an organisation is a reseller is
told to its customers' requests, too (rules R1, R2)."""

from __future__ import annotations

from billing.store.migrate import run_sql_file

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_sql_file("functions/is_reseller_v1.sql")
    run_sql_file("functions/organisations_over_v1.sql")
    run_sql_file("policies/0047_served_by_gateways.sql")
