"""Vouchers (rule R3)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import replace_function, run_sql_file

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

_STATES = "'created', 'active', 'redeemed', 'expired', 'revoked', 'replaced'"


def upgrade() -> None:
    _receipts()
    _batches()
    _vouchers()
    op.create_table(
        "voucher_counter",
        sa.Column("org_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f("voucher_counter_customer_id_fkey")
        ),
        _organisation("voucher_counter"),
        sa.PrimaryKeyConstraint("org_id", name=op.f("voucher_counter_pkey")),
    )
    op.create_index(op.f("voucher_counter_org_id_idx"), "voucher_counter", ["org_id"])
    op.create_table(
        "voucher_guess",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("window_started_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("voucher_guess_pkey")),
    )
    run_sql_file("policies/0038_vouchers.sql")
    replace_function("admit_logins_v1")


def _receipts() -> None:
    for name, condition in (
        ("kind", "kind IN ('sale', 'top_up', 'bill', 'voucher')"),
        ("top_up", "kind NOT IN ('top_up', 'voucher') OR tax_micros = 0"),
    ):
        constraint = op.f(f"receipt_{name}_check")
        op.drop_constraint(constraint, "receipt")
        op.create_check_constraint(constraint, "receipt", condition)


def _batches() -> None:
    op.create_table(
        "voucher_batch",
        sa.Column("batch_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("plan_version_id", sa.BigInteger()),
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("face_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("length", sa.SmallInteger(), nullable=False),
        sa.Column("alphabet", sa.Text(), nullable=False),
        sa.Column("pass_length", sa.SmallInteger(), nullable=False),
        sa.Column("as_login", sa.Boolean(), nullable=False),
        sa.Column("session_limit", sa.BigInteger()),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("codes_sealed", sa.LargeBinary()),
        sa.CheckConstraint(
            "kind IN ('plan', 'amount') AND (kind = 'plan') = (plan_version_id IS NOT NULL)",
            name=op.f("voucher_batch_kind_check"),
        ),
        sa.CheckConstraint(
            "face_micros >= 0 AND (kind = 'plan' OR face_micros > 0)",
            name=op.f("voucher_batch_face_check"),
        ),
        sa.CheckConstraint(
            "alphabet IN ('mixed', 'letters', 'digits')", name=op.f("voucher_batch_alphabet_check")
        ),
        sa.CheckConstraint("session_limit > 0", name=op.f("voucher_batch_session_limit_check")),
        sa.ForeignKeyConstraint(
            ["plan_version_id"],
            ["plan_version.plan_version_id"],
            name=op.f("voucher_batch_plan_version_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["profile_id"],
            ["billing_profile.profile_id"],
            name=op.f("voucher_batch_profile_id_fkey"),
        ),
        _organisation("voucher_batch"),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("voucher_batch_pkey")),
    )
    op.create_index(op.f("voucher_batch_org_id_idx"), "voucher_batch", ["org_id"])


def _vouchers() -> None:
    op.create_table(
        "voucher",
        sa.Column("batch_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("serial", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("code_hmac", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("activated_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        *(
            sa.Column(f"{name}_id", sa.BigInteger())
            for name in (
                "sold_customer",
                "sold_entry",
                "customer",
                "subscription",
                "entitlement",
                "payment",
            )
        ),
        sa.Column("login_name", sa.Text()),
        sa.Column("replaced_by", sa.BigInteger()),
        sa.CheckConstraint(f"state IN ({_STATES})", name=op.f("voucher_state_check")),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (state IN ('created', 'active'))",
            name=op.f("voucher_ended_check"),
        ),
        sa.CheckConstraint(
            "state <> 'active' OR activated_at IS NOT NULL", name=op.f("voucher_activated_check")
        ),
        sa.CheckConstraint(
            "state <> 'redeemed' OR customer_id IS NOT NULL", name=op.f("voucher_redeemed_check")
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["voucher_batch.batch_id"], name=op.f("voucher_batch_id_fkey")
        ),
        _organisation("voucher"),
        sa.PrimaryKeyConstraint("batch_id", "serial", name=op.f("voucher_pkey")),
    )
    op.create_index(op.f("voucher_org_id_idx"), "voucher", ["org_id"])
    for column in ("code_hmac", "serial"):
        op.create_index(f"voucher_{column}_idx", "voucher", [column], unique=True)
    for name, column, condition in (
        ("expiring", "expires_at", "state IN ('created', 'active') AND expires_at IS NOT NULL"),
        ("waiting", "customer_id", "state = 'active' AND customer_id IS NOT NULL"),
        ("customer", "customer_id", "customer_id IS NOT NULL"),
    ):
        op.create_index(
            f"voucher_{name}_idx", "voucher", [column], postgresql_where=sa.text(condition)
        )


def _organisation(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["org_id"], ["organisation.org_id"], name=op.f(f"{table}_org_id_fkey")
    )
