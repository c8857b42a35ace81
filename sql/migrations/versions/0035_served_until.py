"""Bills know until when their days were served (B6, B9); what is used up early is renewed at once, also
where the wallet pays for use meanwhile (P10)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import replace_function, run_sql_file

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("invoice", sa.Column("served_until", sa.Date()))
    replace_function("load_access_v1")
    replace_function("look_closer_v1")
    run_sql_file("policies/0035_served_until.sql")
