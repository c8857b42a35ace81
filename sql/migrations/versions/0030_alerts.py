"""Alerts of wallets and packages, spending caps, what was told of a service (rules P6, P8, P14)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from billing.store.migrate import replace_function, run_sql_file

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_KINDS = (
    "kind IN ('low_balance', 'exhausted', 'restored', 'invoice_issued', 'reminder',"
    " 'suspended', 'recharge_failed', 'voucher_receipt', 'credit_note', 'statement',"
    " 'allowance_used')"
)


def upgrade() -> None:
    _wallets()
    _packages()
    _services()
    for table in ("message", "message_template"):
        op.drop_constraint(op.f(f"{table}_kind_check"), table)
        op.create_check_constraint(op.f(f"{table}_kind_check"), table, _KINDS)
    for function in ("is_served_v1", "cut_unserved_v1", "charge_usage_v1"):
        replace_function(function)
    # It returns a column more, which no function can be changed to in place.
    op.execute("DROP FUNCTION load_access_v1")
    run_sql_file("functions/load_access_v1.sql")
    run_sql_file("policies/0030_alerts.sql")


def _wallets() -> None:
    for name, kind in (
        ("alert_percent", sa.Integer()),
        ("topped_up_micros", sa.BigInteger()),
        ("alert_below_micros", sa.BigInteger()),
        ("cap_micros", sa.BigInteger()),
        ("cap_lifted_until", sa.DateTime(timezone=True)),
        ("cap_floor_micros", sa.BigInteger()),
        ("cap_until", sa.DateTime(timezone=True)),
    ):
        op.add_column("wallet", sa.Column(name, kind))
    op.add_column(
        "wallet",
        sa.Column(
            "usage_alert_percents",
            postgresql.ARRAY(sa.BigInteger()),
            server_default="{}",
            nullable=False,
        ),
    )
    op.create_check_constraint(
        op.f("wallet_alert_percent_check"), "wallet", "alert_percent BETWEEN 1 AND 99"
    )
    op.create_check_constraint(op.f("wallet_cap_check"), "wallet", "cap_micros > 0")


def _packages() -> None:
    op.add_column(
        "entitlement",
        sa.Column("alerted_percent", sa.Integer(), server_default="0", nullable=False),
    )
    for name in ("alert_seconds_left", "alert_octets_left"):
        op.add_column("entitlement", sa.Column(name, sa.BigInteger()))
    op.create_check_constraint(
        op.f("entitlement_alerted_percent_check"),
        "entitlement",
        "alerted_percent BETWEEN 0 AND 100",
    )


def _services() -> None:
    op.add_column("subscription", sa.Column("service_notice", sa.Text()))
    op.create_check_constraint(
        op.f("subscription_service_notice_check"),
        "subscription",
        "service_notice IN ('due', 'suspended', 'exhausted')",
    )
    # Who is suspended now was told so.
    op.execute(
        "UPDATE subscription SET service_notice = 'suspended' WHERE service_rule IN ('S2', 'S4', 'S5')"
    )
