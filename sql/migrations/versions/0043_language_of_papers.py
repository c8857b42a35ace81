"""Papers are in the language that their customer had when they were issued, and receipts keep what both
sides were called then, as bills do (rules I2, I6); staff take note of who was parked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What was issued before was in English, whatever its customer spoke.
    op.add_column(
        "customer_letterhead",
        sa.Column("locale", sa.Text(), server_default="en", nullable=False),
    )
    _freeze_receipts()
    run_sql_file("policies/0043_language_of_papers.sql")


def _freeze_receipts() -> None:
    """Receipts that there are go on saying what they say today."""
    op.execute(
        "INSERT INTO organisation_letterhead (org_id, name, postal_address, tax_id, country, e_invoice)"
        " SELECT org_id, name, postal_address, tax_id, country, e_invoice FROM organisation o"
        " WHERE EXISTS (SELECT FROM receipt r WHERE r.org_id = o.org_id)"
        "  AND NOT EXISTS (SELECT FROM organisation_letterhead h WHERE h.org_id = o.org_id)"
    )
    op.execute(
        "INSERT INTO customer_letterhead"
        " (customer_id, org_id, name, postal_address, tax_id, country, email, phone)"
        " SELECT customer_id, org_id, name, postal_address, tax_id, country, email, phone"
        " FROM customer c"
        " WHERE EXISTS (SELECT FROM receipt r WHERE r.customer_id = c.customer_id)"
        "  AND NOT EXISTS (SELECT FROM customer_letterhead h WHERE h.customer_id = c.customer_id)"
    )
    op.add_column("receipt", sa.Column("seller_letterhead_id", sa.BigInteger()))
    op.add_column("receipt", sa.Column("buyer_letterhead_id", sa.BigInteger()))
    op.execute(
        "UPDATE receipt r SET"
        " seller_letterhead_id = (SELECT max(h.letterhead_id) FROM organisation_letterhead h"
        "  WHERE h.org_id = r.org_id),"
        " buyer_letterhead_id = (SELECT max(h.letterhead_id) FROM customer_letterhead h"
        "  WHERE h.customer_id = r.customer_id)"
    )
    for column in ("seller_letterhead_id", "buyer_letterhead_id"):
        op.alter_column("receipt", column, nullable=False)
    op.create_foreign_key(
        op.f("receipt_org_id_seller_letterhead_id_fkey"),
        "receipt",
        "organisation_letterhead",
        ["org_id", "seller_letterhead_id"],
        ["org_id", "letterhead_id"],
    )
    op.create_foreign_key(
        op.f("receipt_customer_id_buyer_letterhead_id_fkey"),
        "receipt",
        "customer_letterhead",
        ["customer_id", "buyer_letterhead_id"],
        ["customer_id", "letterhead_id"],
    )
