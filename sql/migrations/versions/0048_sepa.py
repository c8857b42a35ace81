"""SEPA direct debit: mandates, files and their collections, and its notice (rules P1, P5)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

_SEQUENCE = "sequence IN ('FRST', 'RCUR', 'OOFF', 'FNAL')"
_KINDS = (
    "kind IN ('low_balance', 'exhausted', 'restored', 'invoice_issued', 'reminder',"
    " 'suspended', 'recharge_failed', 'voucher_receipt', 'credit_note', 'statement',"
    " 'allowance_used', 'price_notice', 'payment_received', 'prepayment_due', 'debit_notice')"
)
_OUTCOMES = (
    "outcome IN ('exact', 'part', 'more', 'customer', 'nothing_open', 'currency',"
    " 'several', 'unknown', 'refused', 'collected')"
)


def upgrade() -> None:
    _mandates()
    _files()
    _collections()
    for table in ("message", "message_template"):
        _check(table, "kind", _KINDS)
    _check("bank_import", "outcome", _OUTCOMES)
    run_sql_file("policies/0048_sepa.sql")


def _mandates() -> None:
    op.create_table(
        "sepa_mandate",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("mandate_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("gateway_id", sa.BigInteger(), nullable=False),
        sa.Column("method_id", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("iban_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("bic", sa.Text()),
        sa.Column("signed_on", sa.Date(), nullable=False),
        sa.Column("used_on", sa.Date()),
        sa.Column("sequence", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(_SEQUENCE, name=op.f("sepa_mandate_sequence_check")),
        _refers("sepa_mandate", "customer_id", "customer"),
        _refers("sepa_mandate", "gateway_id", "gateway"),
        _refers("sepa_mandate", "org_id", "organisation"),
        sa.PrimaryKeyConstraint("customer_id", "mandate_id", name=op.f("sepa_mandate_pkey")),
        sa.UniqueConstraint(
            "gateway_id", "reference", name=op.f("sepa_mandate_gateway_id_reference_key")
        ),
        sa.UniqueConstraint(
            "customer_id", "method_id", name=op.f("sepa_mandate_customer_id_method_id_key")
        ),
    )
    op.create_index(op.f("sepa_mandate_org_id_idx"), "sepa_mandate", ["org_id"])


def _files() -> None:
    op.create_table(
        "sepa_file",
        sa.Column("file_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("gateway_id", sa.BigInteger(), nullable=False),
        sa.Column("collect_on", sa.Date(), nullable=False),
        sa.Column("collections", sa.Integer(), server_default="0", nullable=False),
        sa.Column("total_micros", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("body_sealed", sa.LargeBinary()),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "body_sealed IS NULL OR (collections > 0 AND total_micros > 0)",
            name=op.f("sepa_file_collections_check"),
        ),
        _refers("sepa_file", "gateway_id", "gateway"),
        _refers("sepa_file", "org_id", "organisation"),
        sa.PrimaryKeyConstraint("file_id", name=op.f("sepa_file_pkey")),
    )
    op.create_index(op.f("sepa_file_org_id_idx"), "sepa_file", ["org_id"])
    op.create_index(
        "sepa_file_unfinished_key",
        "sepa_file",
        ["gateway_id"],
        unique=True,
        postgresql_where=sa.text("body_sealed IS NULL"),
    )


def _collections() -> None:
    op.create_table(
        "sepa_collection",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt_id", sa.BigInteger(), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("mandate_id", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.BigInteger()),
        sa.Column("sequence", sa.Text(), nullable=False),
        sa.Column("returned_at", sa.DateTime(timezone=True)),
        sa.Column("returned_for", sa.Text()),
        sa.CheckConstraint(_SEQUENCE, name=op.f("sepa_collection_sequence_check")),
        _refers("sepa_collection", "customer_id", "customer"),
        _refers("sepa_collection", "file_id", "sepa_file"),
        _refers("sepa_collection", "org_id", "organisation"),
        sa.PrimaryKeyConstraint("customer_id", "attempt_id", name=op.f("sepa_collection_pkey")),
    )
    op.create_index(op.f("sepa_collection_org_id_idx"), "sepa_collection", ["org_id"])
    op.create_index("sepa_collection_file_idx", "sepa_collection", ["file_id"])
    op.create_index(
        "sepa_collection_bill_key",
        "sepa_collection",
        ["customer_id", "invoice_id"],
        unique=True,
        postgresql_where=sa.text("returned_at IS NULL"),
    )


def _check(table: str, column: str, condition: str) -> None:
    name = op.f(f"{table}_{column}_check")
    op.drop_constraint(name, table)
    op.create_check_constraint(name, table, condition)


def _refers(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    """To the column of the same name."""
    name = op.f(f"{table}_{column}_fkey")
    return sa.ForeignKeyConstraint([column], [f"{target}.{column}"], name=name)
