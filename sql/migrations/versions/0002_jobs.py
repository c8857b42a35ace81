"""The job queue: procrastinate's own schema, for the worker; the panel may only add jobs."""

from __future__ import annotations

from alembic import op
from procrastinate.schema import SchemaManager

from billing.store.migrate import run_sql_file

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A raw cursor, as the text holds % and : that mean nothing to SQLAlchemy.
    op.get_bind().connection.cursor().execute(SchemaManager.get_schema())
    run_sql_file("policies/0002_jobs.sql")
