"""What organisations and customers were called on bills, in versions: a row never changes, bills
and credit notes refer to the one that held when they were issued (rule I2)."""

from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Base, CustomerKey, OrgId, serial_key


class OrganisationLetterhead(Base):
    """A version of an organisation's name, address and tax number; the newest is what its next bill
    carries."""

    __tablename__ = "organisation_letterhead"

    org_id: Mapped[int] = mapped_column(
        ForeignKey("organisation.org_id"), primary_key=True, autoincrement=False
    )
    letterhead_id: Mapped[int] = serial_key()
    name: Mapped[str]
    postal_address: Mapped[str | None]
    tax_id: Mapped[str | None]
    country: Mapped[str | None]
    e_invoice: Mapped[bool]


class CustomerLetterhead(Base):
    """The same of a customer."""

    __tablename__ = "customer_letterhead"

    customer_id: Mapped[CustomerKey]
    letterhead_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    name: Mapped[str]
    postal_address: Mapped[str | None]
    tax_id: Mapped[str | None]
    country: Mapped[str | None]
    email: Mapped[str | None]
    phone: Mapped[str | None]
    locale: Mapped[str] = mapped_column(server_default="en")
