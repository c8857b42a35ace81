"""What may be known of money that is nobody's yet, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.model.money import Money
from billing.model.suspense import Hit, SuspenseMoveView, Why
from billing.store import tables
from billing.store.pool import named_query


def get(tx: Session, suspense_id: int) -> tables.Suspense | None:
    return tx.get(tables.Suspense, suspense_id)


def move(tx: Session, move_id: int) -> tables.SuspenseMove | None:
    return tx.get(tables.SuspenseMove, move_id)


def is_undone(tx: Session, move_id: int) -> bool:
    table = tables.SuspenseMove
    return tx.scalar(select(table.move_id).where(table.undoes_id == move_id)) is not None


def moves_of(tx: Session, suspense_id: int) -> list[SuspenseMoveView]:
    """Oldest first."""
    move, receipt, customer = tables.SuspenseMove, tables.Receipt, tables.Customer
    chosen = (
        select(move, customer.name, receipt.number)
        .outerjoin(customer, customer.customer_id == move.customer_id)
        .outerjoin(
            receipt,
            (receipt.customer_id == move.customer_id) & (receipt.payment_id == move.payment_id),
        )
        .where(move.suspense_id == suspense_id)
        .order_by(move.move_id)
    )
    return [
        SuspenseMoveView(
            move_id=row.move_id,
            undoes_id=row.undoes_id,
            at=row.at,
            amount_micros=row.amount_micros,
            actor=row.actor,
            note=row.note,
            customer_id=row.customer_id,
            customer_name=name,
            receipt_number=number,
        )
        for row, name, number in tx.execute(chosen)
    ]


def owed_exactly(tx: Session, org_ids: Sequence[int], amount: Money, limit: int) -> list[Hit]:
    """Bills and prepayment invoices of which just that is open."""
    rows = tx.connection().exec_driver_sql(
        named_query("owed_exactly"),
        {
            "org_ids": list(org_ids),
            "amount": amount.amount_micros,
            "currency": amount.currency,
            "limit": limit,
        },
    )
    return [
        Hit(
            why=Why.AMOUNT,
            customer_id=row.customer_id,
            customer_name=row.name,
            number=row.number,
            open_micros=amount.amount_micros,
        )
        for row in rows
    ]


def called(
    tx: Session, org_ids: Sequence[int], words: Sequence[str], currency: str, limit: int
) -> list[Hit]:
    """Customers whose whole name is among the words, in any order; longer names first."""
    if not words:
        return []
    rows = tx.connection().exec_driver_sql(
        named_query("customers_called"),
        {"org_ids": list(org_ids), "words": list(words), "currency": currency, "limit": limit},
    )
    return [Hit(why=Why.NAME, customer_id=row.customer_id, customer_name=row.name) for row in rows]


def names_of(tx: Session, customer_ids: Sequence[int]) -> dict[int, str]:
    customer = tables.Customer
    chosen = select(customer.customer_id, customer.name)
    rows = tx.execute(chosen.where(customer.customer_id.in_(customer_ids)))
    return {row.customer_id: row.name for row in rows}
