"""Hotspots whose guests come to the captive portal (rule B13)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Base, OrgId


class Hotspot(Base):
    """A NAS that sends its guests to the portal. `org_id`: whose guests they are, not whose the NAS
    is. `addresses`: where it takes logins; nothing is sent anywhere else."""

    __tablename__ = "hotspot"
    __table_args__ = (
        UniqueConstraint("key"),
        CheckConstraint("cardinality(addresses) > 0", name="addresses"),
    )

    nas_id: Mapped[int] = mapped_column(
        ForeignKey("nas.nas_id"), primary_key=True, autoincrement=False
    )
    org_id: Mapped[OrgId]
    key: Mapped[str]
    addresses: Mapped[list[str]]
    uam_secret_sealed: Mapped[bytes | None]
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
