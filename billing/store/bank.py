"""Bank accounts, imported lines of statements, and what each member of staff took on a day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.model.bank import BankAccountView, BankFormat, BankLine, LineReport
from billing.model.bank import LineOutcome as Outcome
from billing.model.taken import Taken
from billing.store import tables
from billing.store.pool import named_query

_ACCOUNT, _IMPORT = tables.BankAccount, tables.BankImport


def put_account(
    tx: Session, org_id: int, name: str, wanted: BankFormat, now: datetime
) -> BankAccountView:
    """A new account, or another format of one that is there."""
    statement = insert(_ACCOUNT).values(
        org_id=org_id, name=name, format=asdict(wanted), created_at=now
    )
    account_id = tx.execute(
        statement.on_conflict_do_update(
            index_elements=["org_id", "name"], set_={"format": statement.excluded.format}
        ).returning(_ACCOUNT.account_id)
    ).scalar_one()
    return _view(tx.get_one(_ACCOUNT, account_id, populate_existing=True))


def accounts(tx: Session) -> list[BankAccountView]:
    return [_view(row) for row in tx.scalars(select(_ACCOUNT).order_by(_ACCOUNT.account_id))]


def known(tx: Session, account_id: int, lines: Sequence[tuple[str, BankLine]]) -> set[str]:
    """The keys of those of these lines that were imported; also of entries that the bank has told
    of in another number of parts, as a whole or in its details."""
    chosen = select(_IMPORT.line_key).where(
        _IMPORT.account_id == account_id, _IMPORT.line_key.in_([key for key, _ in lines])
    )
    found = set(tx.scalars(chosen))
    entries = {line.of.entry for _, line in lines if line.of is not None}
    if not entries:
        return found
    rows = tx.execute(
        select(_IMPORT.entry_key, _IMPORT.entry_parts)
        .where(_IMPORT.account_id == account_id, _IMPORT.entry_key.in_(entries))
        .distinct()
    )
    told = {(entry, parts) for entry, parts in rows}
    whole = {entry for entry, _ in told}
    return found | {
        key
        for key, line in lines
        if line.of and line.of.entry in whole and (line.of.entry, line.of.parts) not in told
    }


def lock_entry(tx: Session, account_id: int, entry: str) -> None:
    """Whoever writes down another part of the entry waits."""
    tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(entry, account_id))))


def claim(tx: Session, row: dict[str, object]) -> bool:
    """Write a line down; False: it was imported. Who comes second waits for the first."""
    statement = insert(_IMPORT).values(row).on_conflict_do_nothing()
    return tx.execute(statement.returning(_IMPORT.line_key)).first() is not None


def became(tx: Session, account_id: int, line_key: str, payment_id: int | None) -> None:
    """The payment that a line of this transaction became."""
    chosen = update(_IMPORT).where(_IMPORT.account_id == account_id, _IMPORT.line_key == line_key)
    tx.execute(chosen.values(payment_id=payment_id))


def customers_there(
    tx: Session, customer_ids: Iterable[int], org_ids: Sequence[int]
) -> dict[int, str]:
    """Those of these customers who are in these organisations, with their first wallet's
    currency."""
    wallet = tables.Wallet
    chosen = (
        select(wallet.customer_id, wallet.currency)
        .where(wallet.customer_id.in_(list(customer_ids)), wallet.org_id.in_(org_ids))
        .order_by(wallet.customer_id, wallet.wallet_id.desc())
    )
    return {row.customer_id: row.currency for row in tx.execute(chosen)}


def imported(tx: Session, account_id: int, limit: int) -> list[LineReport]:
    """The newest first."""
    chosen = (
        select(_IMPORT, tables.Receipt.number)
        .outerjoin(
            tables.Receipt,
            (tables.Receipt.customer_id == _IMPORT.customer_id)
            & (tables.Receipt.payment_id == _IMPORT.payment_id),
        )
        .where(_IMPORT.account_id == account_id)
        .order_by(_IMPORT.imported_at.desc(), _IMPORT.booked_on.desc(), _IMPORT.line_key)
        .limit(limit)
    )
    return [_line(row, number) for row, number in tx.execute(chosen)]


def taken_between(tx: Session, since: datetime, until: datetime) -> list[Taken]:
    """From an instant to before another, by organisation, actor and channel."""
    rows = tx.connection().exec_driver_sql(
        named_query("taken_between"), {"since": since, "until": until}
    )
    return [Taken(**row._mapping) for row in rows]


def _line(row: tables.BankImport, number: str | None) -> LineReport:
    return LineReport(
        line=0,
        booked_on=row.booked_on,
        amount_micros=row.amount_micros,
        currency=row.currency,
        payer=row.payer,
        reference=row.reference,
        outcome=Outcome(row.outcome),
        words=row.words,
        customer_id=row.customer_id,
        receipt_number=number,
    )


def _view(row: tables.BankAccount) -> BankAccountView:
    # Lists are tuples; an account that was set before a word could be chosen has its default.
    stored: dict[str, Any] = {
        name: tuple(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in row.format.items()
    }
    return BankAccountView(
        account_id=row.account_id,
        org_id=row.org_id,
        name=row.name,
        format=BankFormat(**stored),
        created_at=row.created_at,
    )
