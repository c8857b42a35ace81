"""Money of another amount or currency than asked for is known at its payment (rule P1)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.store.migrate import run_sql_file

revision = "0072"
down_revision = "0071"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("payment_attempt", sa.Column("kept_micros", sa.BigInteger()))
    op.add_column("payment_attempt", sa.Column("kept_currency", sa.Text()))
    op.create_check_constraint(
        "kept",
        "payment_attempt",
        "kept_micros > 0 AND kept_currency IS NOT NULL"
        " OR kept_micros IS NULL AND kept_currency IS NULL",
    )
    # Those that were refused before: their suspense names them.
    op.execute(
        """
        UPDATE payment_attempt AS attempt
           SET kept_micros = suspense.amount_micros, kept_currency = suspense.currency
          FROM suspense
         WHERE suspense.gateway_id = attempt.gateway_id
           AND suspense.note LIKE 'payment ' || attempt.attempt_id || ': %'
           AND attempt.state IN ('failed', 'cancelled')
        """
    )
    run_sql_file("policies/0072_kept_money.sql")
