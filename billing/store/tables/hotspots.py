"""Hotspots whose guests come to the captive portal (rule B13)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Base, CustomerKey, OrgId, serial_key


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


class HotspotOffer(Base):
    """A plan that guests of a hotspot may buy. `batch_id`: the batch that vouchers sold of it are
    added to, as long as its version and price stay."""

    __tablename__ = "hotspot_offer"

    nas_id: Mapped[int] = mapped_column(
        ForeignKey("hotspot.nas_id"), primary_key=True, autoincrement=False
    )
    plan_id: Mapped[int] = mapped_column(
        ForeignKey("plan.plan_id"), primary_key=True, autoincrement=False
    )
    org_id: Mapped[OrgId]
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("voucher_batch.batch_id"))


class HotspotOrder(Base):
    """What a guest buys: he is a customer of his own, who pays into his wallet; `serial` is the
    voucher that this buys when the money has come. `token_sha256`: of what his browser shows to see
    it. `code_sealed`: the voucher's code, until it is forgotten. `problem`: why he has paid and has
    no voucher."""

    __tablename__ = "hotspot_order"
    __table_args__ = (
        CheckConstraint("price_micros > 0", name="price"),
        Index("hotspot_order_token_idx", "token_sha256"),
        Index("hotspot_order_created_idx", "created_at"),
        Index(
            "hotspot_order_kept_idx", "issued_at", postgresql_where=text("code_sealed IS NOT NULL")
        ),
    )

    customer_id: Mapped[CustomerKey]
    order_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    nas_id: Mapped[int] = mapped_column(ForeignKey("hotspot.nas_id"))
    batch_id: Mapped[int] = mapped_column(ForeignKey("voucher_batch.batch_id"))
    plan_name: Mapped[str]
    price_micros: Mapped[int]
    currency: Mapped[str]
    token_sha256: Mapped[str]
    attempt_id: Mapped[int]
    serial: Mapped[int | None]
    code_sealed: Mapped[bytes | None]
    problem: Mapped[str | None]
    created_at: Mapped[datetime]
    issued_at: Mapped[datetime | None]
