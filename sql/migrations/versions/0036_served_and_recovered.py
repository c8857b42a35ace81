"""Bills know until when their days were served (B6, B9); what was written off may come in after all (I5);
what is used up early is renewed at once, also where the wallet pays for use meanwhile (P10)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import replace_function, run_sql_file

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("invoice", sa.Column("served_until", sa.Date()))
    _recoveries()
    replace_function("load_access_v1")
    replace_function("look_closer_v1")
    run_sql_file("policies/0036_served_and_recovered.sql")


def _recoveries() -> None:
    op.create_table(
        "recovery",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("recovery_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("amount_micros", sa.BigInteger(), nullable=False),
        sa.Column("tax_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_micros > 0", name=op.f("recovery_amount_check")),
        sa.CheckConstraint(
            "tax_micros BETWEEN 0 AND amount_micros", name=op.f("recovery_tax_check")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.customer_id"], name=op.f("recovery_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("recovery_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("customer_id", "recovery_id", name=op.f("recovery_pkey")),
    )
    op.create_index(op.f("recovery_org_id_idx"), "recovery", ["org_id"])
    op.create_index("recovery_invoice_idx", "recovery", ["customer_id", "invoice_id"])
