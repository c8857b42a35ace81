"""The operator and its tree of resellers (reference tables)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Base, OrgId, SerialKey, Small


class Operator(Base):
    """One row: whose installation this is, and the zone that calendar rules use (rule M3)."""

    __tablename__ = "operator"
    __table_args__ = (CheckConstraint("operator_id = 1", name="single_row"),)

    operator_id: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    time_zone: Mapped[str]
    currency: Mapped[str]
    created_at: Mapped[datetime]
    webhook_kinds: Mapped[list[str]] = mapped_column(server_default="{}")
    """Kinds of messages that the webhook gets about customers without a number, too."""


class Organisation(Base):
    """The operator (no parent) or a reseller."""

    __tablename__ = "organisation"
    __table_args__ = (CheckConstraint("confirm_above_micros >= 0", name="confirm_above"),)

    org_id: Mapped[SerialKey]
    parent_org_id: Mapped[int | None] = mapped_column(ForeignKey("organisation.org_id"), index=True)
    name: Mapped[str]
    mail_from: Mapped[str | None]
    """Its own From address; the installation's where there is none."""
    mail_name: Mapped[str | None]
    """Whom its mails come from; its name where there is none."""
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    postal_address: Mapped[str | None]
    """Lines, as on a letter; with `tax_id` it stands on bills."""
    tax_id: Mapped[str | None]
    country: Mapped[str | None]
    """As ISO 3166-1 writes it: two capital letters."""
    e_invoice: Mapped[bool] = mapped_column(server_default=text("false"))
    """Its bills are e-invoices (EN 16931)."""
    confirm_above_micros: Mapped[int | None]
    """Its staff proves again who it is before it moves more by hand; None: never."""
    brand_key: Mapped[str] = mapped_column(
        unique=True,
        server_default=text("replace((gen_random_uuid())::text, '-'::text, ''::text)"),
    )
    """What the address of its customers' login page carries, so that its brand is there."""


class SenderCheck(Base):
    """A code was sent to the From address that a reseller wants, and has to come back. It is made
    of the installation's key, and stored nowhere. `ended_at`: it came, or another took its place.
    """

    __tablename__ = "sender_check"

    check_id: Mapped[SerialKey]
    org_id: Mapped[OrgId]
    address: Mapped[str]
    asked_at: Mapped[datetime]
    tries: Mapped[Small] = mapped_column(server_default="0")
    ended_at: Mapped[datetime | None]


class InvoiceDesign(Base):
    """How an organisation's bills look (rule I3); without a row, as the operator's do."""

    __tablename__ = "invoice_design"

    org_id: Mapped[OrgId] = mapped_column(primary_key=True, autoincrement=False)
    accent: Mapped[str]
    blocks: Mapped[list[str]]
    logo: Mapped[str | None]
    """A `data:` address."""
    footer: Mapped[str | None]
    css: Mapped[str | None]
    template: Mapped[str | None]
    changed_at: Mapped[datetime]
