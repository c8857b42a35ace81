"""One row of an organisation in every table of a database, whatever its revision.

Keys and references of organisation N are N times 1,000, so that rows of one organisation refer
to each other and to nobody else's.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

# Columns that a CHECK constraint limits to words.
_WORDS = {
    ("address_pool", "kind"): "normal",
    ("bank_import", "outcome"): "unknown",
    ("billing_profile", "kind"): "daily",
    ("billing_profile", "payment"): "prepaid",
    ("billing_profile", "cycle_day"): "1",
    ("billing_profile", "suspend_at_hour"): "0",
    ("charge", "kind"): "recurring",
    ("coa_intent", "goal"): "disconnect",
    ("coa_intent", "state"): "pending",
    ("credit_note", "rounding_micros"): "0",
    ("credit_note", "tax_micros"): "0",
    ("daily_usage", "kind"): "flat",
    ("deferred_item", "kind"): "bill",
    ("hotspot", "addresses"): "{http://10.5.50.1}",
    ("message", "kind"): "invoice_issued",
    ("message", "channel"): "email",
    ("message_template", "kind"): "invoice_issued",
    ("method_setup", "state"): "failed",
    ("payment_attempt", "kind"): "charge",
    ("payment_attempt", "purpose"): "top_up",
    ("payment_attempt", "state"): "failed",
    ("payment_promise", "state"): "stands",
    ("payment_reversal", "kind"): "refund",
    ("payment_reversal", "state"): "failed",
    ("plan_change", "kind"): "change",
    ("plan_change", "state"): "pending",
    ("provider_event", "outcome"): "applied",
    ("receipt", "kind"): "sale",
    ("receipt", "rounding_micros"): "0",
    ("receipt", "tax_micros"): "0",
    ("reseller_share", "back_micros"): "0",
    ("reservation", "state"): "held",
    ("sepa_collection", "sequence"): "RCUR",
    ("sepa_mandate", "sequence"): "RCUR",
    ("voucher", "state"): "created",
    ("voucher_batch", "alphabet"): "mixed",
    ("voucher_batch", "kind"): "amount",
}
_BY_TYPE = {
    "boolean": "f",
    "date": "2026-03-10",
    "timestamp with time zone": "2026-03-10 12:00:00+00",
    "bytea": "\\x00",
    "ARRAY": "{}",
    "jsonb": "{}",
}
_SHARED = {"hearing", "operator", "organisation", "schema_version", "voucher_guess", "voucher_key"}


@dataclass(frozen=True)
class Column:
    table: str
    name: str
    type: str
    required: bool


def columns(db: psycopg.Connection) -> dict[str, list[Column]]:
    """Every table of the product's own, partitions and the job queue left out."""
    rows = db.execute(
        "SELECT c.table_name, c.column_name, c.data_type,"
        " c.is_nullable = 'NO' AND c.column_default IS NULL AND c.is_identity = 'NO'"
        "  OR c.is_identity = 'YES' OR c.column_name = 'org_id'"
        " FROM information_schema.columns c JOIN pg_class t ON t.relname = c.table_name"
        " WHERE c.table_schema = 'public' AND t.relnamespace = 'public'::regnamespace"
        "  AND t.relkind IN ('r', 'p') AND NOT t.relispartition"
        "  AND c.table_name NOT LIKE 'procrastinate%' ORDER BY 1, c.ordinal_position"
    ).fetchall()
    found: dict[str, list[Column]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(Column(*row))
    return found


def own_tables(db: psycopg.Connection) -> list[str]:
    """Tables that hold rows of organisations, directly or by reference."""
    return [table for table in columns(db) if table not in _SHARED]


def fill(db: psycopg.Connection, org_id: int) -> None:
    """Insert the organisation and one row of it everywhere. `db` is the superuser's."""
    with db.transaction():
        # Tables come in the order of their names: references are made good by the end.
        db.execute("SET LOCAL session_replication_role = replica")
        db.execute(
            "INSERT INTO organisation (org_id, name, created_at) VALUES (%s, %s, now())",
            (org_id, f"organisation {org_id}"),
        )
        for table in own_tables(db):
            db.execute(*insert(db, table, org_id))


def insert(
    db: psycopg.Connection, table: str, org_id: int, number: int = 0
) -> tuple[sql.Composed, list[str]]:
    """A statement that adds a row of the organisation; `number` makes another one."""
    chosen = [column for column in columns(db)[table] if column.required]
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(sql.Identifier(column.name) for column in chosen),
        sql.SQL(", ").join(sql.SQL("%s") for _ in chosen),
    )
    return statement, [_value(column, org_id, number) for column in chosen]


def _value(column: Column, org_id: int, number: int) -> str:
    if column.name == "org_id":
        return str(org_id)
    if (column.table, column.name) in _WORDS:
        return _WORDS[column.table, column.name]
    if column.name == "account_customer_id":  # none of the customers that the tests change
        return str(org_id * 1000 + 999)
    if column.name == "code_hmac":
        return f"\\x{org_id:04x}{number:04x}"
    if column.type == "inet":
        return f"10.200.{org_id}.{number}"
    if column.type == "text":
        return f"{column.table} {org_id} {number}"
    return _BY_TYPE.get(column.type, str(org_id * 1000 + number))
