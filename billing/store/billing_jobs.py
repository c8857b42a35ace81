"""Whom the jobs of billing are for, and whom they could not serve."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import psycopg
from sqlalchemy import delete, select
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


def unpark(tx: Session, job: str, customer_ids: Sequence[int]) -> None:
    """It went well for these."""
    table = tables.ParkedCustomer
    tx.execute(delete(table).where(table.customer_id.in_(customer_ids), table.job == job))


def parked(tx: Session, job: str) -> list[Parked]:
    """Whom a job could not serve, oldest first."""
    table = tables.ParkedCustomer
    rows = tx.scalars(select(table).where(table.job == job).order_by(table.at, table.customer_id))
    return [
        Parked(job=row.job, customer_id=row.customer_id, at=row.at, problem=row.problem)
        for row in rows
    ]
