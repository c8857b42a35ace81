"""Whom the jobs of billing are for, and whom they could not serve."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import psycopg
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from billing.model.bills import Billable, Parked
from billing.store import tables
from billing.store.pool import named_query


def billed_automatically(tx: Session) -> list[int]:
    """Ids of customers with a subscription whose profile bills by itself, ascending."""
    rows = tx.connection().exec_driver_sql(named_query("billed_automatically"))
    return [row.customer_id for row in rows]


def billable(tx: Session, customer_ids: Sequence[int]) -> list[Billable]:
    """Subscriptions of these customers that are billed automatically."""
    rows = tx.connection().exec_driver_sql(
        named_query("billable"), {"customer_ids": list(customer_ids)}
    )
    return [Billable(**row._mapping) for row in rows]


def renewals_due(tx: Session, now: datetime) -> list[int]:
    """Ids of customers with a period or package that is to be paid by `now`, longest due first."""
    row = tables.Subscription
    due = (
        select(row.customer_id)
        .where(row.renews_at <= now)
        .group_by(row.customer_id)
        .order_by(func.min(row.renews_at), row.customer_id)
    )
    return list(tx.scalars(due))


def put_off_renewals(
    tx: Session, customer_ids: Sequence[int], now: datetime, until: datetime | None
) -> None:
    """What is due of these customers and was not bought is looked at again then; None: not by
    time."""
    row = tables.Subscription
    tx.execute(
        update(row)
        .where(row.customer_id.in_(customer_ids), row.renews_at <= now)
        .values(renews_at=until)
        .execution_options(synchronize_session="fetch")
    )


def wallet_owners(tx: Session, after: int, limit: int) -> list[int]:
    """Ids of customers that have a wallet, ascending from behind `after`."""
    row = tables.Wallet
    owners = (
        select(row.customer_id)
        .where(row.customer_id > after)
        .distinct()
        .order_by(row.customer_id)
        .limit(limit)
    )
    return list(tx.scalars(owners))


def queue(tx: Session, job: str, now: datetime) -> bool:
    """Have the worker run a job as soon as it can, as its clock would; False where it is queued
    already."""
    try:
        with tx.begin_nested():
            tx.connection().exec_driver_sql(
                named_query("queue_job"), {"job": job, "timestamp": int(now.timestamp())}
            )
    except IntegrityError as error:
        if isinstance(error.orig, psycopg.errors.UniqueViolation):
            return False
        raise
    return True


def park(tx: Session, job: str, customer_id: int, problem: str, now: datetime) -> None:
    """Remember that a job failed for a customer; the newest problem stays."""
    statement = insert(tables.ParkedCustomer).values(
        customer_id=customer_id, job=job, at=now, problem=problem[:500]
    )
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=["customer_id", "job"],
            set_={"at": now, "problem": statement.excluded.problem},
        )
    )


def unpark(tx: Session, job: str, customer_ids: Sequence[int]) -> int:
    """It went well for these; returns how many were parked."""
    table = tables.ParkedCustomer
    gone = delete(table).where(table.customer_id.in_(customer_ids), table.job == job)
    return len(tx.scalars(gone.returning(table.customer_id)).all())


def unpark_all(tx: Session, job: str) -> None:
    """Before a run that tries all of them again."""
    tx.execute(delete(tables.ParkedCustomer).where(tables.ParkedCustomer.job == job))


def parked(tx: Session, job: str | None) -> list[Parked]:
    """Whom a job (None: any) could not serve, oldest first."""
    table = tables.ParkedCustomer
    chosen = select(table).order_by(table.at, table.customer_id)
    rows = tx.scalars(chosen if job is None else chosen.where(table.job == job))
    return [
        Parked(job=row.job, customer_id=row.customer_id, at=row.at, problem=row.problem)
        for row in rows
    ]
