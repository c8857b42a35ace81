"""Address pools of our own and their leases, as people look at them and change them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from billing.model.pools import LeaseState, LeaseView, PoolKind, PoolUse, PoolView
from billing.store import tables
from billing.store.guard import unique
from billing.store.pool import named_query


def insert_pool(tx: Session, row: tables.AddressPool, ranges: Sequence[tuple[str, int]]) -> int:
    """`ranges` are first address and size. Raises Conflict when the name or an address is taken."""
    with unique(tx, f"a pool named {row.name!r} exists", field="name"):
        tx.add(row)
    insert_addresses(tx, row, ranges)
    return row.pool_id


def insert_addresses(
    tx: Session, row: tables.AddressPool, ranges: Sequence[tuple[str, int]]
) -> None:
    """Free addresses of a pool. Raises Conflict when another pool of the organisation has one."""
    with unique(tx, "another pool has some of these addresses", field="ranges"):
        for first, size in ranges:
            tx.execute(
                text(named_query("insert_pool_addresses")),
                {"pool_id": row.pool_id, "org_id": row.org_id, "first": first, "size": size},
            )


def lock_pool(tx: Session, pool_id: int) -> tables.AddressPool | None:
    """The row, locked."""
    return tx.scalar(
        select(tables.AddressPool).where(tables.AddressPool.pool_id == pool_id).with_for_update()
    )


def delete_pool(tx: Session, pool_id: int) -> None:
    """With its addresses."""
    tx.execute(delete(tables.PoolAddress).where(tables.PoolAddress.pool_id == pool_id))
    tx.execute(delete(tables.AddressPool).where(tables.AddressPool.pool_id == pool_id))


def named_by(tx: Session, name: str) -> list[PoolUse]:
    """Plans and billing profiles that name a pool."""
    rows = tx.execute(text(named_query("pool_named_by")), {"name": name})
    return [PoolUse(f"{row.sort} {row.name}", PoolKind(row.kind)) for row in rows]


def kind_of(tx: Session, org_id: int, name: str) -> PoolKind | None:
    """The kind of the organisation's own pool of that name; None: there is none."""
    pool = tables.AddressPool
    kind = tx.scalar(select(pool.kind).where(pool.org_id == org_id, pool.name == name))
    return None if kind is None else PoolKind(kind)


def holder(tx: Session, org_id: int, address: str, now: datetime) -> tuple[str, str] | None:
    """Pool and user name of who has an address of the organisation's pools; None: nobody."""
    row = tx.execute(
        text(named_query("address_in_use")), {"org_id": org_id, "address": address, "now": now}
    ).first()
    return None if row is None else (row.pool, row.username or "")


def pools(tx: Session, now: datetime, pool_id: int | None = None) -> list[PoolView]:
    """Those that the caller may see, by name; or the one."""
    rows = tx.execute(text(named_query("pool_views")), {"now": now, "pool_id": pool_id})
    return [
        PoolView(
            pool_id=row.pool_id,
            org_id=row.org_id,
            name=row.name,
            kind=PoolKind(row.kind),
            ranges=tuple(row.ranges.split(", ")),
            netmask=row.netmask,
            created_at=row.created_at,
            addresses=row.addresses,
            running=row.running,
            waiting=row.waiting,
        )
        for row in rows
    ]


def find_pools(tx: Session, name: str) -> list[int]:
    """Ids of the pools of this name that the caller may see."""
    statement = select(tables.AddressPool.pool_id).where(tables.AddressPool.name == name)
    return list(tx.scalars(statement))


def leases(
    tx: Session, pool_id: int, now: datetime, *, search: str, station: str, after: str, limit: int
) -> list[LeaseView]:
    """Leases that have not ended, by address, those after `after`."""
    rows = tx.execute(
        text(named_query("pool_leases")),
        {
            "now": now,
            "pool_id": pool_id,
            "text": search,
            "station": station,
            "after": after,
            "limit": limit,
        },
    )
    return [
        LeaseView(
            address=row.address,
            customer_id=row.customer_id,
            subscription_id=row.subscription_id,
            username=row.username or "",
            calling_station=row.calling_station,
            leased_at=row.leased_at,
            state=LeaseState(row.state),
            nas_name=row.nas_name,
            session_started_at=row.session_started_at,
        )
        for row in rows
    ]


def lock_address(tx: Session, pool_id: int, address: str) -> tables.PoolAddress | None:
    """The row, locked."""
    return tx.scalar(
        select(tables.PoolAddress)
        .where(tables.PoolAddress.pool_id == pool_id, tables.PoolAddress.address == address)
        .with_for_update()
    )


def lease_state(tx: Session, pool_id: int, address: str, now: datetime) -> LeaseState | None:
    """What has become of an address's lease; None when it has none."""
    state = tx.scalar(
        text(
            "SELECT state FROM pool_leases_v1(:now, :pool_id)"
            " WHERE address = CAST(:address AS inet)"
        ),
        {"now": now, "pool_id": pool_id, "address": address},
    )
    return None if state is None else LeaseState(state)
