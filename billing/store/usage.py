"""Metered usage, and which bill holds it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy.orm import Session

from billing.model.books import Uninvoiced
from billing.model.charges import UnbilledUsage
from billing.model.views import DayUsage
from billing.store import tables
from billing.store.pool import named_query


def days_of(
    tx: Session, customer_id: int, subscription_id: int | None, until: date
) -> list[DayUsage]:
    """Usage of a subscription, or of all the customer's, by local day and kind up to a day, newest
    first."""
    result = tx.connection().exec_driver_sql(
        named_query("usage_days"),
        {"customer_id": customer_id, "subscription_id": subscription_id, "until": until},
    )
    return [DayUsage(**row._mapping) for row in result]


def to_bill(tx: Session, customer_ids: Sequence[int], month_began: datetime) -> list[UnbilledUsage]:
    """Posted usage of these customers that no bill holds, the oldest first within a subscription;
    the present local month began at `month_began`."""
    rows = tx.connection().exec_driver_sql(
        named_query("usage_to_bill"),
        {"customer_ids": list(customer_ids), "month_began": month_began},
    )
    return [
        UnbilledUsage(**{**row._mapping, "usage_charge_ids": tuple(row.usage_charge_ids)})
        for row in rows
    ]


def uninvoiced(tx: Session, customer_ids: Sequence[int]) -> dict[int, Uninvoiced]:
    """What is on no bill yet (rule P2), by wallet; wallets without any are left out."""
    rows = tx.connection().exec_driver_sql(
        named_query("uninvoiced"), {"customer_ids": list(customer_ids)}
    )
    return {row.wallet_id: Uninvoiced(**row._mapping) for row in rows}


def release(tx: Session, bill: tables.Invoice, *, to_bill: bool) -> tuple[int, int]:
    """Take a bill's usage off it: with `to_bill` the next bill holds it, else none. Returns what
    was rated and the tax in it, in micros; the customer is locked."""
    rows = tx.connection().exec_driver_sql(
        named_query("release_usage"),
        {"customer_id": bill.customer_id, "invoice_id": bill.invoice_id, "to_bill": to_bill},
    )
    row = rows.one()
    return row.gross_micros, row.tax_micros
