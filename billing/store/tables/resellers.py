"""Resellers: their accounts, price lists, sales, transfers and requests (rules R1, R2).

A reseller's money is the wallet of a customer of its own organisation, its account: in that journal
its own money is. Nobody sells to an account, and the panel's role cannot write to one: what moves
it are functions, for sales and their undoing, for vouchers sold and given back, for transfers.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Base, CustomerKey, Int, OrgId, Small, serial_key


class Reseller(Base):
    """An organisation that sells from a wallet, and what its parent allows it."""

    __tablename__ = "reseller"
    __table_args__ = (
        CheckConstraint("undo_minutes >= 0", name="undo_minutes"),
        CheckConstraint("max_customers >= 0", name="max_customers"),
        CheckConstraint("max_nas >= 0", name="max_nas"),
        CheckConstraint("max_plans >= 0", name="max_plans"),
    )

    org_id: Mapped[OrgId] = mapped_column(primary_key=True, autoincrement=False)
    account_customer_id: Mapped[int] = mapped_column(unique=True)
    undo_minutes: Mapped[Int]
    """How long its own staff may undo a sale; later only who is above it."""
    max_customers: Mapped[Int | None]
    """NULL: as many as it wants; so for the next two."""
    max_nas: Mapped[Int | None]
    max_plans: Mapped[Int | None]
    """On its price list."""
    earns_on_self_service: Mapped[bool] = mapped_column(server_default=text("true"))
    """It earns by what customers, its own and those of resellers below it, buy themselves."""
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class ResellerCost(Base):
    """What a reseller pays for a plan, taxes included, from `set_at` on: the last row holds.
    Written by who is above it; without one, or with NULL, it cannot sell the plan."""

    __tablename__ = "reseller_cost"
    __table_args__ = (
        CheckConstraint("cost_micros >= 0", name="cost"),
        Index("reseller_cost_plan_idx", "org_id", "plan_id", "cost_id"),
    )

    org_id: Mapped[int] = mapped_column(
        ForeignKey("organisation.org_id"), primary_key=True, autoincrement=False
    )
    cost_id: Mapped[int] = serial_key()
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.plan_id"), index=True)
    cost_micros: Mapped[int | None]
    below_parent: Mapped[bool] = mapped_column(server_default=text("false"))
    """It may be less than what the parent pays: then the parent's wallet pays the difference."""
    set_at: Mapped[datetime]
    set_by: Mapped[str]


class ResellerRetail(Base):
    """What a reseller's customers pay for a plan, in place of the plan's own price: the last row
    holds. Written by the reseller, or who is above it; NULL: the plan's price again."""

    __tablename__ = "reseller_retail"
    __table_args__ = (
        CheckConstraint("retail_micros >= 0", name="retail"),
        Index("reseller_retail_plan_idx", "org_id", "plan_id", "retail_id"),
    )

    org_id: Mapped[int] = mapped_column(
        ForeignKey("organisation.org_id"), primary_key=True, autoincrement=False
    )
    retail_id: Mapped[int] = serial_key()
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.plan_id"), index=True)
    retail_micros: Mapped[int | None]
    set_at: Mapped[datetime]
    set_by: Mapped[str]


class ResellerSale(Base):
    """A package that a reseller sold to the customer; undone at most once. `payment_id` is None
    for one of nothing."""

    __tablename__ = "reseller_sale"
    __table_args__ = (
        CheckConstraint("retail_micros >= 0 AND back_micros >= 0", name="retail"),
        CheckConstraint("back_micros <= retail_micros", name="back"),
        Index("reseller_sale_id_idx", "sale_id"),
        Index("reseller_sale_entitlement_key", "customer_id", "entitlement_id", unique=True),
    )

    customer_id: Mapped[CustomerKey]
    sale_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    subscription_id: Mapped[int]
    entitlement_id: Mapped[int]
    plan_id: Mapped[int]
    payment_id: Mapped[int | None]
    retail_micros: Mapped[int]
    """What the customer paid, taxes included."""
    currency: Mapped[str]
    sold_at: Mapped[datetime]
    sold_by: Mapped[str]
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[str | None]
    back_micros: Mapped[int] = mapped_column(server_default="0")
    """What the customer got back of it."""
    back_entry_id: Mapped[int | None]


class ResellerShare(Base):
    """What a sale moved in the account of the reseller that sold (`depth` 0) and of each above it:
    the cost was taken from the first, the difference of two costs went to the others."""

    __tablename__ = "reseller_share"
    __table_args__ = (
        CheckConstraint("depth >= 0", name="depth"),
        CheckConstraint("cost_micros >= 0 AND back_micros >= 0", name="cost"),
        CheckConstraint("back_micros <= cost_micros", name="back"),
        Index("reseller_share_sale_id_idx", "sale_id"),
        Index("reseller_share_sale_key", "customer_id", "sale_id", unique=True),
    )

    customer_id: Mapped[CustomerKey]
    share_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    sale_id: Mapped[int]
    seller_org_id: Mapped[int]
    plan_id: Mapped[int]
    depth: Mapped[Small]
    at: Mapped[datetime]
    cost_micros: Mapped[int]
    wallet_micros: Mapped[int]
    """Moved in the wallet: the cost, negative, of who sold; the margin of the others."""
    retail_micros: Mapped[int]
    """Of who sold, what the customer paid; 0 of the others."""
    currency: Mapped[str]
    entry_id: Mapped[int | None]
    undone_at: Mapped[datetime | None]
    back_micros: Mapped[int] = mapped_column(server_default="0")
    """Of the cost."""
    back_wallet_micros: Mapped[int] = mapped_column(server_default="0")
    back_entry_id: Mapped[int | None]


class ResellerVoucherSale(Base):
    """Vouchers that a reseller sold (rule R3), or, with a negative count, gave back unused of the
    sale `of_sale_id`. The customer is the counter in whose journal `entry_id` is; None: of nothing.
    """

    __tablename__ = "reseller_voucher_sale"
    __table_args__ = (
        CheckConstraint("count <> 0 AND (count < 0) = (of_sale_id IS NOT NULL)", name="count"),
        CheckConstraint("retail_micros = 0 OR (retail_micros < 0) = (count < 0)", name="retail"),
        Index("reseller_voucher_sale_id_idx", "sale_id", unique=True),
        Index(
            "reseller_voucher_sale_entry_key",
            "customer_id",
            "entry_id",
            unique=True,
            postgresql_where=text("entry_id IS NOT NULL"),
        ),
    )

    customer_id: Mapped[CustomerKey]
    sale_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    batch_id: Mapped[int]
    plan_id: Mapped[int | None]
    """None: vouchers for money."""
    count: Mapped[int]
    retail_micros: Mapped[int]
    """What they are worth in all."""
    currency: Mapped[str]
    entry_id: Mapped[int | None]
    of_sale_id: Mapped[int | None]
    at: Mapped[datetime]
    by: Mapped[str]


class ResellerVoucherShare(Base):
    """What that moved in the account of who sold (`depth` 0) and of each above it, as in
    `ResellerShare`; negative where it was given back."""

    __tablename__ = "reseller_voucher_share"
    __table_args__ = (
        CheckConstraint("depth >= 0", name="depth"),
        Index("reseller_voucher_share_sale_id_idx", "sale_id"),
        Index("reseller_voucher_share_sale_key", "customer_id", "sale_id", unique=True),
    )

    customer_id: Mapped[CustomerKey]
    share_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    sale_id: Mapped[int]
    seller_org_id: Mapped[int]
    plan_id: Mapped[int | None]
    depth: Mapped[Small]
    at: Mapped[datetime]
    cost_micros: Mapped[int]
    wallet_micros: Mapped[int]
    retail_micros: Mapped[int]
    currency: Mapped[str]
    entry_id: Mapped[int | None]


class ResellerTransfer(Base):
    """Money from above (or, negative, pulled back) into the account; from the parent's account, or,
    where that is the operator, by a channel of money."""

    __tablename__ = "reseller_transfer"
    __table_args__ = (
        CheckConstraint("amount_micros <> 0", name="amount"),
        CheckConstraint(
            "channel IS NULL OR from_customer_id IS NULL AND from_entry_id IS NULL",
            name="source",
        ),
    )

    customer_id: Mapped[CustomerKey]
    transfer_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    amount_micros: Mapped[int]
    currency: Mapped[str]
    entry_id: Mapped[int]
    from_customer_id: Mapped[int | None]
    from_entry_id: Mapped[int | None]
    channel: Mapped[str | None]
    payment_id: Mapped[int | None]
    reference: Mapped[str | None]
    at: Mapped[datetime]
    by: Mapped[str]


class ResellerRequest(Base):
    """A reseller asks for money; who is above it answers once."""

    __tablename__ = "reseller_request"
    __table_args__ = (
        CheckConstraint("amount_micros > 0", name="amount"),
        CheckConstraint("state IN ('pending', 'approved', 'declined')", name="state"),
        CheckConstraint("(state = 'pending') = (decided_at IS NULL)", name="decided"),
        Index(
            "reseller_request_pending_key",
            "customer_id",
            unique=True,
            postgresql_where=text("state = 'pending'"),
        ),
    )

    customer_id: Mapped[CustomerKey]
    request_id: Mapped[int] = serial_key()
    org_id: Mapped[OrgId]
    amount_micros: Mapped[int]
    currency: Mapped[str]
    note: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default="pending")
    asked_at: Mapped[datetime]
    asked_by: Mapped[str]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    answer: Mapped[str | None]
    transfer_id: Mapped[int | None]
