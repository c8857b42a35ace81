"""Billing profiles and plans (reference tables; prices in micros of the version's currency)."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.store.tables.base import Base, Int, OrgId, SerialKey, Small


class BillingProfile(Base):
    """The switches of billing-rules.md B. `revision` rises with every edit: readers cache by it.

    `bills_from`: the local day on which automatic bills were switched on (rule B7).
    """

    __tablename__ = "billing_profile"
    __table_args__ = (
        UniqueConstraint("org_id", "name"),
        CheckConstraint("kind IN ('daily', 'monthly')", name="kind"),
        CheckConstraint("payment IN ('prepaid', 'postpaid')", name="payment"),
        CheckConstraint("cycle_day BETWEEN 1 AND 31", name="cycle_day"),
        CheckConstraint("suspend_at_hour BETWEEN 0 AND 23", name="suspend_at_hour"),
        CheckConstraint("tax_point IN ('issue', 'payment')", name="tax_point"),
        CheckConstraint(
            "promise_count >= 0 AND promise_period_days > 0 AND promise_days > 0"
            " AND promise_amount_micros >= 0",
            name="promises",
        ),
        CheckConstraint(
            "dunning_tolerance_micros >= 0 AND reconnection_fee_micros >= 0", name="dunning"
        ),
    )

    profile_id: Mapped[SerialKey]
    org_id: Mapped[OrgId]
    revision: Mapped[Int]
    name: Mapped[str]
    kind: Mapped[str]
    payment: Mapped[str]
    automatic_bill: Mapped[bool]
    monthly_statement: Mapped[bool] = mapped_column(server_default=text("false"))
    automatic_suspend: Mapped[bool]
    cycle_ends_with_month: Mapped[bool]
    cycle_day: Mapped[Small]
    due_basis: Mapped[str]
    due_days: Mapped[Small]
    bill_in: Mapped[str]
    suspend_at_hour: Mapped[Small]
    no_cut_weekdays: Mapped[list[int]]
    no_cut_dates: Mapped[list[date]]
    suspended_pool: Mapped[str | None]
    credit_limit_micros: Mapped[int]
    tax_rate_ppm: Mapped[Int]
    tax_inclusive: Mapped[bool]
    tax_point: Mapped[str] = mapped_column(server_default="issue")
    bills_from: Mapped[date | None]
    dunning_tolerance_micros: Mapped[int] = mapped_column(server_default="0")
    """Of its schedule (`dunning_step`): bills with less open are not dunned."""
    reconnection_fee_micros: Mapped[int] = mapped_column(server_default="0")
    promise_count: Mapped[Small] = mapped_column(server_default="0")
    """What customers may promise themselves (rule B19); 0: only staff takes promises."""
    promise_period_days: Mapped[Small] = mapped_column(server_default="30")
    promise_days: Mapped[Small] = mapped_column(server_default="7")
    promise_amount_micros: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]


class Plan(Base):
    __tablename__ = "plan"
    __table_args__ = (UniqueConstraint("org_id", "name"),)

    plan_id: Mapped[SerialKey]
    org_id: Mapped[OrgId]
    name: Mapped[str]
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]


class PlanVersion(Base):
    """Terms from an instant on; rows never change (rule M6). Fields as in model.plan.PlanTerms."""

    __tablename__ = "plan_version"
    __table_args__ = (
        UniqueConstraint("plan_id", "version"),
        CheckConstraint("price_micros >= 0", name="price"),
        CheckConstraint(
            "(payg_octet_step IS NULL) = (payg_octet_step_micros IS NULL)"
            " AND (payg_second_step IS NULL) = (payg_second_step_micros IS NULL)",
            name="payg_pairs",
        ),
        CheckConstraint("payg_octet_step > 0 AND payg_octet_step_micros >= 0", name="payg_octets"),
        CheckConstraint(
            "payg_second_step > 0 AND payg_second_step_micros >= 0", name="payg_seconds"
        ),
        CheckConstraint("outage_minutes BETWEEN 1 AND 10080", name="outage_minutes"),
        CheckConstraint("notice_days BETWEEN 0 AND 366", name="notice_days"),
        CheckConstraint("pause_days BETWEEN 1 AND 366", name="pause_days"),
        CheckConstraint("tax_rate_ppm BETWEEN 0 AND 1000000", name="tax_rate"),
        CheckConstraint("tax_point IN ('issue', 'payment')", name="tax_point"),
        CheckConstraint("sharing IN ('shared', 'strict')", name="sharing"),
        CheckConstraint(
            "sharing = 'shared' OR slice_seconds > 0 AND slice_octets > 0"
            " AND grant_valid_seconds > 0 AND final_unit_action IS NOT NULL",
            name="slices",
        ),
        CheckConstraint(
            "final_unit_action IN ('terminate', 'redirect', 'restrict-speed')",
            name="final_unit_action",
        ),
        Index(
            "plan_version_windowed_idx",
            "plan_version_id",
            postgresql_where=text("tariff_windows IS NOT NULL"),
        ),
    )

    plan_version_id: Mapped[SerialKey]
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.plan_id"))
    version: Mapped[Int]
    effective_from: Mapped[datetime]
    price_micros: Mapped[int]
    currency: Mapped[str]
    validity_minutes: Mapped[int | None]
    validity_months: Mapped[int | None]
    starts: Mapped[str]
    use_order: Mapped[Int] = mapped_column(server_default="50")
    seconds: Mapped[int | None]
    octets: Mapped[int | None]
    speed_up_kbps: Mapped[int | None]
    speed_down_kbps: Mapped[int | None]
    pool: Mapped[str | None]
    pay_only_pool: Mapped[str | None]
    interim_seconds: Mapped[Int]
    idle_timeout_seconds: Mapped[int | None]
    payg_octet_step: Mapped[int | None]
    payg_octet_step_micros: Mapped[int | None]
    payg_second_step: Mapped[int | None]
    payg_second_step_micros: Mapped[int | None]
    outage_minutes: Mapped[Int | None]
    fair_use: Mapped[str | None]
    tariff_windows: Mapped[str | None]
    sharing: Mapped[str] = mapped_column(server_default="shared")
    slice_seconds: Mapped[int | None]
    slice_octets: Mapped[int | None]
    grant_valid_seconds: Mapped[Int | None]
    final_unit_action: Mapped[str | None]
    restricted_up_kbps: Mapped[int | None]
    restricted_down_kbps: Mapped[int | None]
    pause_days: Mapped[Int | None]
    tax_rate_ppm: Mapped[Int | None]
    tax_point: Mapped[str | None]
    rolls_over: Mapped[bool] = mapped_column(server_default=text("false"))
    notice_days: Mapped[Int | None]
    """Customers of earlier versions move to it after so many days of notice (rule B18); None: they
    keep theirs."""
    created_at: Mapped[datetime]
