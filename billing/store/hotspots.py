"""Hotspots of the captive portal (rule B13)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.model.hotspots import HotspotView, login_dialect
from billing.store import tables
from billing.store.guard import unique
from billing.store.pool import named_query


def insert(tx: Session, row: tables.Hotspot) -> None:
    """Raises Conflict: the NAS has one."""
    with unique(tx, "this NAS is a hotspot already; see `tollway hotspot list`", field="nas"):
        tx.add(row)


def lock(tx: Session, nas_id: int) -> tables.Hotspot | None:
    """The row, to be changed."""
    return tx.get(tables.Hotspot, nas_id, with_for_update=True, populate_existing=True)


def listed(tx: Session, nas_id: int | None = None) -> list[HotspotView]:
    """By the names of their NAS: all of them, or one."""
    row, nas = tables.Hotspot, tables.Nas
    found = select(row, nas).join(nas, nas.nas_id == row.nas_id).order_by(nas.name)
    if nas_id is not None:
        found = found.where(row.nas_id == nas_id)
    return [
        HotspotView(
            nas_id=one.nas_id,
            org_id=one.org_id,
            key=one.key,
            nas_name=router.name,
            dialect=login_dialect(router.vendor),
            addresses=tuple(one.addresses),
            has_uam_secret=one.uam_secret_sealed is not None,
            created_at=one.created_at,
            closed_at=one.closed_at,
        )
        for one, router in tx.execute(found)
    ]


def by_key(tx: Session, key: str, now: datetime) -> Any | None:
    """A row of hotspot_by_key_v1, whoever asks."""
    found = tx.connection().exec_driver_sql(named_query("hotspot_by_key"), {"key": key, "now": now})
    return found.one_or_none()
