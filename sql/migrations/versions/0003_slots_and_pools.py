"""Session slots, and address pools that we lease from ourselves (rules A6, A7)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from billing.store.migrate import run_sql_file

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FUNCTIONS = (
    "take_slot_v1",
    "pool_leases_v1",
    "reclaim_addresses_v1",
    "lease_address_v1",
    "end_taken_over_v1",
    "admit_logins_v1",
)


def upgrade() -> None:
    op.create_table(
        "session_slot",
        sa.Column("customer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("slot_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("calling_station", sa.Text(), nullable=True),
        sa.Column("taken_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("after_session_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "slot_id", name=op.f("session_slot_pkey")),
    )
    op.create_table(
        "address_pool",
        sa.Column("pool_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ranges", sa.Text(), nullable=False),
        sa.Column("netmask", postgresql.INET(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('normal', 'suspended')", name=op.f("address_pool_kind_check")),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("address_pool_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("pool_id", name=op.f("address_pool_pkey")),
        sa.UniqueConstraint("org_id", "name", name=op.f("address_pool_org_id_name_key")),
    )
    op.create_table(
        "pool_address",
        sa.Column("pool_id", sa.BigInteger(), nullable=False),
        sa.Column("address", postgresql.INET(), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("subscription_id", sa.BigInteger(), nullable=True),
        sa.Column("calling_station", sa.Text(), nullable=True),
        sa.Column("leased_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("freed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("silence_seconds", sa.Integer(), nullable=True),
        sa.Column("after_session_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["pool_id"], ["address_pool.pool_id"], name=op.f("pool_address_pool_id_fkey")
        ),
        sa.PrimaryKeyConstraint("pool_id", "address", name=op.f("pool_address_pkey")),
        sa.UniqueConstraint("org_id", "address", name=op.f("pool_address_org_id_address_key")),
        postgresql_with={"fillfactor": 80},
    )
    op.create_index(
        "pool_address_free_idx",
        "pool_address",
        ["pool_id", sa.text("freed_at NULLS FIRST"), "address"],
        unique=False,
        postgresql_where=sa.text("leased_at IS NULL"),
    )
    op.create_index(
        "pool_address_holder_idx",
        "pool_address",
        ["customer_id", "subscription_id"],
        unique=False,
        postgresql_where=sa.text("customer_id IS NOT NULL"),
    )
    op.create_index(
        "subscription_framed_ip_idx",
        "subscription",
        ["framed_ip"],
        unique=False,
        postgresql_where=sa.text("framed_ip IS NOT NULL"),
    )
    for function in FUNCTIONS:
        run_sql_file(f"functions/{function}.sql")
    run_sql_file("policies/0003_slots_and_pools.sql")
