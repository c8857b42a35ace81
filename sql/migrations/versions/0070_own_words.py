"""An organisation's own SMS texts; its letterhead and From address are set in the panel, too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0070"
down_revision = "0069"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message_template", sa.Column("sms", sa.Text()))
    run_sql_file("policies/0070_own_words.sql")
