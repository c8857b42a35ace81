"""What was carried, for the steps of fair use (rule Q2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from billing.model.profile import BillingKind
from billing.model.profile import BillingProfile as Profile
from billing.store.catalog import profile_of
from billing.store.pool import named_query
from billing.store.tables import BillingProfile, DailyUsage, PlanVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A subscription that a step may have been reached by; see the query."""

    customer_id: int
    subscription_id: int
    fair_use: str | None
    capped_by_octets: int | None
    used_octets: int


def monthly_profiles(tx: Session) -> dict[int, Profile]:
    """Billing profiles with cycles, by number."""
    rows = tx.scalars(select(BillingProfile).where(BillingProfile.kind == BillingKind.MONTHLY))
    return {row.profile_id: profile_of(row) for row in rows}


def candidates(
    tx: Session, *, first_days: Mapping[int, date], since: datetime, now: datetime
) -> Sequence[Candidate]:
    """Those with a session that was accounted for since `since`; `first_days` are those of the
    cycles that run, by billing profile."""
    if not tx.scalar(select(select(PlanVersion).where(PlanVersion.fair_use.is_not(None)).exists())):
        return []
    rows = tx.execute(
        text(named_query("fair_use_candidates")),
        {
            "since": since,
            "now": now,
            "profile_ids": list(first_days),
            "first_days": list(first_days.values()),
        },
    ).mappings()
    return [Candidate(**row) for row in rows]


def used_octets(
    tx: Session, customer_id: int, subscription_id: int, *, entitlement_id: int, since: date | None
) -> int:
    """Both directions, of one package (0: of no package), from a local day on."""
    statement = select(
        func.coalesce(func.sum(DailyUsage.input_octets + DailyUsage.output_octets), 0)
    ).where(
        DailyUsage.customer_id == customer_id,
        DailyUsage.subscription_id == subscription_id,
        DailyUsage.entitlement_id == entitlement_id,
        DailyUsage.kind != "free",
    )
    if since is not None:
        statement = statement.where(DailyUsage.local_day >= since)
    return int(tx.scalar(statement) or 0)
