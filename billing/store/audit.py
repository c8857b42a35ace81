"""The audit log (security.md 13): append-only, chained by hashes within each organisation.

A chain an organisation, because the panel's role sees only the rows of its own organisations.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.store.tables import AuditLog

CHAIN_START = "0" * 64
NEWEST_WITHIN = 100_000
_LOCK_CLASS = 7019


def append(
    tx: Session,
    *,
    at: datetime,
    org_id: int,
    actor: str,
    action: str,
    subject: str,
    detail: dict[str, object],
) -> None:
    """Add one row. Call it last in a transaction: other writers of the organisation wait for it.

    `detail` must hold no secret.
    """
    tx.execute(select(func.pg_advisory_xact_lock(_LOCK_CLASS, org_id % 2**31)))
    previous = tx.scalar(
        select(AuditLog.row_sha256)
        .where(AuditLog.org_id == org_id)
        .order_by(AuditLog.audit_id.desc())
        .limit(1)
    )
    row = AuditLog(
        at=at,
        org_id=org_id,
        actor=actor,
        action=action,
        subject=subject,
        detail=json.dumps(detail, ensure_ascii=False, sort_keys=True, default=str),
        previous_sha256=previous or CHAIN_START,
    )
    row.row_sha256 = row_hash(row)
    tx.add(row)
    tx.flush()


def newest(tx: Session, org_id: int, action: str) -> tuple[datetime, dict[str, Any]] | None:
    """When an organisation's newest row of this action was written, and its detail. Looked for
    among the last NEWEST_WITHIN rows, so that a long log is not read to its beginning."""
    last = tx.scalar(select(func.max(AuditLog.audit_id))) or 0
    row = tx.scalar(
        select(AuditLog)
        .where(
            AuditLog.org_id == org_id,
            AuditLog.action == action,
            AuditLog.audit_id > last - NEWEST_WITHIN,
        )
        .order_by(AuditLog.audit_id.desc())
        .limit(1)
    )
    return None if row is None else (row.at, json.loads(row.detail))


def row_hash(row: AuditLog) -> str:
    """What `row_sha256` must be: over the previous hash and every field, lengths included."""
    fields = (
        row.previous_sha256,
        row.at.astimezone(UTC).isoformat(),
        str(row.org_id),
        row.actor,
        row.action,
        row.subject,
        row.detail,
    )
    return sha256("".join(f"{len(text)}:{text}" for text in fields).encode()).hexdigest()


def broken_rows(tx: Session) -> Iterator[int]:
    """Ids of rows that were edited, moved, or stand after a deleted one."""
    last: dict[int, str] = {}
    for row in tx.scalars(
        select(AuditLog).order_by(AuditLog.audit_id).execution_options(yield_per=1000)
    ):
        if (
            row.previous_sha256 != last.get(row.org_id, CHAIN_START)
            or row_hash(row) != row.row_sha256
        ):
            yield row.audit_id
        last[row.org_id] = row.row_sha256
