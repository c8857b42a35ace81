"""Resellers' brands by their keys, and the checks of their From addresses (rule R1)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from billing.model.brands import Brand
from billing.model.designs import InvoiceDesign
from billing.store import tables
from billing.store.pool import named_query


def by_key(tx: Session, key: str) -> Brand | None:
    """Of a reseller that is not closed, whoever asks."""
    row = tx.connection().exec_driver_sql(named_query("brand_of_key"), {"key": key}).first()
    if row is None:
        return None
    contact = InvoiceDesign(footer=row.footer).contact
    return Brand(name=row.name, accent=row.accent, logo=row.logo, contact=contact, key=key)


def key_of(tx: Session, org_id: int) -> str | None:
    """What links to the pages of a reseller's customers carry; None: the operator's."""
    row = tx.get(tables.Organisation, org_id)
    return None if row is None or row.parent_org_id is None else row.brand_key


def open_check(tx: Session, org_id: int, since: datetime) -> tables.SenderCheck | None:
    """The check that waits for its code, asked for after `since`."""
    table = tables.SenderCheck
    return tx.scalar(
        select(table)
        .where(table.org_id == org_id, table.ended_at.is_(None), table.asked_at > since)
        .order_by(table.check_id.desc())
        .limit(1)
    )


def checks_since(tx: Session, org_id: int, since: datetime) -> int:
    """How many were asked for; those before are removed."""
    table = tables.SenderCheck
    tx.execute(delete(table).where(table.org_id == org_id, table.asked_at <= since))
    return tx.scalar(select(func.count()).where(table.org_id == org_id)) or 0


def end_checks(tx: Session, org_id: int, now: datetime) -> None:
    """No code is awaited any more."""
    table = tables.SenderCheck
    waiting = select(table).where(table.org_id == org_id, table.ended_at.is_(None))
    for row in tx.scalars(waiting):
        row.ended_at = now
    tx.flush()


def add_check(tx: Session, org_id: int, address: str, now: datetime) -> int:
    """Its number; those before it have ended."""
    end_checks(tx, org_id, now)
    row = tables.SenderCheck(org_id=org_id, address=address, asked_at=now)
    tx.add(row)
    tx.flush()
    return row.check_id
