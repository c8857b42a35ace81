"""Wallets that are recharged by themselves (rule P7)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from billing.model.payments import PaymentPurpose, PaymentState
from billing.store import tables

_ATTEMPT = tables.PaymentAttempt
_OPEN = [state.value for state in PaymentState if state.is_open]
_GONE = [PaymentState.FAILED.value, PaymentState.CANCELLED.value]


def of_customer(tx: Session, customer_id: int) -> list[tables.AutoRecharge]:
    """As stored now; the customer is locked."""
    table = tables.AutoRecharge
    chosen = select(table).where(table.customer_id == customer_id).order_by(table.wallet_id)
    return list(tx.scalars(chosen.execution_options(populate_existing=True)))


def get(tx: Session, customer_id: int, wallet_id: int) -> tables.AutoRecharge | None:
    key = {"customer_id": customer_id, "wallet_id": wallet_id}
    return tx.get(tables.AutoRecharge, key, populate_existing=True)


def recharged(
    tx: Session, customer_id: int, wallet_id: int, day: datetime, month: datetime
) -> tuple[int, int]:
    """What was recharged or is on its way, of those begun since the beginning of the day, and of
    the month, in micros."""
    amount = _ATTEMPT.amount_micros
    today = case((_ATTEMPT.created_at >= day, amount), else_=0)
    row = tx.execute(
        select(func.coalesce(func.sum(today), 0), func.coalesce(func.sum(amount), 0)).where(
            _ATTEMPT.customer_id == customer_id,
            _ATTEMPT.wallet_id == wallet_id,
            _ATTEMPT.purpose == PaymentPurpose.RECHARGE,
            _ATTEMPT.state.not_in(_GONE),
            _ATTEMPT.created_at >= month,
        )
    ).one()
    return int(row[0]), int(row[1])


def is_pending(tx: Session, customer_id: int, wallet_id: int) -> bool:
    """Whether a recharge of the wallet has no outcome yet."""
    found = tx.scalar(
        select(_ATTEMPT.attempt_id)
        .where(
            _ATTEMPT.customer_id == customer_id,
            _ATTEMPT.wallet_id == wallet_id,
            _ATTEMPT.purpose == PaymentPurpose.RECHARGE,
            _ATTEMPT.state.in_(_OPEN),
        )
        .limit(1)
    )
    return found is not None


def remove(tx: Session, row: tables.AutoRecharge) -> None:
    tx.delete(row)
    tx.flush()
