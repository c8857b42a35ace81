"""Whose usage it is when a NAS accounts under an anonymous outer name (rule U3)."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("login_subscription_idx", "login", ["subscription_id"])
