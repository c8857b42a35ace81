"""Who had an address at a time is looked up by indexes of past sessions (rule U12)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0061"
down_revision = "0052"
branch_labels = None
depends_on = None


def upgrade() -> None:
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
