"""Tariff windows: free nights and peak prices, and the slices that tell them (rule Q3)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import replace_function, run_sql_file

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

SLICE_KEY = (
    *("customer_id", "session_id", "local_day", "kind", "entitlement_id", "plan_version_id"),
    "tariff_window",
)
KINDS = "kind IN ('entitlement', 'payg', 'flat', 'overspend', 'free')"
GOALS = "goal IN ('disconnect', 'suspend', 'restore', 'refresh', 'speed', 'tariff')"
# Stretches of a usage on its two axes, and on those of what is not free.
PIECE = """CREATE TYPE usage_piece AS (
    local_day date, tariff_window text, is_free boolean,
    s_from bigint, s_until bigint, o_from bigint, o_until bigint,
    paid_s_from bigint, paid_s_until bigint, paid_o_from bigint, paid_o_until bigint)"""
CHARGE = """CREATE TYPE window_charge AS (
    tariff_window text, seconds bigint, octets bigint, micros bigint)"""
USAGE = """CREATE TYPE windowed_usage AS (
    tariff_version_id bigint, priced_windows text, seconds bigint, octets bigint,
    pieces usage_piece[])"""
FUNCTIONS = (
    *("local_instant", "tariff_pieces", "windowed_usage"),
    *("window_slices", "window_charges", "window_micros"),
)


def upgrade() -> None:
    op.add_column("plan_version", sa.Column("tariff_windows", sa.Text()))
    op.create_index(
        "plan_version_windowed_idx",
        "plan_version",
        ["plan_version_id"],
        postgresql_where=sa.text("tariff_windows IS NOT NULL"),
    )
    no = sa.text("false")
    flag = sa.Column("has_tariff_windows", sa.Boolean(), server_default=no, nullable=False)
    op.add_column("subscription", flag)
    op.add_column("acct_journal", sa.Column("tariff_version_id", sa.BigInteger()))
    op.add_column(
        "daily_usage", sa.Column("tariff_window", sa.Text(), server_default="", nullable=False)
    )
    op.drop_constraint("daily_usage_pkey", "daily_usage")
    op.create_primary_key("daily_usage_pkey", "daily_usage", SLICE_KEY)
    for table, name, words in (
        ("daily_usage", "daily_usage_kind_check", KINDS),
        ("coa_intent", "coa_intent_goal_check", GOALS),
    ):
        op.drop_constraint(op.f(name), table)
        op.create_check_constraint(op.f(name), table, words)
    for statement in (PIECE, CHARGE, USAGE):
        op.execute(statement)
    for name in FUNCTIONS:
        run_sql_file(f"functions/{name}_v1.sql")
    replace_function("charge_usage_v1")
    run_sql_file("policies/0016_tariff_windows.sql")
    run_sql_file("policies/0015_report_columns.sql")
