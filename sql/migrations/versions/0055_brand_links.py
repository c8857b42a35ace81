"""Links by which the customers' login page shows a reseller's brand, and the name that the mails to
them come from (rule R1)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("organisation", sa.Column("mail_name", sa.Text()))
    op.add_column(
        "organisation",
        sa.Column(
            "brand_key",
            sa.Text(),
            server_default=sa.text("replace((gen_random_uuid())::text, '-'::text, ''::text)"),
            nullable=False,
        ),
    )
    op.create_unique_constraint(op.f("organisation_brand_key_key"), "organisation", ["brand_key"])
    run_sql_file("functions/brand_of_key_v1.sql")
    run_sql_file("policies/0055_brand_links.sql")
