"""IPv6 and reply attributes that one subscriber alone is sent (rule A6)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from billing.store.migrate import run_sql_file

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ADDRESSES = ("framed_ipv6_prefix", "delegated_ipv6_prefix", "framed_ipv6_address")


def upgrade() -> None:
    for name in ADDRESSES:
        op.add_column("subscription", sa.Column(name, postgresql.INET(), nullable=True))
        op.create_index(
            f"subscription_{name}_idx",
            "subscription",
            [name],
            postgresql_using="gist",
            postgresql_ops={name: "inet_ops"},
            postgresql_where=sa.text(f"{name} IS NOT NULL"),
        )
    column = sa.Column("reply_attributes", postgresql.JSONB(none_as_null=True), nullable=True)
    op.add_column("subscription", column)
    # It returns a column more, which no function can be changed to in place: the migrations before
    # this one leave it alone, whatever they were about.
    op.execute("DROP FUNCTION load_access_v1")
    run_sql_file("functions/load_access_v1.sql")
    run_sql_file("functions/ipv6_taken_v1.sql")
    run_sql_file("policies/0014_own_reply.sql")
