"""Reservations and overspend as people see them (rule Q4)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session

from billing.model.grants import GrantState, GrantView, OverspendView
from billing.store import tables
from billing.store.pool import named_query


def grants_of(tx: Session, customer_id: int, subscription_id: int, limit: int) -> list[GrantView]:
    """Held ones first, then those that ended last."""
    rows = tx.connection().exec_driver_sql(
        named_query("grants_of"),
        {"customer_id": customer_id, "subscription_id": subscription_id, "limit": limit},
    )
    return [GrantView(**{**row._mapping, "state": GrantState(row.state)}) for row in rows]


def reservable(
    tx: Session, customer_id: int, subscription_id: int, now: datetime
) -> tuple[int | None, int | None]:
    """Seconds and octets that no session holds yet; None: not limited."""
    left = func.reservable_v1(now, customer_id, subscription_id).table_valued(
        "seconds_left", "octets_left"
    )
    row = tx.execute(select(left)).one()
    return row.seconds_left, row.octets_left


def overspends(
    tx: Session,
    *,
    customer_id: int | None = None,
    subscription_id: int | None = None,
    everything: bool,
    limit: int,
) -> list[OverspendView]:
    """Latest exhaustion first; with `everything`, those without a second or octet too much too."""
    rows = tx.connection().exec_driver_sql(
        named_query("overspends"),
        {
            "customer_id": customer_id,
            "subscription_id": subscription_id,
            "all": everything,
            "limit": limit,
        },
    )
    return [
        OverspendView(**{**row._mapping, "entitlement_ids": tuple(row.entitlement_ids)})
        for row in rows
    ]


def lift_overspends(tx: Session, customer_id: int, now: datetime) -> None:
    """Wallets of the customer that are above their limit, and what a promise lends, are not
    exhausted any more (rules P12, B19)."""
    wallet = tables.Wallet
    lent = case((wallet.promised_until > now, wallet.promised_micros), else_=0)
    available = wallet.posted_micros - wallet.unposted_micros - wallet.reserved_micros
    tx.execute(
        update(tables.Overspend)
        .where(
            tables.Overspend.customer_id == customer_id,
            tables.Overspend.lifted_at.is_(None),
            wallet.customer_id == tables.Overspend.customer_id,
            wallet.wallet_id == tables.Overspend.wallet_id,
            available + wallet.credit_limit_micros + lent > 0,
        )
        .values(lifted_at=now)
        .execution_options(synchronize_session=False)
    )


def strict_plans(tx: Session) -> Any:
    """`plans`: names of those that share strictly; `nas_names` and `vendors` of every NAS."""
    return tx.connection().exec_driver_sql(named_query("strict_plans")).one()


def holds_slices(tx: Session, row: tables.Subscription) -> bool:
    """Whether a session of the subscription holds a reservation."""
    held = tables.Reservation
    found = select(held.reservation_id).where(
        held.customer_id == row.customer_id,
        held.subscription_id == row.subscription_id,
        held.state == "held",
    )
    return tx.scalar(found.limit(1)) is not None
