"""Versions of what organisations and customers are called on bills (rule I2)."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.store import tables
from billing.store.pool import named_query


def keep(tx: Session, org_ids: Collection[int], customer_ids: Collection[int]) -> None:
    """From here on the newest versions of these say what holds now; the customers are locked."""
    tx.connection().exec_driver_sql(
        named_query("keep_letterheads"),
        {"org_ids": list(set(org_ids)), "customer_ids": list(set(customer_ids))},
    )


def newest_ids(tx: Session, org_id: int, customer_id: int) -> tuple[int, int]:
    """Keys of the organisation's and the customer's newest versions; `keep` was called."""
    sellers, buyers = tables.OrganisationLetterhead, tables.CustomerLetterhead
    seller = select(func.max(sellers.letterhead_id)).where(sellers.org_id == org_id)
    buyer = select(func.max(buyers.letterhead_id)).where(buyers.customer_id == customer_id)
    row = tx.execute(select(seller.scalar_subquery(), buyer.scalar_subquery())).one()
    return row[0], row[1]


def seller(
    tx: Session, row: tables.Invoice | tables.CreditNote | tables.Receipt
) -> tables.OrganisationLetterhead | None:  # fmt: skip
    """Who issued it, as it was called then."""
    key = {"org_id": row.org_id, "letterhead_id": row.seller_letterhead_id}
    return tx.get(tables.OrganisationLetterhead, key)


def buyer(
    tx: Session, row: tables.Invoice | tables.CreditNote | tables.Receipt
) -> tables.CustomerLetterhead | None:  # fmt: skip
    """To whom, as it was called then."""
    key = {"customer_id": row.customer_id, "letterhead_id": row.buyer_letterhead_id}
    return tx.get(tables.CustomerLetterhead, key)
