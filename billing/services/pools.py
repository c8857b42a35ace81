"""Address pools that we lease from ourselves (rule A6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.events import fold_station
from billing.model.pools import LeaseState, LeaseView, PoolKind, PoolView
from billing.rules import pools as rules
from billing.services.context import Context
from billing.services.identity import checked_address, checked_name
from billing.store import audit, tables
from billing.store import pools as store


def add_pool(
    context: Context,
    *,
    name: str,
    ranges: Sequence[str],
    now: datetime,
    kind: PoolKind = PoolKind.NORMAL,
    netmask: str | None = None,
) -> PoolView:
    """A pool of the addresses in `ranges`. Plans and profiles that name it are leased from it a few
    seconds later; where no pool of ours has the name, the NAS is sent the name as before.

    Raises InvalidInput, Conflict (the name or an address is taken).
    """
    try:
        parsed = rules.parse_ranges(ranges)
    except ValueError as error:
        raise InvalidInput(str(error), field="ranges") from None
    try:
        mask = rules.checked_netmask(netmask) if netmask else None
    except ValueError as error:
        raise InvalidInput(str(error), field="netmask") from None
    row = tables.AddressPool(
        org_id=context.home_org_id,
        name=checked_name(name),
        kind=kind.value,
        ranges=", ".join(map(rules.shown, parsed)),
        netmask=mask,
        created_at=now,
    )
    with context.transaction() as tx:
        pool_id = store.insert_pool(
            tx, row, [(str(first), rules.size((first, last))) for first, last in parsed]
        )
        audit.append(
            tx,
            at=now,
            org_id=row.org_id,
            actor=context.actor,
            action="pool.add",
            subject=f"pool:{pool_id}",
            detail={"name": row.name, "kind": row.kind, "ranges": row.ranges},
        )
        (view,) = store.pools(tx, now, pool_id)
        return view


def list_pools(context: Context, now: datetime) -> list[PoolView]:
    """By name, with how many addresses are in use at `now`."""
    with context.transaction() as tx:
        return store.pools(tx, now)


def get_pool(context: Context, pool_id: int, now: datetime) -> PoolView:
    """Raises NotFound."""
    with context.transaction() as tx:
        found = store.pools(tx, now, pool_id)
    if not found:
        raise NotFound(f"no pool of ours has the number {pool_id}", field="pool")
    return found[0]


def find_pool(context: Context, name: str, now: datetime) -> PoolView:
    """By exact name. Raises NotFound, Conflict when several organisations have one of that name."""
    with context.transaction() as tx:
        found = store.find_pools(tx, name.strip())
    if not found:
        raise NotFound(f"no pool of ours is named {name!r}; see `tollway pool list`", field="pool")
    if len(found) > 1:
        raise Conflict(f"several organisations have a pool named {name!r}", field="pool")
    return get_pool(context, found[0], now)


def leases(
    context: Context,
    pool_id: int,
    now: datetime,
    *,
    search: str = "",
    after: str = "",
    limit: int = 100,
) -> list[LeaseView]:
    """Addresses that are running or waiting for their session, in order, those after the address
    `after`. `search` is part of a user name, an address or a MAC. Raises InvalidInput."""
    start = checked_address(after, "after") if after else ""
    with context.transaction() as tx:
        return store.leases(
            tx,
            pool_id,
            now,
            search=search.strip().casefold(),
            station=fold_station(search),
            after=start,
            limit=limit,
        )


def release(
    context: Context, pool_id: int, address: str, now: datetime, *, force: bool = False
) -> None:
    """Make an address free for anybody. Raises InvalidInput, NotFound; Refused while a session has
    it, unless `force` says that the session is known to be gone."""
    wanted = checked_address(address, "address")
    with context.transaction() as tx:
        row = store.lock_address(tx, pool_id, wanted)
        if row is None:
            raise NotFound(f"the pool has no address {wanted}", field="address")
        state = store.lease_state(tx, pool_id, wanted, now)
        if state is None:
            raise Refused(f"{wanted} is free already", field="address")
        if state is LeaseState.RUNNING and not force:
            raise Refused(
                f"a session is running with {wanted}: somebody else would get the address of a "
                "subscriber who is online; end the session first (or force it when the session is "
                "known to be gone)",
                field="address",
            )
        detail: dict[str, object] = {"address": wanted, "subscription": row.subscription_id}
        row.customer_id = row.subscription_id = row.calling_station = row.leased_at = None
        row.freed_at = now
        tx.flush()
        audit.append(
            tx,
            at=now,
            org_id=row.org_id,
            actor=context.actor,
            action="pool.release",
            subject=f"pool:{pool_id}",
            detail=detail,
        )
