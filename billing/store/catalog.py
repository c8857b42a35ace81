"""Operator, billing profiles and plans."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from datetime import date, datetime

from sqlalchemy import Select, func, select, text
from sqlalchemy.orm import Session

from billing.model.plan import FinalUnit, PlanTerms, Sharing, Starts
from billing.model.profile import (
    BillIn,
    BillingKind,
    BillingProfile,
    DueBasis,
    Payment,
    TaxPoint,
)
from billing.model.views import OperatorView, PlanView, ProfileView
from billing.store import tables
from billing.store.guard import unique

_PROFILE_FIELDS = tuple(field.name for field in fields(BillingProfile))
_TERM_FIELDS = tuple(
    field.name for field in fields(PlanTerms) if field.name not in ("plan_version_id", "plan_name")
)


def operator(tx: Session) -> OperatorView | None:
    """The installation's one operator; None before `tollway migrate` made it."""
    row = tx.get(tables.Operator, 1)
    if row is None:
        return None
    return OperatorView(name=row.name, time_zone=row.time_zone, currency=row.currency)


def insert_operator(tx: Session, operator: OperatorView, now: datetime) -> None:
    """The operator and its organisation 1, the root of the tree."""
    tx.add(
        tables.Operator(
            operator_id=1,
            name=operator.name,
            time_zone=operator.time_zone,
            currency=operator.currency,
            created_at=now,
        )
    )
    if tx.get(tables.Organisation, 1) is None:
        tx.add(tables.Organisation(org_id=1, name=operator.name, created_at=now))
        tx.flush()
        # The number 1 was given by hand: the sequence must not give it again.
        tx.execute(text("SELECT nextval(pg_get_serial_sequence('organisation', 'org_id'))"))
    tx.flush()


def list_profiles(tx: Session, *, archived: bool = False) -> list[ProfileView]:
    """Billing profiles by name."""
    statement = _profiles().order_by(tables.BillingProfile.name)
    if not archived:
        statement = statement.where(tables.BillingProfile.archived_at.is_(None))
    return [_profile_view(row, customers) for row, customers in tx.execute(statement)]


def get_profile(tx: Session, profile_id: int) -> ProfileView | None:
    found = tx.execute(_profiles().where(tables.BillingProfile.profile_id == profile_id)).first()
    return _profile_view(*found) if found else None


def find_profile(tx: Session, name: str, org_id: int | None = None) -> ProfileView | None:
    """By exact name; of one organisation, or the first of all."""
    statement = _profiles().where(tables.BillingProfile.name == name)
    if org_id is not None:
        statement = statement.where(tables.BillingProfile.org_id == org_id)
    found = tx.execute(statement.order_by(tables.BillingProfile.profile_id)).first()
    return _profile_view(*found) if found else None


def insert_profile(
    tx: Session, org_id: int, profile: BillingProfile, today: date, now: datetime
) -> int:
    """Returns the new id; raises Conflict when the name is taken. `today`: a local day."""
    row = tables.BillingProfile(org_id=org_id, revision=1, created_at=now, **_columns(profile))
    row.bills_from = today if profile.automatic_bill else None
    with unique(tx, f"a billing profile named {profile.name!r} exists", field="name"):
        tx.add(row)
    return row.profile_id


def update_profile(tx: Session, profile_id: int, profile: BillingProfile, today: date) -> None:
    """Write every switch and raise the revision; raises Conflict when the name is taken. `today`: a
    local day."""
    row = tx.get_one(tables.BillingProfile, profile_id, with_for_update={"key_share": True})
    with unique(tx, f"a billing profile named {profile.name!r} exists", field="name"):
        if profile.automatic_bill and not row.automatic_bill:
            row.bills_from = today
        for name, value in _columns(profile).items():
            setattr(row, name, value)
        row.revision += 1


def recompile_profile(tx: Session, profile_id: int, credit_limit_micros: int) -> None:
    """Copy the credit limit to the wallets under a profile, for the meter."""
    tx.execute(
        text(
            "SELECT customer_id FROM customer WHERE profile_id = :profile OR customer_id IN"
            " (SELECT customer_id FROM subscription WHERE profile_id = :profile)"
            " ORDER BY customer_id FOR NO KEY UPDATE"
        ),
        {"profile": profile_id},
    )
    tx.execute(
        text(
            "UPDATE wallet w SET credit_limit_micros = :limit FROM subscription s"
            " JOIN customer c USING (customer_id)"
            " WHERE s.customer_id = w.customer_id AND s.wallet_id = w.wallet_id"
            " AND coalesce(s.profile_id, c.profile_id) = :profile"
        ),
        {"profile": profile_id, "limit": credit_limit_micros},
    )


def recheck_profile(tx: Session, profile_id: int, now: datetime) -> None:
    """Have the sweep look at every subscription under a profile again."""
    tx.execute(
        text(
            "UPDATE subscription s SET service_next_change_at = :now FROM customer c"
            " WHERE c.customer_id = s.customer_id AND s.closed_at IS NULL"
            " AND coalesce(s.profile_id, c.profile_id) = :profile"
        ),
        {"profile": profile_id, "now": now},
    )


def profiles_by_id(tx: Session, profile_ids: Iterable[int]) -> dict[int, BillingProfile]:
    """The switches of several stored profiles, in one statement."""
    row = tables.BillingProfile
    return {
        one.profile_id: profile_of(one)
        for one in tx.scalars(select(row).where(row.profile_id.in_(profile_ids)))
    }


def list_plans(tx: Session, now: datetime, *, archived: bool = False) -> list[PlanView]:
    """Plans by name with the version in force at `now`, else their first one."""
    statement = select(tables.Plan).order_by(tables.Plan.name)
    if not archived:
        statement = statement.where(tables.Plan.archived_at.is_(None))
    plans = list(tx.scalars(statement))
    chosen: dict[int, tables.PlanVersion] = {}
    versions = select(tables.PlanVersion).order_by(tables.PlanVersion.version)
    for row in tx.scalars(versions):
        if row.plan_id not in chosen or row.effective_from <= now:
            chosen[row.plan_id] = row
    return [_plan_view(plan, chosen[plan.plan_id]) for plan in plans if plan.plan_id in chosen]


def get_plan(tx: Session, plan_id: int, now: datetime) -> PlanView | None:
    """With the version in force at `now`, else the first one."""
    plan = tx.get(tables.Plan, plan_id)
    if plan is None:
        return None
    versions = plan_versions(tx, plan_id)
    in_force = [version for version in versions if version.effective_from <= now]
    return in_force[-1] if in_force else versions[0]


def plan_of_version(tx: Session, plan_version_id: int, now: datetime) -> PlanView | None:
    """The plan of a version, with the version in force at `now`."""
    row = tx.get(tables.PlanVersion, plan_version_id)
    return None if row is None else get_plan(tx, row.plan_id, now)


def find_plan(tx: Session, name: str, now: datetime) -> PlanView | None:
    """By exact name."""
    plan_id = tx.scalar(
        select(tables.Plan.plan_id).where(tables.Plan.name == name).order_by(tables.Plan.plan_id)
    )
    return None if plan_id is None else get_plan(tx, plan_id, now)


def plan_versions(tx: Session, plan_id: int) -> list[PlanView]:
    """Every version of a plan, oldest first."""
    plan = tx.get_one(tables.Plan, plan_id)
    rows = tx.scalars(
        select(tables.PlanVersion)
        .where(tables.PlanVersion.plan_id == plan_id)
        .order_by(tables.PlanVersion.version)
    )
    return [_plan_view(plan, row) for row in rows]


def get_terms(tx: Session, plan_version_id: int) -> PlanTerms | None:
    return terms_by_version(tx, {plan_version_id}).get(plan_version_id)


def terms_by_version(tx: Session, plan_version_ids: Iterable[int]) -> dict[int, PlanTerms]:
    """Terms by the id of the plan's version, in one statement."""
    statement = (
        select(tables.PlanVersion, tables.Plan.name)
        .join(tables.Plan, tables.Plan.plan_id == tables.PlanVersion.plan_id)
        .where(tables.PlanVersion.plan_version_id.in_(plan_version_ids))
    )
    return {row.plan_version_id: terms_of(row, name) for row, name in tx.execute(statement)}


def insert_plan(tx: Session, org_id: int, name: str, now: datetime) -> int:
    """Returns the new id; raises Conflict when the name is taken."""
    row = tables.Plan(org_id=org_id, name=name, created_at=now)
    with unique(tx, f"a plan named {name!r} exists", field="name"):
        tx.add(row)
    return row.plan_id


def insert_plan_version(
    tx: Session,
    plan_id: int,
    terms: PlanTerms,
    effective_from: datetime,
    now: datetime,
    *,
    notice_days: int | None = None,
) -> int:
    """The next version of a plan; returns its number. Locks the plan."""
    tx.get_one(tables.Plan, plan_id, with_for_update={"key_share": True})
    last = tx.scalar(
        select(func.max(tables.PlanVersion.version)).where(tables.PlanVersion.plan_id == plan_id)
    )
    version = (last or 0) + 1
    tx.add(
        tables.PlanVersion(
            plan_id=plan_id,
            version=version,
            effective_from=effective_from,
            notice_days=notice_days,
            created_at=now,
            **{name: getattr(terms, name) for name in _TERM_FIELDS},
        )
    )
    tx.flush()
    return version


def _profiles() -> Select[tables.BillingProfile, int]:
    customers = (
        select(func.count())
        .where(tables.Customer.profile_id == tables.BillingProfile.profile_id)
        .scalar_subquery()
    )
    return select(tables.BillingProfile, customers)


def _columns(profile: BillingProfile) -> dict[str, object]:
    values: dict[str, object] = {name: getattr(profile, name) for name in _PROFILE_FIELDS}
    values["no_cut_weekdays"] = sorted(profile.no_cut_weekdays)
    values["no_cut_dates"] = sorted(profile.no_cut_dates)
    return values


def profile_of(row: tables.BillingProfile) -> BillingProfile:
    """The switches of a stored profile."""
    values = {name: getattr(row, name) for name in _PROFILE_FIELDS}
    values.update(
        kind=BillingKind(row.kind),
        payment=Payment(row.payment),
        due_basis=DueBasis(row.due_basis),
        bill_in=BillIn(row.bill_in),
        tax_point=TaxPoint(row.tax_point),
        no_cut_weekdays=frozenset(row.no_cut_weekdays),
        no_cut_dates=frozenset(row.no_cut_dates),
    )
    return BillingProfile(**values)


def _profile_view(row: tables.BillingProfile, customers: int) -> ProfileView:
    return ProfileView(
        profile_id=row.profile_id,
        org_id=row.org_id,
        revision=row.revision,
        profile=profile_of(row),
        created_at=row.created_at,
        archived_at=row.archived_at,
        customers=customers,
    )


def terms_of(row: tables.PlanVersion, plan_name: str) -> PlanTerms:
    """The terms of a stored plan version."""
    values = {name: getattr(row, name) for name in _TERM_FIELDS}
    values.update(
        starts=Starts(row.starts),
        sharing=Sharing(row.sharing),
        final_unit_action=row.final_unit_action and FinalUnit(row.final_unit_action),
        tax_point=row.tax_point and TaxPoint(row.tax_point),
    )
    return PlanTerms(plan_version_id=row.plan_version_id, plan_name=plan_name, **values)


def _plan_view(plan: tables.Plan, row: tables.PlanVersion) -> PlanView:
    return PlanView(
        plan_id=plan.plan_id,
        org_id=plan.org_id,
        name=plan.name,
        version=row.version,
        effective_from=row.effective_from,
        terms=terms_of(row, plan.name),
        created_at=plan.created_at,
        archived_at=plan.archived_at,
    )


def schema_ready(tx: Session) -> bool:
    """Whether the migrations have run at all; needs no privilege on any table."""
    return tx.scalar(text("SELECT to_regclass('public.operator') IS NOT NULL")) is True
