"""Resellers earn by what their customers buy themselves (rule R1)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None

_FUNCTIONS = (
    "earns_on_self_service_v1",
    "self_service_list_v1",
    "plans_of_customer_v1",
    "post_self_purchase_v1",
    "take_back_self_purchase_v1",
)


def upgrade() -> None:
    op.add_column(
        "reseller",
        sa.Column("earns_on_self_service", sa.Boolean(), server_default="true", nullable=False),
    )
    # Who is there already goes on as before, until somebody says so.
    op.execute("UPDATE reseller SET earns_on_self_service = false")
    _purchases()
    _shares()
    for name in _FUNCTIONS:
        run_sql_file(f"functions/{name}.sql")
    run_sql_file("policies/0053_self_service.sql")


def _purchases() -> None:
    table = "self_purchase"
    op.create_table(
        table,
        _number("customer_id"),
        sa.Column("purchase_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        *(_number(name) for name in ("org_id", "subscription_id", "entitlement_id", "plan_id")),
        _number("entry_id"),
        _number("paid_micros"),
        sa.Column("back_micros", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("bought_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("bought_by", sa.Text(), nullable=False),
        sa.Column("back_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("paid_micros > 0", name=op.f("self_purchase_paid_check")),
        sa.CheckConstraint(
            "back_micros BETWEEN 0 AND paid_micros", name=op.f("self_purchase_back_check")
        ),
        *_keys(table, "purchase_id"),
    )
    op.create_index(op.f("self_purchase_org_id_idx"), table, ["org_id"])
    op.create_index("self_purchase_id_idx", table, ["purchase_id"], unique=True)
    op.create_index(
        "self_purchase_entitlement_key", table, ["customer_id", "entitlement_id"], unique=True
    )


def _shares() -> None:
    table = "self_purchase_share"
    op.create_table(
        table,
        _number("customer_id"),
        sa.Column("share_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        *(_number(name) for name in ("org_id", "purchase_id", "seller_org_id", "plan_id")),
        sa.Column("depth", sa.SmallInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *(_number(name) for name in ("paid_micros", "cost_micros", "wallet_micros")),
        sa.Column("currency", sa.Text(), nullable=False),
        _number("entry_id", nullable=True),
        sa.CheckConstraint("depth >= 0", name=op.f("self_purchase_share_depth_check")),
        *_keys(table, "share_id"),
    )
    op.create_index(op.f("self_purchase_share_org_id_idx"), table, ["org_id"])
    op.create_index("self_purchase_share_purchase_id_idx", table, ["purchase_id"])
    op.create_index(
        "self_purchase_share_earned_key",
        table,
        ["customer_id", "purchase_id"],
        unique=True,
        postgresql_where=sa.text("paid_micros > 0"),
    )


def _number(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _keys(table: str, key: str) -> list[sa.Constraint]:
    return [
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f(f"{table}_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f(f"{table}_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("customer_id", key, name=op.f(f"{table}_pkey")),
    ]
