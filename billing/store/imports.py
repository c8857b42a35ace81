"""Bulk loading of subscribers: staged by COPY, spread by set-based inserts, in one transaction.

COPY goes to a temporary table: the server refuses it on tables with row-level security.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast

import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.errors import Conflict, Unavailable
from billing.store.pool import named_query

STAGED_COLUMNS = (
    "customer_id", "wallet_id", "subscription_id", "entitlement_id", "entry_id",
    "username", "name", "email", "phone", "profile_id", "plan_version_id",
    "requires_entitlement", "credit_limit_micros", "secret_sealed", "framed_ip", "allowed_macs",
    "valid_until", "seconds_left", "octets_left", "balance_micros",
)  # fmt: skip
_STATEMENTS = ("customers", "wallets", "logins", "subscriptions", "entitlements", "entries",
               "postings")  # fmt: skip


def taken_usernames(tx: Session, usernames: Sequence[str]) -> set[str]:
    """Those of these folded names that exist."""
    found = tx.execute(
        text("SELECT username FROM login WHERE username = ANY (:names)"), {"names": list(usernames)}
    )
    return {row[0] for row in found}


def reserve_ids(tx: Session, table: str, column: str, count: int) -> list[int]:
    """Numbers from a key's sequence, nobody else's."""
    found = tx.execute(
        text(
            "SELECT nextval(pg_get_serial_sequence(:table, :column)::regclass)"
            " FROM generate_series(1, :count)"
        ),
        {"table": table, "column": column, "count": count},
    )
    return [row[0] for row in found]


def open_stage(tx: Session) -> None:
    """The temporary table that chunks are copied to; gone with the transaction."""
    tx.execute(text(named_query("import_stage")))


def load_chunk(
    tx: Session, rows: Sequence[tuple[object, ...]], *, org_id: int, currency: str, now: datetime
) -> None:
    """Insert staged rows (values of STAGED_COLUMNS) into the tables.

    Raises Conflict when a user name was taken in the meantime, Unavailable.
    """
    connection = cast(psycopg.Connection, tx.connection().connection.driver_connection)
    parameters = {"org_id": org_id, "currency": currency, "now": now}
    try:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE import_row")
            columns = ", ".join(STAGED_COLUMNS)
            with cursor.copy(f"COPY import_row ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            for name in _STATEMENTS:
                cursor.execute(named_query(f"import_{name}"), parameters)
    except psycopg.errors.UniqueViolation:
        raise Conflict(
            "somebody added one of these user names meanwhile; nothing was imported, run it again",
            field="username",
        ) from None
    except psycopg.OperationalError as error:
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise Unavailable(
            f"the database gave up ({reason}); nothing was imported, run it again"
        ) from error
