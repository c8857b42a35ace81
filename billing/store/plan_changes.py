"""Changes of plans and prices that are to come or were carried out (rules B17, B18)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, aliased

from billing.model.plan_changes import (
    Announced,
    ChangeKind,
    ChangeState,
    OnPlan,
    PlanChangeView,
    VersionChange,
)
from billing.store import tables
from billing.store.pool import named_query

_Row = tables.PlanChange


def dated(tx: Session, customer_ids: Sequence[int]) -> list[VersionChange]:
    """Those of these customers that have a day, revoked ones left out."""
    rows = tx.connection().exec_driver_sql(
        named_query("plan_changes"), {"customer_ids": list(customer_ids)}
    )
    return [VersionChange(**{**row._mapping, "state": ChangeState(row.state)}) for row in rows]


def insert(tx: Session, row: tables.PlanChange) -> int:
    """Returns the change's id."""
    tx.add(row)
    tx.flush()
    return row.change_id


def pending(tx: Session, customer_id: int, subscription_id: int | None = None) -> list[_Row]:
    """To come, in the order in which they take effect; the customer is locked."""
    statement = select(_Row).where(
        _Row.customer_id == customer_id, _Row.state == ChangeState.PENDING.value
    )
    if subscription_id is not None:
        statement = statement.where(_Row.subscription_id == subscription_id)
    ordered = statement.order_by(_Row.effective_on.nulls_first(), _Row.change_id)
    return list(tx.scalars(ordered.execution_options(populate_existing=True)))


def price_to_come(tx: Session, row: tables.Subscription, plan_id: int) -> date | None:
    """The day from which the plan's new price holds for a subscription of it; None: it does."""
    version = tables.PlanVersion
    return tx.scalar(
        select(_Row.effective_on)
        .join(version, version.plan_version_id == _Row.to_version_id)
        .where(
            _Row.customer_id == row.customer_id,
            _Row.subscription_id == row.subscription_id,
            _Row.kind == ChangeKind.PRICE.value,
            _Row.state == ChangeState.PENDING.value,
            version.plan_id == plan_id,
        )
        .order_by(_Row.effective_on)
        .limit(1)
    )


def changed_since(tx: Session, row: tables.Subscription, at: datetime) -> bool:
    """Whether a subscription was put on another plan after an instant."""
    found = select(_Row.change_id).where(
        _Row.customer_id == row.customer_id,
        _Row.subscription_id == row.subscription_id,
        _Row.kind == ChangeKind.CHANGE.value,
        _Row.state == ChangeState.DONE.value,
        _Row.finished_at > at,
    )
    return tx.scalar(found.limit(1)) is not None


def due(tx: Session, today: date, now: datetime) -> list[int]:
    """Customers with a change that is due at `now`, on the local day `today`."""
    rows = tx.connection().exec_driver_sql(
        named_query("due_plan_changes"), {"today": today, "now": now}
    )
    return [row.customer_id for row in rows]


def announced(tx: Session) -> list[Announced]:
    """Of each plan the latest version of which existing customers get notice."""
    row = tables.PlanVersion
    newest = (
        select(row.plan_id, row.plan_version_id, row.effective_from, row.notice_days)
        .where(row.notice_days.is_not(None))
        .ext(distinct_on(row.plan_id))
        .order_by(row.plan_id, row.version.desc())
    )
    return [Announced(**one._mapping) for one in tx.execute(newest)]


def on_earlier_versions(
    tx: Session,
    plan_id: int,
    version_id: int | None,
    *,
    after: int = 0,
    most: int,
    customer_ids: Sequence[int] | None = None,
) -> list[OnPlan]:
    """Whom a new version concerns who does not know of it, by customer from behind `after` on."""
    rows = tx.connection().exec_driver_sql(
        named_query("on_earlier_versions"),
        {
            "plan_id": plan_id,
            "version_id": version_id,
            "after": after,
            "most": most,
            "customer_ids": None if customer_ids is None else list(customer_ids),
        },
    )
    return [OnPlan(**row._mapping) for row in rows]


def replace_prices(
    tx: Session, customer_id: int, subscription_id: int, from_day: date, now: datetime
) -> None:
    """Prices to come that would take effect on a local day or later come to nothing."""
    tx.execute(
        update(_Row)
        .where(
            _Row.customer_id == customer_id,
            _Row.subscription_id == subscription_id,
            _Row.kind == ChangeKind.PRICE.value,
            _Row.state == ChangeState.PENDING.value,
            _Row.effective_on >= from_day,
        )
        .values(
            state=ChangeState.REVOKED.value,
            finished_at=now,
            problem="a later price takes its place",
        )
    )


def of_subscription(tx: Session, customer_id: int, subscription_id: int) -> list[PlanChangeView]:
    """The record, newest first."""
    new, old = aliased(tables.PlanVersion), aliased(tables.PlanVersion)
    new_plan, old_plan = aliased(tables.Plan), aliased(tables.Plan)
    found = tx.execute(
        select(_Row, new, new_plan.name, old_plan.name)
        .join(new, new.plan_version_id == _Row.to_version_id)
        .join(new_plan, new_plan.plan_id == new.plan_id)
        .outerjoin(old, old.plan_version_id == _Row.from_version_id)
        .outerjoin(old_plan, old_plan.plan_id == old.plan_id)
        .where(_Row.customer_id == customer_id, _Row.subscription_id == subscription_id)
        .order_by(_Row.change_id.desc())
    )
    return [
        PlanChangeView(
            change_id=row.change_id,
            kind=ChangeKind(row.kind),
            state=ChangeState(row.state),
            from_plan=from_plan,
            to_plan=to_plan,
            price_micros=version.price_micros,
            currency=version.currency,
            effective_on=row.effective_on,
            requested_at=row.requested_at,
            finished_at=row.finished_at,
            problem=row.problem,
        )
        for row, version, to_plan, from_plan in found
    ]
