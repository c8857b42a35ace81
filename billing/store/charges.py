"""Charges and discounts beside the plan (rule I1)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from billing.model.charges import ChargeKind, Extra
from billing.store import tables
from billing.store.pool import named_query


def extras_of(tx: Session, customer_ids: Sequence[int], *, with_ended: bool = False) -> list[Extra]:
    """By customer, in the order in which they were agreed; `with_ended`: also those that are over
    and billed."""
    rows = tx.connection().exec_driver_sql(
        named_query("extras"), {"customer_ids": list(customer_ids), "with_ended": with_ended}
    )
    return [Extra(**{**row._mapping, "kind": ChargeKind(row.kind)}) for row in rows]


def insert(tx: Session, row: tables.Charge) -> int:
    """Returns the charge's id."""
    tx.add(row)
    tx.flush()
    return row.charge_id


def insert_all(tx: Session, rows: Sequence[tables.Charge]) -> None:
    """Write several; each has its id then."""
    tx.add_all(rows)
    tx.flush()


def get(tx: Session, customer_id: int, charge_id: int) -> tables.Charge | None:
    """As it is now in this transaction; the customer is locked already."""
    return tx.get(tables.Charge, {"customer_id": customer_id, "charge_id": charge_id})
