"""Methods that are to go on file without a payment."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.model.method_setups import SetupState, SetupView
from billing.store import tables

_SETUP = tables.MethodSetup


def insert(tx: Session, row: tables.MethodSetup) -> None:
    tx.add(row)
    tx.flush()


def get(tx: Session, customer_id: int, setup_id: int) -> tables.MethodSetup | None:
    """As stored now."""
    key = {"customer_id": customer_id, "setup_id": setup_id}
    return tx.get(_SETUP, key, populate_existing=True)


def by_command(tx: Session, customer_id: int, command_key: str) -> tables.MethodSetup | None:
    chosen = select(_SETUP).where(
        _SETUP.customer_id == customer_id, _SETUP.command_key == command_key
    )
    return tx.scalar(chosen.execution_options(populate_existing=True))


def count_open(tx: Session, customer_id: int) -> int:
    states = [state.value for state in SetupState if state.is_open]
    chosen = select(func.count()).where(_SETUP.customer_id == customer_id, _SETUP.state.in_(states))
    return tx.scalar(chosen) or 0


def due(tx: Session, now: datetime, limit: int) -> list[tuple[int, int]]:
    """Customer and number of those that somebody must begin or ask for, longest due first."""
    rows = tx.execute(
        select(_SETUP.customer_id, _SETUP.setup_id)
        .where(_SETUP.due_at <= now)
        .order_by(_SETUP.due_at, _SETUP.setup_id)
        .limit(limit)
    )
    return [(row.customer_id, row.setup_id) for row in rows]


def view(row: tables.MethodSetup) -> SetupView:
    return SetupView(
        customer_id=row.customer_id,
        setup_id=row.setup_id,
        gateway_id=row.gateway_id,
        state=SetupState(row.state),
        redirect_url=row.redirect_url,
        reason=row.reason,
        method_id=row.method_id,
        lookups=row.lookups,
    )
