"""What was not heard during an outage is not silence (rules A6, A7, U7, U10)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from billing.store.migrate import replace_function, run_sql_file

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

CHANGED = (
    "pool_leases_v1",
    "take_slot_v1",
    "end_taken_over_v1",
    "reap_silent_v1",
    "close_rebooted_v1",
)


def upgrade() -> None:
    op.create_table(
        "hearing",
        sa.Column("hearing_id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("since", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("last_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("hearing_id = 1", name=op.f("hearing_one_check")),
        sa.PrimaryKeyConstraint("hearing_id", name=op.f("hearing_pkey")),
    )
    run_sql_file("functions/hear_v1.sql")
    run_sql_file("functions/heard_since_v1.sql")
    for function in CHANGED:
        replace_function(function)
    run_sql_file("policies/0012_hearing.sql")
