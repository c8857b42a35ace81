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
    totp_last_counter: Mapped[int | None]
    """Time step of the last code accepted, so that a code works once (security.md 4)."""


class Enrolment(Base):
    """A one-time link by which a staff member sets the first password (security.md 3)."""

    __tablename__ = "enrolment"

    token_sha256: Mapped[str] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.staff_id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class StaffSession(Base):
    """A browser that is logged in; deleting the row logs it out (security.md 5)."""

    __tablename__ = "staff_session"

    token_sha256: Mapped[str] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.staff_id"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    proved_at: Mapped[datetime | None]
    """When its person last gave the password again (security.md 16)."""


class StaffThrottle(Base):
    """Failed panel logins in the running window (security.md 8).

    `throttle_key`: `account:ID`, `device:HASH` (a browser known to the account, counted apart so
    that a stranger cannot lock the person out) or `address:IP`.
    """

    __tablename__ = "staff_throttle"

    throttle_key: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    window_started_at: Mapped[datetime]


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
