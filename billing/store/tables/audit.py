"""Staff of the panel and the record of what they did."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Base, OrgId, SerialKey


class Staff(Base):
    """A person who may log in to the panel; columns as Flask-Security needs them."""

    __tablename__ = "staff"

    staff_id: Mapped[SerialKey]
    org_id: Mapped[OrgId]
    email: Mapped[str] = mapped_column(unique=True)
    password: Mapped[str | None]
    active: Mapped[bool]
    session_token: Mapped[str] = mapped_column(unique=True)
    """Rotated to end all of the person's browser sessions (Flask-Security's fs_uniquifier)."""
    roles: Mapped[list[str]]
    totp_secret_sealed: Mapped[str | None]
    two_factor_method: Mapped[str | None]
    created_at: Mapped[datetime]
    failed_logins: Mapped[int] = mapped_column(server_default="0")
    last_failed_at: Mapped[datetime | None]


class Enrolment(Base):
    """A one-time link by which a staff member sets the first password (security.md 3)."""

    __tablename__ = "enrolment"

    token_sha256: Mapped[str] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.staff_id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class AuditLog(Base):
    """Who did what, when; append-only, each row chained to the one before it (security.md 13)."""

    __tablename__ = "audit_log"

    audit_id: Mapped[SerialKey]
    at: Mapped[datetime]
    org_id: Mapped[OrgId]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[str]
    previous_sha256: Mapped[str]
    row_sha256: Mapped[str]
