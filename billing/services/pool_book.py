"""Which pool names are ours to lease from, held in memory for the logins (rule A6)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from billing.model.pools import LeasedPool, PoolKind
from billing.store.admission import load_pools
from billing.store.hotpath import HotConnection

READ_AGAIN = timedelta(seconds=2)
"""A pool that is made while logins come in is leased from after this long at most."""


class PoolBook:
    """Pools by the organisation they serve: its own, or the nearest one above it.

    Shared by all lanes without a lock: what is read is replaced as a whole.
    """

    def __init__(self) -> None:
        self._pools: dict[tuple[int, str], LeasedPool] = {}
        self._parents: dict[int, int | None] = {}
        self._read_at: datetime | None = None

    def refresh(self, lane: HotConnection, now: datetime) -> None:
        """Read again what is older than READ_AGAIN. Raises Unavailable."""
        if self._read_at is None or not self._read_at <= now < self._read_at + READ_AGAIN:
            self.fill(load_pools(lane))
            self._read_at = now

    def fill(self, rows: Iterable[Any]) -> None:
        """Take rows of `load_pools` for all there is."""
        rows = list(rows)
        self._parents = {row.org_id: row.parent_org_id for row in rows}
        self._pools = {
            (row.org_id, row.name): LeasedPool(row.pool_id, PoolKind(row.kind))
            for row in rows
            if row.pool_id is not None
        }

    def __bool__(self) -> bool:
        return bool(self._pools)

    def find(self, org_id: int, name: str) -> LeasedPool | None:
        """The pool that a plan or profile of this organisation means; None: the NAS has it."""
        at: int | None = org_id
        while at is not None:
            pool = self._pools.get((at, name))
            if pool is not None:
                return pool
            at = self._parents.get(at)
        return None
