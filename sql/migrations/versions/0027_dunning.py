"""Reminders, late fees and reconnection fees of unpaid bills; bills are written off (rule I5)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _write_offs()
    _schedules()
    _events()
    op.add_column("charge", sa.Column("waived_at", sa.DateTime(timezone=True)))
    op.create_index(
        "invoice_unpaid_idx",
        "invoice",
        ["customer_id", "due_on"],
        postgresql_where=sa.text("paid_at IS NULL"),
    )
    run_sql_file("policies/0027_dunning.sql")


def _write_offs() -> None:
    op.add_column(
        "invoice",
        sa.Column("written_off_micros", sa.BigInteger(), server_default="0", nullable=False),
    )
    op.drop_constraint(op.f("invoice_paid_check"), "invoice")
    op.create_check_constraint(
        op.f("invoice_paid_check"),
        "invoice",
        "paid_micros >= 0 AND credited_micros >= 0 AND written_off_micros >= 0"
        " AND paid_micros + credited_micros + written_off_micros <= total_micros",
    )
    op.create_table(
        "write_off",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_micros > 0", name=op.f("write_off_amount_check")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f("write_off_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("write_off_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("customer_id", "invoice_id", name=op.f("write_off_pkey")),
    )
    op.create_index(op.f("write_off_org_id_idx"), "write_off", ["org_id"])


def _schedules() -> None:
    for name in ("dunning_tolerance_micros", "reconnection_fee_micros"):
        op.add_column(
            "billing_profile",
            sa.Column(name, sa.BigInteger(), server_default="0", nullable=False),
        )
    op.create_check_constraint(
        op.f("billing_profile_dunning_check"),
        "billing_profile",
        "dunning_tolerance_micros >= 0 AND reconnection_fee_micros >= 0",
    )
    op.create_table(
        "dunning_step",
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("days", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("reminds", sa.Boolean(), nullable=False),
        sa.Column("fee_micros", sa.BigInteger(), nullable=False),
        sa.Column("fee_ppm", sa.Integer(), nullable=False),
        sa.Column("fee_most_micros", sa.BigInteger()),
        sa.Column("since", sa.Date(), nullable=False),
        sa.CheckConstraint(
            "fee_micros >= 0 AND fee_ppm BETWEEN 0 AND 1000000 AND fee_most_micros > 0",
            name=op.f("dunning_step_fee_check"),
        ),
        sa.CheckConstraint(
            "reminds OR fee_micros > 0 OR fee_ppm > 0", name=op.f("dunning_step_effect_check")
        ),
        sa.ForeignKeyConstraint(
            ["profile_id"],
            ["billing_profile.profile_id"],
            name=op.f("dunning_step_profile_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("dunning_step_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("profile_id", "days", name=op.f("dunning_step_pkey")),
    )
    op.create_index(op.f("dunning_step_org_id_idx"), "dunning_step", ["org_id"])


def _events() -> None:
    op.create_table(
        "dunning_event",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("days", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reminded", sa.Boolean(), nullable=False),
        sa.Column("fee_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("charge_id", sa.BigInteger()),
        sa.Column("fee_invoice_id", sa.BigInteger()),
        sa.CheckConstraint("fee_micros >= 0", name=op.f("dunning_event_fee_check")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f("dunning_event_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("dunning_event_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint(
            "customer_id", "invoice_id", "days", name=op.f("dunning_event_pkey")
        ),
    )
    op.create_index(op.f("dunning_event_org_id_idx"), "dunning_event", ["org_id"])
    op.create_index(
        "dunning_event_fee_invoice_idx",
        "dunning_event",
        ["customer_id", "fee_invoice_id"],
        postgresql_where=sa.text("fee_invoice_id IS NOT NULL"),
    )
