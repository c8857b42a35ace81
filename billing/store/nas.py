"""Routers and hotspot controllers."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.model.views import NasView
from billing.store import tables
from billing.store.guard import unique


def insert_nas(tx: Session, row: tables.Nas) -> int:
    """Returns the id. Raises Conflict when the address or the name is taken."""
    taken = f"a NAS with the address {row.address} or the name {row.name!r} exists"
    with unique(tx, taken, field="address"):
        tx.add(row)
    return row.nas_id


def count_of(tx: Session, org_id: int) -> int:
    """How many an organisation has."""
    return tx.scalar(select(func.count()).where(tables.Nas.org_id == org_id)) or 0


def get_nas(tx: Session, nas_id: int) -> tables.Nas | None:
    """The row, for the services in this transaction only; never handed out."""
    return tx.scalar(select(tables.Nas).where(tables.Nas.nas_id == nas_id))


def lock_nas(tx: Session, nas_id: int) -> tables.Nas | None:
    """The row, to be changed."""
    return tx.get(tables.Nas, nas_id, with_for_update=True, populate_existing=True)


def find_nas(tx: Session, name: str) -> list[int]:
    """The numbers of the NAS of this name: one in each organisation at most."""
    return list(tx.scalars(select(tables.Nas.nas_id).where(tables.Nas.name == name.strip())))


def names_of(tx: Session, nas_ids: Collection[int]) -> tuple[str, ...]:
    """Of these NAS, in order; one that is not seen by its number."""
    if not nas_ids:
        return ()
    nas = tables.Nas
    rows = tx.execute(select(nas.nas_id, nas.name).where(nas.nas_id.in_(nas_ids)))
    known = {row.nas_id: row.name for row in rows}
    return tuple(sorted(known.get(nas_id, str(nas_id)) for nas_id in nas_ids))


def list_nas(tx: Session, now: datetime) -> list[NasView]:
    """By name, without those closed by `now`."""
    rows = tx.scalars(
        select(tables.Nas)
        .where(tables.Nas.closed_at.is_(None) | (tables.Nas.closed_at > now))
        .order_by(tables.Nas.name)
    )
    return [view(row) for row in rows]


def view(row: tables.Nas) -> NasView:
    """The NAS as services hand it out, without its secret."""
    return NasView(
        nas_id=row.nas_id,
        org_id=row.org_id,
        name=row.name,
        address=str(row.address),
        vendor=row.vendor,
        coa_port=row.coa_port,
        swap_octets=row.swap_octets,
        require_message_authenticator=row.require_message_authenticator,
        created_at=row.created_at,
        closed_at=row.closed_at,
    )
