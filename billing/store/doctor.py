"""What `tollway doctor` reads of the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from billing.store.pool import named_query


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """`clock` is the server's; dead letters and failed orders are those of the last day.
    `sessions_to_move` ought to have been in the history a day ago. `full_pools` have less than
    5 % of their addresses free."""

    server_version_num: int
    server_version: str
    fsync: str
    full_page_writes: str
    synchronous_commit: str
    clock: datetime
    operators: int
    journal_days_ahead: int
    history_month_ahead: bool
    default_partition_octets: int
    sessions_to_move: int
    dead_letters: int
    failed_orders: int
    stuck_orders: int
    stuck_payments: int
    in_suspense: int
    nas: int
    lax_nas: int
    vendors: list[str]
    full_pools: list[str]
    strict_plans: list[str]
    pooling_profiles: list[str]


def facts(tx: Session, now: datetime) -> DatabaseFacts:
    """One look at everything."""
    row = tx.connection().exec_driver_sql(named_query("doctor"), {"now": now}).one()
    return DatabaseFacts(**row._mapping)
