"""Letterheads in versions, what e-invoices need, monthly statements, two kinds of message (rules
I2, I3)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_KINDS = ("credit_note", "statement")


def upgrade() -> None:
    for table in ("organisation", "customer"):
        op.add_column(table, sa.Column("country", sa.Text()))
    op.add_column(
        "organisation",
        sa.Column("e_invoice", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column(
        "billing_profile",
        sa.Column(
            "monthly_statement", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
    )
    op.add_column("customer", sa.Column("monthly_statement", sa.Boolean()))
    op.add_column("customer", sa.Column("stated_until", sa.Date()))
    op.create_index(op.f("credit_note_number_idx"), "credit_note", ["number"])
    _letterheads()
    for table in ("message", "message_template"):
        _widen_kinds(table)
    run_sql_file("policies/0028_papers.sql")


def _letterheads() -> None:
    op.create_table(
        "organisation_letterhead",
        sa.Column("org_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("letterhead_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        *_called(),
        sa.Column("e_invoice", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("organisation_letterhead_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint(
            "org_id", "letterhead_id", name=op.f("organisation_letterhead_pkey")
        ),
    )
    op.create_table(
        "customer_letterhead",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("letterhead_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        *_called(),
        sa.Column("email", sa.Text()),
        sa.Column("phone", sa.Text()),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.customer_id"],
            name=op.f("customer_letterhead_customer_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("customer_letterhead_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint(
            "customer_id", "letterhead_id", name=op.f("customer_letterhead_pkey")
        ),
    )
    op.create_index(op.f("customer_letterhead_org_id_idx"), "customer_letterhead", ["org_id"])
    _freeze_what_was_issued()


def _called() -> list[sa.Column[str]]:
    return [
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("postal_address", sa.Text()),
        sa.Column("tax_id", sa.Text()),
        sa.Column("country", sa.Text()),
    ]


def _freeze_what_was_issued() -> None:
    """Bills and credit notes that there are go on saying what they say today."""
    op.execute(
        "INSERT INTO organisation_letterhead (org_id, name, postal_address, tax_id, e_invoice)"
        " SELECT org_id, name, postal_address, tax_id, false FROM organisation o"
        " WHERE EXISTS (SELECT FROM invoice i WHERE i.org_id = o.org_id)"
        "  OR EXISTS (SELECT FROM credit_note n WHERE n.org_id = o.org_id)"
    )
    op.execute(
        "INSERT INTO customer_letterhead"
        " (customer_id, org_id, name, postal_address, tax_id, email, phone)"
        " SELECT customer_id, org_id, name, postal_address, tax_id, email, phone FROM customer c"
        " WHERE EXISTS (SELECT FROM invoice i WHERE i.customer_id = c.customer_id)"
        "  OR EXISTS (SELECT FROM credit_note n WHERE n.customer_id = c.customer_id)"
    )
    for table in ("invoice", "credit_note"):
        op.add_column(table, sa.Column("seller_letterhead_id", sa.BigInteger()))
        op.add_column(table, sa.Column("buyer_letterhead_id", sa.BigInteger()))
        op.execute(
            f"UPDATE {table} t SET seller_letterhead_id = o.letterhead_id,"  # noqa: S608 (our own names)
            " buyer_letterhead_id = c.letterhead_id"
            " FROM organisation_letterhead o, customer_letterhead c"
            " WHERE o.org_id = t.org_id AND c.customer_id = t.customer_id"
        )
        for column in ("seller_letterhead_id", "buyer_letterhead_id"):
            op.alter_column(table, column, nullable=False)
        op.create_foreign_key(
            op.f(f"{table}_org_id_seller_letterhead_id_fkey"),
            table,
            "organisation_letterhead",
            ["org_id", "seller_letterhead_id"],
            ["org_id", "letterhead_id"],
        )
        op.create_foreign_key(
            op.f(f"{table}_customer_id_buyer_letterhead_id_fkey"),
            table,
            "customer_letterhead",
            ["customer_id", "buyer_letterhead_id"],
            ["customer_id", "letterhead_id"],
        )


def _widen_kinds(table: str) -> None:
    """Whatever kinds are allowed by now, and ours."""
    name = f"{table}_kind_check"
    rule = op.get_bind().scalar(
        sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name"),
        {"name": name},
    )
    known = [part for part in str(rule).split("'")[1::2] if part not in _KINDS]
    words = ", ".join(f"'{kind}'" for kind in (*known, *_KINDS))
    op.drop_constraint(op.f(name), table)
    op.create_check_constraint(op.f(name), table, f"kind IN ({words})")
