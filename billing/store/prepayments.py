"""Wallets that are funded by hand, and the requests for money that each month brings (rule P5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import ColumnElement, delete, exists, select, update
from sqlalchemy.orm import Session

from billing.model.prepayments import PrepaymentInvoiceView
from billing.store import invoices, tables

SERIES = "PRE"
_SETTING, _INVOICE = tables.Prepayment, tables.PrepaymentInvoice


def get(tx: Session, customer_id: int, wallet_id: int) -> tables.Prepayment | None:
    key = {"customer_id": customer_id, "wallet_id": wallet_id}
    return tx.get(_SETTING, key, populate_existing=True)


def of_customer(tx: Session, customer_id: int) -> list[tables.Prepayment]:
    chosen = select(_SETTING).where(_SETTING.customer_id == customer_id)
    return list(tx.scalars(chosen.order_by(_SETTING.wallet_id)))


def put(tx: Session, row: tables.Prepayment) -> None:
    tx.merge(row)
    tx.flush()


def remove(tx: Session, customer_id: int, wallet_id: int, now: datetime) -> None:
    """No more requests, and none that is open; the customer is locked."""
    tx.execute(
        delete(_SETTING).where(_SETTING.customer_id == customer_id, _SETTING.wallet_id == wallet_id)
    )
    tx.execute(
        update(_INVOICE)
        .where(
            _INVOICE.customer_id == customer_id,
            _INVOICE.wallet_id == wallet_id,
            _INVOICE.paid_at.is_(None),
            _INVOICE.cancelled_at.is_(None),
        )
        .values(cancelled_at=now)
        .execution_options(synchronize_session=False)
    )


def without(tx: Session, month: date) -> list[int]:
    """Ids of customers with a wallet that has no request for the month yet, ascending."""
    rows = select(_SETTING.customer_id).where(~_asked(month)).distinct()
    return list(tx.scalars(rows.order_by(_SETTING.customer_id)))


def to_ask(
    tx: Session, customer_ids: Sequence[int], month: date
) -> list[tuple[tables.Prepayment, str]]:
    """Settings of these customers that have no request for the month, with the wallet's currency;
    closed customers left out. The customers are locked."""
    rows = tx.execute(
        select(_SETTING, tables.Wallet.currency)
        .join(
            tables.Wallet,
            (tables.Wallet.customer_id == _SETTING.customer_id)
            & (tables.Wallet.wallet_id == _SETTING.wallet_id),
        )
        .join(tables.Customer, tables.Customer.customer_id == _SETTING.customer_id)
        .where(
            _SETTING.customer_id.in_(customer_ids),
            tables.Customer.closed_at.is_(None),
            ~_asked(month),
        )
        .order_by(_SETTING.org_id, _SETTING.customer_id, _SETTING.wallet_id)
    )
    return [(row, currency) for row, currency in rows]


def _asked(month: date) -> ColumnElement[bool]:
    return exists().where(
        _INVOICE.customer_id == _SETTING.customer_id,
        _INVOICE.wallet_id == _SETTING.wallet_id,
        _INVOICE.month == month,
    )


def insert(tx: Session, rows: Sequence[tables.PrepaymentInvoice]) -> None:
    """Number and write them, of one organisation after the other (rule I2)."""
    for row in rows:
        (row.number,) = invoices.numbers(tx, row.org_id, 1, SERIES)
        tx.add(row)
    tx.flush()


def numbered(tx: Session, number: str) -> list[tables.PrepaymentInvoice]:
    """Each organisation has a series of its own."""
    chosen = select(_INVOICE).where(_INVOICE.number == number).order_by(_INVOICE.org_id)
    return list(tx.scalars(chosen))


def all_numbered(
    tx: Session, numbers: Sequence[str], org_ids: Sequence[int]
) -> list[tables.PrepaymentInvoice]:
    """Those of these numbers, of these organisations."""
    chosen = select(_INVOICE).where(_INVOICE.number.in_(numbers), _INVOICE.org_id.in_(org_ids))
    return list(tx.scalars(chosen.order_by(_INVOICE.number, _INVOICE.org_id)))


def invoice(tx: Session, customer_id: int, prepayment_id: int) -> tables.PrepaymentInvoice:
    """As stored now; the customer is locked. Raises NoResultFound."""
    key = {"customer_id": customer_id, "prepayment_id": prepayment_id}
    return tx.get_one(_INVOICE, key, populate_existing=True)


def find_invoice(
    tx: Session, customer_id: int, prepayment_id: int
) -> tables.PrepaymentInvoice | None:
    """As stored now."""
    key = {"customer_id": customer_id, "prepayment_id": prepayment_id}
    return tx.get(_INVOICE, key, populate_existing=True)


def reopen_paid_by(tx: Session, customer_id: int, payment_id: int) -> None:
    """What a payment had met is asked for again; the customer is locked."""
    chosen = select(_INVOICE).where(
        _INVOICE.customer_id == customer_id, _INVOICE.payment_id == payment_id
    )
    for row in tx.scalars(chosen):
        row.paid_at = row.payment_id = None
    tx.flush()


def invoices_of(tx: Session, customer_id: int, limit: int) -> list[PrepaymentInvoiceView]:
    """Newest first."""
    chosen = select(_INVOICE).where(_INVOICE.customer_id == customer_id)
    rows = tx.scalars(chosen.order_by(_INVOICE.prepayment_id.desc()).limit(limit))
    return [invoice_view(row) for row in rows]


def invoice_view(row: tables.PrepaymentInvoice) -> PrepaymentInvoiceView:
    return PrepaymentInvoiceView(
        customer_id=row.customer_id,
        prepayment_id=row.prepayment_id,
        wallet_id=row.wallet_id,
        number=row.number,
        month=row.month,
        amount_micros=row.amount_micros,
        currency=row.currency,
        issued_at=row.issued_at,
        due_on=row.due_on,
        paid_at=row.paid_at,
        cancelled_at=row.cancelled_at,
    )
