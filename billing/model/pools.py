"""Address pools that we lease from ourselves (rule A6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class PoolKind(StrEnum):
    """Whom a pool is for: no subscriber gets an address of the other kind (rule B10)."""

    NORMAL = "normal"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class LeasedPool:
    """A pool of ours, as a login needs it."""

    pool_id: int
    kind: PoolKind


class LeaseState(StrEnum):
    """What has become of a lease; `ended` ones may go to somebody else."""

    WAITING = "waiting"  # granted, no session shows yet
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class PoolUse:
    """A plan or billing profile that names a pool, in words, and the kind of pool it needs."""

    named_by: str
    kind: PoolKind


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolView:
    """A pool and how its addresses are used; `free` includes those whose lease has ended."""

    pool_id: int
    org_id: int
    name: str
    kind: PoolKind
    ranges: tuple[str, ...]
    netmask: str | None
    created_at: datetime
    addresses: int
    running: int
    waiting: int

    @property
    def free(self) -> int:
        return self.addresses - self.running - self.waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseView:
    """An address and who has it."""

    address: str
    customer_id: int
    subscription_id: int
    username: str
    calling_station: str | None
    leased_at: datetime
    state: LeaseState
    nas_name: str | None
    session_started_at: datetime | None
