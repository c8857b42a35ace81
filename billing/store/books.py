"""What the whole ledger is asked: does it contradict itself, whose usage is not in it yet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from billing.model.books import Finding, LedgerReport, UsageOfDay
from billing.store import tables
from billing.store.pool import named_query

FINDINGS_MAX = 200
"""More than so many say nothing more."""


def findings(tx: Session) -> list[Finding]:
    """Everything that contradicts something else, at most FINDINGS_MAX (rule M4)."""
    rows = [
        row
        for name in ("ledger_check", "ledger_check_resellers")
        for row in tx.connection().exec_driver_sql(named_query(name), {"most": FINDINGS_MAX})
    ]
    return [
        Finding(
            problem=row.problem,
            customer_id=row.customer_id,
            subject=row.subject,
            expected=int(row.expected),
            found=int(row.found),
        )
        for row in rows[:FINDINGS_MAX]
    ]


def keep_report(tx: Session, org_id: int, report: LedgerReport) -> None:
    """Remember a run of the check."""
    text = json.dumps([asdict(finding) for finding in report.findings])
    tx.add(tables.LedgerCheck(org_id=org_id, at=report.at, findings=text))


def last_report(tx: Session) -> LedgerReport | None:
    """The newest run of the check; None before the first one."""
    check = tables.LedgerCheck
    row = tx.scalar(select(check).order_by(check.check_id.desc()).limit(1))
    if row is None:
        return None
    return LedgerReport(
        at=row.at, findings=tuple(Finding(**one) for one in json.loads(row.findings))
    )


def remove_old_reports(tx: Session, kept: int) -> int:
    """Remove all runs of the check but the newest `kept`; returns how many."""
    check = tables.LedgerCheck
    newest_old = select(check.check_id).order_by(check.check_id.desc()).offset(kept).limit(1)
    removed = tx.execute(
        delete(check)
        .where(check.check_id <= newest_old.scalar_subquery())
        .returning(check.check_id)
        .execution_options(synchronize_session=False)
    )
    return len(removed.all())


def customers_with_usage(tx: Session, after: int, most: int) -> list[int]:
    """Ids above `after` of customers with usage that is not posted, ascending."""
    rows = tx.connection().exec_driver_sql(
        named_query("customers_with_usage"), {"after": after, "most": most}
    )
    return [row.customer_id for row in rows]


def take_usage(
    tx: Session, customer_ids: Sequence[int], today: date, *, to_the_end: bool
) -> list[UsageOfDay]:
    """Usage of days before `today` and of ended sessions, or all of it, marked as posted, by wallet
    and day: post it in the same transaction. The customers are locked."""
    rows = tx.connection().exec_driver_sql(
        named_query("usage_to_post"),
        {"customer_ids": list(customer_ids), "today": today, "to_the_end": to_the_end},
    )
    return [UsageOfDay(**row._mapping) for row in rows]
