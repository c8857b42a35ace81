"""Resellers: accounts, price lists, sales, transfers, requests; cashiers' shifts (rules R1, R2, R4)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

_FUNCTIONS = (
    "may_act_for_v1",
    "is_account_v1",
    "sells_from_wallet_v1",
    "reseller_chain_v1",
    "lock_accounts_v1",
    "post_account_entry_v1",
    "post_reseller_sale_v1",
    "undo_reseller_sale_v1",
    "post_reseller_transfer_v1",
    "sell_reseller_vouchers_v1",
    "take_back_reseller_vouchers_v1",
    "move_reseller_voucher_v1",
    "voucher_of_reseller_v1",
    "watch_account_v1",
)


def upgrade() -> None:
    _resellers()
    _prices()
    _sales()
    _shares()
    _vouchers()
    _transfers()
    _requests()
    _shifts()
    for name in _FUNCTIONS:
        run_sql_file(f"functions/{name}.sql")
    run_sql_file("policies/0039_resellers.sql")


def _resellers() -> None:
    op.create_table(
        "reseller",
        _number("org_id"),
        _number("account_customer_id"),
        sa.Column("undo_minutes", sa.Integer(), nullable=False),
        sa.Column("max_customers", sa.Integer()),
        _instant("created_at"),
        _instant("closed_at", nullable=True),
        sa.CheckConstraint("undo_minutes >= 0", name=op.f("reseller_undo_minutes_check")),
        sa.CheckConstraint("max_customers >= 0", name=op.f("reseller_max_customers_check")),
        _organisation("reseller"),
        sa.PrimaryKeyConstraint("org_id", name=op.f("reseller_pkey")),
        sa.UniqueConstraint("account_customer_id", name=op.f("reseller_account_customer_id_key")),
    )
    op.create_index(op.f("reseller_org_id_idx"), "reseller", ["org_id"])


def _prices() -> None:
    extra = sa.Column("below_parent", sa.Boolean(), server_default="false", nullable=False)
    for name, more in (("cost", [extra]), ("retail", [])):
        table = f"reseller_{name}"
        op.create_table(
            table,
            _number("org_id"),
            _identity(f"{name}_id"),
            _number("plan_id"),
            _number(f"{name}_micros", nullable=True),
            *more,
            _instant("set_at"),
            _text("set_by"),
            sa.CheckConstraint(f"{name}_micros >= 0", name=op.f(f"{table}_{name}_check")),
            _organisation(table),
            sa.ForeignKeyConstraint(
                ["plan_id"], ["plan.plan_id"], name=op.f(f"{table}_plan_id_fkey")
            ),
            sa.PrimaryKeyConstraint("org_id", f"{name}_id", name=op.f(f"{table}_pkey")),
        )
        op.create_index(op.f(f"{table}_plan_id_idx"), table, ["plan_id"])
        op.create_index(f"{table}_plan_idx", table, ["org_id", "plan_id", f"{name}_id"])


def _sales() -> None:
    op.create_table(
        "reseller_sale",
        _number("customer_id"),
        _identity("sale_id"),
        _number("org_id"),
        _number("subscription_id"),
        _number("entitlement_id"),
        _number("plan_id"),
        _number("payment_id", nullable=True),
        _number("retail_micros"),
        _text("currency"),
        _instant("sold_at"),
        _text("sold_by"),
        _instant("undone_at", nullable=True),
        _text("undone_by", nullable=True),
        _sum("back_micros"),
        _number("back_entry_id", nullable=True),
        sa.CheckConstraint(
            "retail_micros >= 0 AND back_micros >= 0", name=op.f("reseller_sale_retail_check")
        ),
        sa.CheckConstraint("back_micros <= retail_micros", name=op.f("reseller_sale_back_check")),
        *_keys("reseller_sale", "sale_id"),
    )
    op.create_index(op.f("reseller_sale_org_id_idx"), "reseller_sale", ["org_id"])
    op.create_index("reseller_sale_id_idx", "reseller_sale", ["sale_id"])
    op.create_index(
        "reseller_sale_entitlement_key",
        "reseller_sale",
        ["customer_id", "entitlement_id"],
        unique=True,
    )


def _shares() -> None:
    op.create_table(
        "reseller_share",
        _number("customer_id"),
        _identity("share_id"),
        _number("org_id"),
        _number("sale_id"),
        _number("seller_org_id"),
        _number("plan_id"),
        sa.Column("depth", sa.SmallInteger(), nullable=False),
        _instant("at"),
        _number("cost_micros"),
        _number("wallet_micros"),
        _number("retail_micros"),
        _text("currency"),
        _number("entry_id", nullable=True),
        _instant("undone_at", nullable=True),
        _sum("back_micros"),
        _sum("back_wallet_micros"),
        _number("back_entry_id", nullable=True),
        sa.CheckConstraint("depth >= 0", name=op.f("reseller_share_depth_check")),
        sa.CheckConstraint(
            "cost_micros >= 0 AND back_micros >= 0", name=op.f("reseller_share_cost_check")
        ),
        sa.CheckConstraint("back_micros <= cost_micros", name=op.f("reseller_share_back_check")),
        *_keys("reseller_share", "share_id"),
    )
    op.create_index(op.f("reseller_share_org_id_idx"), "reseller_share", ["org_id"])
    op.create_index("reseller_share_sale_id_idx", "reseller_share", ["sale_id"])
    op.create_index(
        "reseller_share_sale_key", "reseller_share", ["customer_id", "sale_id"], unique=True
    )


def _vouchers() -> None:
    op.add_column("voucher", _number("reseller_sale_id", nullable=True))
    op.create_index(op.f("voucher_reseller_sale_id_idx"), "voucher", ["reseller_sale_id"])
    op.create_table(
        "reseller_voucher_sale",
        _number("customer_id"),
        _identity("sale_id"),
        _number("org_id"),
        _number("batch_id"),
        _number("plan_id", nullable=True),
        _number("count"),
        _number("retail_micros"),
        _text("currency"),
        _number("entry_id", nullable=True),
        _number("of_sale_id", nullable=True),
        _instant("at"),
        _text("by"),
        sa.CheckConstraint(
            "count <> 0 AND (count < 0) = (of_sale_id IS NOT NULL)",
            name=op.f("reseller_voucher_sale_count_check"),
        ),
        sa.CheckConstraint(
            "retail_micros = 0 OR (retail_micros < 0) = (count < 0)",
            name=op.f("reseller_voucher_sale_retail_check"),
        ),
        *_keys("reseller_voucher_sale", "sale_id"),
    )
    op.create_index(op.f("reseller_voucher_sale_org_id_idx"), "reseller_voucher_sale", ["org_id"])
    op.create_index(
        "reseller_voucher_sale_id_idx", "reseller_voucher_sale", ["sale_id"], unique=True
    )
    op.create_index(
        "reseller_voucher_sale_entry_key",
        "reseller_voucher_sale",
        ["customer_id", "entry_id"],
        unique=True,
        postgresql_where=sa.text("entry_id IS NOT NULL"),
    )
    op.create_table(
        "reseller_voucher_share",
        _number("customer_id"),
        _identity("share_id"),
        _number("org_id"),
        _number("sale_id"),
        _number("seller_org_id"),
        _number("plan_id", nullable=True),
        sa.Column("depth", sa.SmallInteger(), nullable=False),
        _instant("at"),
        _number("cost_micros"),
        _number("wallet_micros"),
        _number("retail_micros"),
        _text("currency"),
        _number("entry_id", nullable=True),
        sa.CheckConstraint("depth >= 0", name=op.f("reseller_voucher_share_depth_check")),
        *_keys("reseller_voucher_share", "share_id"),
    )
    table = "reseller_voucher_share"
    op.create_index(op.f(f"{table}_org_id_idx"), table, ["org_id"])
    op.create_index(f"{table}_sale_id_idx", table, ["sale_id"])
    op.create_index(f"{table}_sale_key", table, ["customer_id", "sale_id"], unique=True)


def _transfers() -> None:
    op.create_table(
        "reseller_transfer",
        _number("customer_id"),
        _identity("transfer_id"),
        _number("org_id"),
        _number("amount_micros"),
        _text("currency"),
        _number("entry_id"),
        _number("from_customer_id", nullable=True),
        _number("from_entry_id", nullable=True),
        _text("channel", nullable=True),
        _number("payment_id", nullable=True),
        _text("reference", nullable=True),
        _instant("at"),
        _text("by"),
        sa.CheckConstraint("amount_micros <> 0", name=op.f("reseller_transfer_amount_check")),
        sa.CheckConstraint(
            "channel IS NULL OR from_customer_id IS NULL AND from_entry_id IS NULL",
            name=op.f("reseller_transfer_source_check"),
        ),
        *_keys("reseller_transfer", "transfer_id"),
    )
    op.create_index(op.f("reseller_transfer_org_id_idx"), "reseller_transfer", ["org_id"])


def _requests() -> None:
    op.create_table(
        "reseller_request",
        _number("customer_id"),
        _identity("request_id"),
        _number("org_id"),
        _number("amount_micros"),
        _text("currency"),
        _text("note", nullable=True),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        _instant("asked_at"),
        _text("asked_by"),
        _instant("decided_at", nullable=True),
        _text("decided_by", nullable=True),
        _text("answer", nullable=True),
        _number("transfer_id", nullable=True),
        sa.CheckConstraint("amount_micros > 0", name=op.f("reseller_request_amount_check")),
        sa.CheckConstraint(
            "state IN ('pending', 'approved', 'declined')",
            name=op.f("reseller_request_state_check"),
        ),
        sa.CheckConstraint(
            "(state = 'pending') = (decided_at IS NULL)",
            name=op.f("reseller_request_decided_check"),
        ),
        *_keys("reseller_request", "request_id"),
    )
    op.create_index(op.f("reseller_request_org_id_idx"), "reseller_request", ["org_id"])
    op.create_index(
        "reseller_request_pending_key",
        "reseller_request",
        ["customer_id"],
        unique=True,
        postgresql_where=sa.text("state = 'pending'"),
    )


def _shifts() -> None:
    op.create_table(
        "shift",
        _identity("shift_id"),
        _number("org_id"),
        _text("cashier"),
        _text("currency"),
        _instant("opened_at"),
        _number("float_micros"),
        _instant("closed_at", nullable=True),
        _text("closed_by", nullable=True),
        _number("counted_micros", nullable=True),
        _number("expected_micros", nullable=True),
        _text("note", nullable=True),
        _text("handed_to", nullable=True),
        _instant("handed_at", nullable=True),
        _text("deposit_reference", nullable=True),
        _instant("deposited_at", nullable=True),
        sa.CheckConstraint(
            "float_micros >= 0 AND counted_micros >= 0", name=op.f("shift_counted_check")
        ),
        sa.CheckConstraint(
            "(closed_at IS NULL) = (counted_micros IS NULL)"
            " AND (closed_at IS NULL) = (expected_micros IS NULL)",
            name=op.f("shift_closed_check"),
        ),
        sa.CheckConstraint(
            "closed_at IS NOT NULL OR handed_at IS NULL AND deposited_at IS NULL",
            name=op.f("shift_after_check"),
        ),
        _organisation("shift"),
        sa.PrimaryKeyConstraint("shift_id", name=op.f("shift_pkey")),
    )
    op.create_index(op.f("shift_org_id_idx"), "shift", ["org_id"])
    op.create_index(
        "shift_open_key",
        "shift",
        ["cashier"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "shift_entry",
        _number("customer_id"),
        _number("entry_id"),
        _text("channel"),
        _number("org_id"),
        _number("shift_id"),
        _number("amount_micros"),
        sa.CheckConstraint("amount_micros <> 0", name=op.f("shift_entry_amount_check")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f("shift_entry_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["shift_id"], ["shift.shift_id"], name=op.f("shift_entry_shift_id_fkey")
        ),
        _organisation("shift_entry"),
        sa.PrimaryKeyConstraint(
            "customer_id", "entry_id", "channel", name=op.f("shift_entry_pkey")
        ),
    )
    for column in ("org_id", "shift_id"):
        op.create_index(op.f(f"shift_entry_{column}_idx"), "shift_entry", [column])


def _number(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _sum(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)


def _identity(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), sa.Identity(always=False), nullable=False)


def _text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _organisation(table: str) -> sa.Constraint:
    return sa.ForeignKeyConstraint(
        ["org_id"], ["organisation.org_id"], name=op.f(f"{table}_org_id_fkey")
    )


def _keys(table: str, key: str) -> list[sa.Constraint]:
    return [
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f(f"{table}_customer_id_fkey")
        ),
        _organisation(table),
        sa.PrimaryKeyConstraint("customer_id", key, name=op.f(f"{table}_pkey")),
    ]
