"""Vouchers that resellers sell from their wallets (rules R1, R3), by functions that alone write to
their accounts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.store import tables
from billing.store.resellers import call


def sell(
    tx: Session,
    batch: tables.VoucherBatch,
    serials: Sequence[int],
    entry_id: int | None,
    costs: Sequence[int],
    *,
    memo: str,
    by: str,
    now: datetime,
) -> int:
    """The accounts' side of selling them (sell_reseller_vouchers_v1); returns the sale's number."""
    return call(
        tx,
        "sell_reseller_vouchers_v1",
        batch.org_id,
        batch.batch_id,
        list(serials),
        entry_id,
        list(costs),
        memo,
        by,
        now,
    )


def take_back(
    tx: Session,
    org_id: int,
    sale_id: int,
    serials: Sequence[int],
    entry_id: int | None,
    *,
    memo: str,
    by: str,
    now: datetime,
) -> None:
    """The accounts' side of giving them back (take_back_reseller_vouchers_v1)."""
    call(
        tx,
        "take_back_reseller_vouchers_v1",
        org_id,
        sale_id,
        list(serials),
        entry_id,
        memo,
        by,
        now,
    )


def move(tx: Session, old_serial: int, new_serial: int) -> None:
    """The sale of a card that was replaced goes to the one in its place."""
    call(tx, "move_reseller_voucher_v1", old_serial, new_serial)


def paid(
    tx: Session, customer_id: int, *, entitlement_id: int | None, payment_id: int | None
) -> bool:
    """Whether a package, or a payment, came by a plan's voucher that any reseller sold."""
    called = func.voucher_of_reseller_v1(customer_id, entitlement_id, payment_id)
    return bool(tx.scalar(select(called)))


def payment_of_bill(tx: Session, bill: tables.Invoice) -> int | None:
    """The payment that bought the month of a bill, as its receipt has it."""
    row = tables.Receipt
    found = select(row.payment_id).where(
        row.customer_id == bill.customer_id,
        row.reference == bill.number,
        row.payment_id.is_not(None),
    )
    return tx.scalar(found.limit(1))
