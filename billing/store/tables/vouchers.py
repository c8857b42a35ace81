"""Vouchers (rule R3). A voucher belongs to its batch until somebody redeems it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Base, Int, OrgId, SerialKey, Small, serial_key


class VoucherBatch(Base):
    """Vouchers that were made together. `face_micros` is what one is sold for and worth."""

    __tablename__ = "voucher_batch"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('plan', 'amount') AND (kind = 'plan') = (plan_version_id IS NOT NULL)",
            name="kind",
        ),
        CheckConstraint("face_micros >= 0 AND (kind = 'plan' OR face_micros > 0)", name="face"),
        CheckConstraint("alphabet IN ('mixed', 'letters', 'digits')", name="alphabet"),
        CheckConstraint("session_limit > 0", name="session_limit"),
    )

    batch_id: Mapped[SerialKey]
    org_id: Mapped[OrgId]
    name: Mapped[str]
    kind: Mapped[str]
    plan_version_id: Mapped[int | None] = mapped_column(ForeignKey("plan_version.plan_version_id"))
    """The version that was in force when the batch was made: what is sold with it (rule M6)."""
    profile_id: Mapped[int] = mapped_column(ForeignKey("billing_profile.profile_id"))
    face_micros: Mapped[int]
    currency: Mapped[str]
    prefix: Mapped[str]
    length: Mapped[Small]
    alphabet: Mapped[str]
    password_length: Mapped[Small] = mapped_column("pass_length")
    as_login: Mapped[bool]
    session_limit: Mapped[int | None]
    """Of a subscriber that logs in by a voucher of it."""
    expires_at: Mapped[datetime | None]
    made_at: Mapped[datetime]
    codes_sealed: Mapped[bytes | None]
    """Serial numbers and codes until they are handed over, once; then nobody can read them."""


class Voucher(Base):
    """`code_hmac` is keyed: the key is outside the database. `customer_id` and the ids beside it
    say who redeemed it; of an active one that may log in, the subscriber that waits for that."""

    __tablename__ = "voucher"
    __table_args__ = (
        CheckConstraint(
            "state IN ('created', 'active', 'redeemed', 'expired', 'revoked', 'replaced')",
            name="state",
        ),
        CheckConstraint("(ended_at IS NULL) = (state IN ('created', 'active'))", name="ended"),
        CheckConstraint("state <> 'active' OR activated_at IS NOT NULL", name="activated"),
        CheckConstraint("state <> 'redeemed' OR customer_id IS NOT NULL", name="redeemed"),
        Index("voucher_code_hmac_idx", "code_hmac", unique=True),
        Index("voucher_serial_idx", "serial", unique=True),
        Index(
            "voucher_expiring_idx",
            "expires_at",
            postgresql_where=text("state IN ('created', 'active') AND expires_at IS NOT NULL"),
        ),
        Index(
            "voucher_waiting_idx",
            "customer_id",
            postgresql_where=text("state = 'active' AND customer_id IS NOT NULL"),
        ),
        Index(
            "voucher_customer_idx", "customer_id", postgresql_where=text("customer_id IS NOT NULL")
        ),
    )

    batch_id: Mapped[int] = mapped_column(
        ForeignKey("voucher_batch.batch_id"), primary_key=True, autoincrement=False
    )
    serial: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    code_hmac: Mapped[bytes]
    state: Mapped[str]
    expires_at: Mapped[datetime | None]
    activated_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    sold_customer_id: Mapped[int | None]
    """In whose journal its sale is."""
    sold_entry_id: Mapped[int | None]
    reseller_sale_id: Mapped[int | None] = mapped_column(index=True)
    """The sale from a reseller's wallet that it is of (rule R1); written by functions alone."""
    customer_id: Mapped[int | None]
    subscription_id: Mapped[int | None]
    entitlement_id: Mapped[int | None]
    payment_id: Mapped[int | None]
    """The customer's payment by it; None: it was worth nothing."""
    login_name: Mapped[str | None]
    """The user name that a login by its code is known by."""
    replaced_by: Mapped[int | None]


class VoucherCounter(Base):
    """The customer in whose journal is what an organisation sells of vouchers over the counter, and
    what lapses of them: money that is nobody's own."""

    __tablename__ = "voucher_counter"

    org_id: Mapped[OrgId] = mapped_column(primary_key=True, autoincrement=False)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.customer_id"))


class VoucherGuess(Base):
    """Wrong codes that were typed (rule R3), by who typed them; the empty source counts all."""

    __tablename__ = "voucher_guess"

    source: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[Int]
    window_started_at: Mapped[datetime]


class VoucherKey(Base):
    """A key that codes are hashed with since it was made, sealed with the installation's, from
    which the first one follows. Of no organisation."""

    __tablename__ = "voucher_key"
    __table_args__ = (CheckConstraint("key_id > 0", name="number"),)

    key_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key_sealed: Mapped[bytes]
    made_at: Mapped[datetime]
    made_by: Mapped[str]


class VoucherDesign(Base):
    """How an organisation's voucher cards look. `logo`: a picture as a `data:` address."""

    __tablename__ = "voucher_design"
    __table_args__ = (CheckConstraint("width_mm > 0 AND height_mm > 0", name="size"),)

    org_id: Mapped[int] = mapped_column(
        ForeignKey("organisation.org_id"), primary_key=True, autoincrement=False
    )
    accent: Mapped[str]
    paper: Mapped[str]
    blocks: Mapped[list[str]]
    width_mm: Mapped[Small]
    height_mm: Mapped[Small]
    logo: Mapped[str | None]
    text: Mapped[str | None]
    css: Mapped[str | None]
    changed_at: Mapped[datetime]
