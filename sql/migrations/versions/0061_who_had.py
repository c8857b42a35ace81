"""Who had an address at a time is looked up by indexes of past sessions (rule U12)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from billing.store.migrate import run_sql_file

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _index_past_sessions()
    op.create_table(
        "nat_block",
        sa.Column("block_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("outer_address", postgresql.INET(), nullable=False),
        sa.Column("first_port", sa.Integer(), nullable=False),
        sa.Column("last_port", sa.Integer(), nullable=False),
        sa.Column("inner_address", postgresql.INET(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "first_port BETWEEN 0 AND last_port AND last_port <= 65535",
            name=op.f("nat_block_ports_check"),
        ),
        sa.CheckConstraint("until >= since", name=op.f("nat_block_ends_check")),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisation.org_id"], name=op.f("nat_block_org_id_fkey")
        ),
        sa.PrimaryKeyConstraint("block_id", name=op.f("nat_block_pkey")),
        sa.UniqueConstraint(
            "outer_address",
            "first_port",
            "since",
            "inner_address",
            "org_id",
            name=op.f("nat_block_outer_address_key"),
        ),
    )
    op.create_index(op.f("nat_block_org_id_idx"), "nat_block", ["org_id"])
    run_sql_file("policies/0061_who_had.sql")


def _index_past_sessions() -> None:
    for name, column in (
        ("session_history_framed_ip_idx", "framed_ip"),
        ("session_history_ipv6_address_idx", "framed_ipv6_address"),
        ("session_history_ipv6_prefix_idx", "framed_ipv6_prefix"),
        ("session_history_delegated_idx", "delegated_ipv6_prefix"),
    ):
        op.create_index(
            name,
            "session_history",
            [column, "closed_at"],
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
        )
    op.create_index(
        "session_history_interface_idx",
        "session_history",
        ["framed_interface_id", "closed_at"],
        postgresql_where=sa.text(
            "framed_interface_id IS NOT NULL AND framed_ipv6_prefix IS NULL"
            " AND framed_ipv6_address IS NULL"
        ),
    )
