"""What statements of account are made of, read; and who has got which (rules M4, P1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from billing.model.statements import AccountEntry
from billing.store import tables
from billing.store.pool import named_query


@dataclass(frozen=True, slots=True)
class Totals:
    """An account's figures in one currency, micros."""

    customer_id: int
    currency: str
    opening_micros: int
    charged_micros: int
    credited_micros: int


@dataclass(frozen=True, slots=True)
class OpenRow:
    """A bill with something left to pay."""

    customer_id: int
    number: str
    issued_at: datetime
    due_on: date
    total_micros: int
    open_micros: int


def entries(
    tx: Session, customer_id: int, since: datetime, until: datetime, currency: str
) -> list[AccountEntry]:
    """A customer's movements in a currency, the oldest first."""
    rows = tx.connection().exec_driver_sql(
        named_query("account_entries"),
        {"customer_id": customer_id, "since": since, "until": until},
    )
    found = [dict(row._mapping) for row in rows]
    return [AccountEntry(**row) for row in found if row.pop("currency") == currency]


def totals(
    tx: Session, customer_ids: Sequence[int], since: datetime, until: datetime
) -> list[Totals]:
    """Of these customers, by currency; who never had a movement is not among them."""
    rows = tx.connection().exec_driver_sql(
        named_query("account_totals"),
        {"customer_ids": list(customer_ids), "since": since, "until": until},
    )
    return [Totals(**row._mapping) for row in rows]


def open_bills(tx: Session, customer_ids: Sequence[int], at: datetime) -> list[OpenRow]:
    """Bills of these customers that were not paid at an instant, by payment date."""
    rows = tx.connection().exec_driver_sql(
        named_query("open_bills_at"), {"customer_ids": list(customer_ids), "at": at}
    )
    return [OpenRow(**row._mapping) for row in rows]


def wanting(tx: Session, month: date) -> list[tuple[int, date | None]]:
    """Customers, ascending, that want statements of months before `month`, and until which day
    they have got them."""
    rows = tx.connection().exec_driver_sql(named_query("want_statements"), {"month": month})
    return [(row.customer_id, row.stated_until) for row in rows]


def forget_unwanted(tx: Session) -> None:
    """Who wants none any more has got none."""
    tx.connection().exec_driver_sql(named_query("forget_statements"))


def stated_until(tx: Session, customer_ids: Sequence[int]) -> dict[int, date | None]:
    """Until which day these have got them; the customers are locked."""
    table = tables.Customer
    rows = tx.query(table.customer_id, table.stated_until).where(
        table.customer_id.in_(customer_ids)
    )
    return {row[0]: row[1] for row in rows}


def note_stated(tx: Session, customer_ids: Sequence[int], until: date) -> None:
    """These have got the statements of days before `until`; they are locked."""
    table = tables.Customer
    tx.execute(update(table).where(table.customer_id.in_(customer_ids)).values(stated_until=until))
