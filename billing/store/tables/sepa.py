"""SEPA direct debit: mandates, files, and which payments each file collects (rules P1, P5)."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Base, CustomerKey, Int, OrgId, serial_key

_SEQUENCE = "sequence IN ('FRST', 'RCUR', 'OOFF', 'FNAL')"


class SepaMandate(Base):
    """A signed mandate; it is good for as long as its method is on file. `iban_sealed`: bound to
    its number. `sequence`: of the next collection. `used_on`: the day of the last one."""

    __tablename__ = "sepa_mandate"
    __table_args__ = (
        CheckConstraint(_SEQUENCE, name="sequence"),
        UniqueConstraint("gateway_id", "reference"),
        UniqueConstraint("customer_id", "method_id"),
    )

    customer_id: Mapped[CustomerKey]
    mandate_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateway.gateway_id"))
    method_id: Mapped[int]
    reference: Mapped[str]
    holder: Mapped[str]
    iban_sealed: Mapped[bytes]
    account: Mapped[str]
    bic: Mapped[str | None]
    signed_on: Mapped[date]
    used_on: Mapped[date | None]
    sequence: Mapped[str]
    reason: Mapped[str | None]
    created_at: Mapped[datetime]


class SepaFile(Base):
    """A file as the bank is given it, sealed, as it holds account numbers; NULL while payments are
    still put into it."""

    __tablename__ = "sepa_file"
    __table_args__ = (
        CheckConstraint(
            "body_sealed IS NULL OR (collections > 0 AND total_micros > 0)", name="collections"
        ),
        Index(
            "sepa_file_unfinished_key",
            "gateway_id",
            unique=True,
            postgresql_where=text("body_sealed IS NULL"),
        ),
    )

    file_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateway.gateway_id"))
    collect_on: Mapped[date]
    collections: Mapped[Int] = mapped_column(server_default="0")
    total_micros: Mapped[int] = mapped_column(server_default="0")
    body_sealed: Mapped[bytes | None]
    made_at: Mapped[datetime]
    made_by: Mapped[str]


class SepaCollection(Base):
    """A payment that a file collects; each is in one file only, and a bill in one, unless what was
    collected came back. `again_id`: the payment that collects again what came back, once."""

    __tablename__ = "sepa_collection"
    __table_args__ = (
        CheckConstraint(_SEQUENCE, name="sequence"),
        Index("sepa_collection_file_idx", "file_id"),
        Index(
            "sepa_collection_bill_key",
            "customer_id",
            "invoice_id",
            unique=True,
            postgresql_where=text("returned_at IS NULL"),
        ),
        CheckConstraint("again_id IS NULL OR returned_at IS NOT NULL", name="again"),
        Index(
            "sepa_collection_again_key",
            "customer_id",
            "again_id",
            unique=True,
            postgresql_where=text("again_id IS NOT NULL"),
        ),
    )

    customer_id: Mapped[CustomerKey]
    attempt_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    org_id: Mapped[OrgId]
    file_id: Mapped[int] = mapped_column(ForeignKey("sepa_file.file_id"))
    mandate_id: Mapped[int]
    invoice_id: Mapped[int | None]
    sequence: Mapped[str]
    returned_at: Mapped[datetime | None]
    returned_for: Mapped[str | None]
    again_id: Mapped[int | None]
