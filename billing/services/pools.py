"""Address pools that we lease from ourselves (rule A6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.events import fold_station
from billing.model.pools import LeaseState, LeaseView, PoolKind, PoolView
from billing.rules import pools as rules
from billing.services.context import Context
from billing.services.identity import checked_address, checked_name
from billing.store import audit, tables
from billing.store import pools as store
from billing.store.guard import Transaction


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

    Raises InvalidInput, Conflict (the name or an address is taken), Refused when a plan or profile
    names it for the other kind of subscribers.
    """
    parsed = _parsed(ranges)
    try:
        mask = rules.checked_netmask(netmask) if netmask else None
    except ValueError as error:
        raise InvalidInput(str(error), field="netmask") from None
    row = tables.AddressPool(
        org_id=context.home_org_id,
        name=checked_name(name),
        kind=kind.value,
        ranges=_written(parsed),
        netmask=mask,
        created_at=now,
    )
    with context.transaction() as tx:
        for use in store.named_by(tx, row.name):
            if use.kind is not kind:
                raise Refused(
                    f"{use.named_by} names {row.name!r} for {use.kind} subscribers; choose another "
                    "name, or make the pool for them",
                    field="kind",
                )
        store.insert_pool(tx, row, _sizes(parsed))
        return _finish(context, tx, row, "pool.add", now)


def extend_pool(context: Context, pool_id: int, ranges: Sequence[str], now: datetime) -> PoolView:
    """More addresses for a pool. Raises InvalidInput, NotFound, Conflict."""
    added = _parsed(ranges)
    with context.transaction() as tx:
        row = _locked(tx, pool_id)
        row.ranges = _written(_parsed([*row.ranges.split(", "), *ranges]))
        store.insert_addresses(tx, row, _sizes(added))
        return _finish(context, tx, row, "pool.extend", now)


def remove_pool(context: Context, pool_id: int, now: datetime) -> list[str]:
    """Forget a pool; returns the plans and profiles that name it, whose NAS are sent the name from
    now on. Raises NotFound; Refused while anybody has one of its addresses."""
    with context.transaction() as tx:
        row = _locked(tx, pool_id)
        (view,) = store.pools(tx, now, pool_id)
        if view.running or view.waiting:
            raise Refused(
                f"{view.running + view.waiting} of its addresses are in use; end the sessions, or "
                "wait for them",
                field="pool",
            )
        uses = [use.named_by for use in store.named_by(tx, row.name)]
        detail: dict[str, object] = {"name": row.name, "ranges": row.ranges}
        org_id = row.org_id
        tx.expunge(row)
        store.delete_pool(tx, pool_id)
        audit.append(
            tx,
            at=now,
            org_id=org_id,
            actor=context.actor,
            action="pool.remove",
            subject=f"pool:{pool_id}",
            detail=detail,
        )
    return uses


def check_kinds(
    tx: Transaction, org_id: int, named: Iterable[tuple[str, str | None, PoolKind]]
) -> None:
    """For plans and profiles: (field, name of the pool, kind that it must be). Raises InvalidInput
    when a pool of ours is of the other kind; logins would be refused."""
    for field, name, kind in named:
        found = None if name is None else store.kind_of(tx, org_id, name)
        if found is not None and found is not kind:
            raise InvalidInput(
                f"the pool {name!r} is for {found} subscribers; name one that is for {kind} ones",
                field=field,
            )


def check_not_leased(
    tx: Transaction, org_id: int, address: str, now: datetime, username: str
) -> None:
    """Before an address is fixed for somebody: Conflict while another subscriber has it."""
    found = store.holder(tx, org_id, address, now)
    if found is not None and found[1] != username:
        pool, other = found
        raise Conflict(
            f"{other!r} has {address} from the pool {pool!r} at the moment; release it first "
            "(`tollway pool release`), or choose another",
            field="framed_ip",
        )


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


def _parsed(ranges: Sequence[str]) -> tuple[rules.Range, ...]:
    try:
        return rules.parse_ranges(ranges)
    except ValueError as error:
        raise InvalidInput(str(error), field="ranges") from None


def _written(ranges: Iterable[rules.Range]) -> str:
    return ", ".join(map(rules.shown, ranges))


def _sizes(ranges: Iterable[rules.Range]) -> list[tuple[str, int]]:
    return [(str(one[0]), rules.size(one)) for one in ranges]


def _locked(tx: Transaction, pool_id: int) -> tables.AddressPool:
    row = store.lock_pool(tx, pool_id)
    if row is None:
        raise NotFound(f"no pool of ours has the number {pool_id}", field="pool")
    return row


def _finish(
    context: Context, tx: Transaction, row: tables.AddressPool, action: str, now: datetime
) -> PoolView:
    """The pool as it is now, and the line of the audit log."""
    tx.flush()
    (view,) = store.pools(tx, now, row.pool_id)
    audit.append(
        tx,
        at=now,
        org_id=row.org_id,
        actor=context.actor,
        action=action,
        subject=f"pool:{row.pool_id}",
        detail={"name": row.name, "kind": row.kind, "ranges": row.ranges},
    )
    return view
