"""Dunning: schedules of profiles, open bills, what was done about them (rule I5)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from billing.model.dunning import (
    BillToDun,
    DunningEventView,
    DunningSchedule,
    DunningStep,
)
from billing.store import tables
from billing.store.pool import named_query


def schedules(tx: Session, profile_ids: Iterable[int]) -> dict[int, DunningSchedule]:
    """By profile, each with its steps in the order of their days."""
    ids = set(profile_ids)
    row, profile = tables.DunningStep, tables.BillingProfile
    steps: dict[int, list[DunningStep]] = defaultdict(list)
    for one in tx.scalars(select(row).where(row.profile_id.in_(ids)).order_by(row.days)):
        steps[one.profile_id].append(_step(one))
    return {
        one.profile_id: DunningSchedule(
            steps=tuple(steps[one.profile_id]),
            tolerance_micros=one.dunning_tolerance_micros,
            reconnection_fee_micros=one.reconnection_fee_micros,
        )
        for one in tx.scalars(select(profile).where(profile.profile_id.in_(ids)))
    }


def replace_schedule(tx: Session, profile_id: int, schedule: DunningSchedule) -> None:
    """Write a profile's schedule in the place of the one before; its row gets locked."""
    row = tx.get_one(tables.BillingProfile, profile_id, with_for_update={"key_share": True})
    row.dunning_tolerance_micros = schedule.tolerance_micros
    row.reconnection_fee_micros = schedule.reconnection_fee_micros
    tx.execute(delete(tables.DunningStep).where(tables.DunningStep.profile_id == profile_id))
    tx.add_all(
        tables.DunningStep(
            profile_id=profile_id,
            days=step.days,
            org_id=row.org_id,
            reminds=step.reminds,
            fee_micros=step.fee_micros,
            fee_ppm=step.fee_ppm,
            fee_most_micros=step.fee_most_micros,
            since=step.since,
        )
        for step in schedule.steps
    )
    tx.flush()


def candidates(tx: Session, today: date, job: str) -> list[int]:
    """Ids of customers of whose bills a step may be due on a local day, ascending."""
    rows = tx.connection().exec_driver_sql(
        named_query("dunning_candidates"), {"today": today, "job": job}
    )
    return [row.customer_id for row in rows]


def bills_to_dun(tx: Session, customer_ids: Sequence[int]) -> list[BillToDun]:
    """Their open bills, the oldest first within a customer."""
    rows = tx.connection().exec_driver_sql(
        named_query("bills_to_dun"), {"customer_ids": list(customer_ids)}
    )
    return [BillToDun(**{**row._mapping, "done": tuple(row.done)}) for row in rows]


def record(tx: Session, events: Sequence[tables.DunningEvent]) -> None:
    """Steps have had their effect; the key refuses a second one. The customers are locked."""
    tx.add_all(events)
    tx.flush()


def pass_over(tx: Session, customer_id: int, today: date, now: datetime) -> None:
    """Steps of days before the local day `today` have no effect on the customer's open bills any
    more, as another schedule held on these days (rule B14)."""
    tx.connection().exec_driver_sql(
        named_query("pass_over_steps"), {"customer_id": customer_id, "today": today, "now": now}
    )


def events_of(tx: Session, customer_id: int, invoice_id: int) -> list[DunningEventView]:
    """What was done about a bill, oldest first."""
    rows = tx.connection().exec_driver_sql(
        named_query("dunning_events"), {"customer_id": customer_id, "invoice_id": invoice_id}
    )
    return [DunningEventView(**row._mapping) for row in rows]


def _step(row: tables.DunningStep) -> DunningStep:
    return DunningStep(
        days=row.days,
        reminds=row.reminds,
        fee_micros=row.fee_micros,
        fee_ppm=row.fee_ppm,
        fee_most_micros=row.fee_most_micros,
        since=row.since,
    )
