"""Hotspots that send their guests to the captive portal (rule B13)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from billing.store.migrate import run_sql_file

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hotspot",
        sa.Column("nas_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("addresses", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("uam_secret_sealed", sa.LargeBinary()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("cardinality(addresses) > 0", name=op.f("hotspot_addresses_check")),
        sa.ForeignKeyConstraint(["nas_id"], ["nas.nas_id"], name=op.f("hotspot_nas_id_fkey")),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("hotspot_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("nas_id", name=op.f("hotspot_pkey")),
        sa.UniqueConstraint("key", name=op.f("hotspot_key_key")),
    )
    op.create_index(op.f("hotspot_org_id_idx"), "hotspot", ["org_id"])
    run_sql_file("functions/hotspot_by_key_v1.sql")
    run_sql_file("policies/0059_hotspots.sql")
