"""What `tollway doctor` says of an outage of the database; it asks no database (rule A8)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from billing.model.views import CheckView
from billing.services import metrics
from billing.store.journal import damaged_octets, survey

PROCESSES = ("radiusd-auth", "radiusd-acct")
STALE = timedelta(seconds=60)
"""Figures older than this are of a process that does not run any more."""


def outage_checks(metrics_dir: Path, journal_dir: Path, now: datetime) -> Iterator[CheckView]:
    """What each radiusd sees of the database, and what waits in the journal of accounting."""
    for process in PROCESSES:
        yield from _process(metrics_dir / f"{process}{metrics.SUFFIX}", process, now)
    yield _journal(journal_dir, now)
    octets = damaged_octets(journal_dir)
    if octets:
        yield CheckView(
            name="journal, damaged",
            status="warn",
            detail=f"{octets} octets of records could not be read or charged",
            mend=f"read {journal_dir / 'damaged'}, then remove it",
        )


def _process(path: Path, process: str, now: datetime) -> Iterator[CheckView]:
    try:
        if now.timestamp() - path.stat().st_mtime > STALE.total_seconds():
            return
        figures = metrics.read(path)
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        yield CheckView(
            name=process, status="warn", detail=f"{path} cannot be read: {error}", mend="`./run up`"
        )
        return
    if figures.get("database_up", 1.0):
        yield CheckView(name=process, status="ok", detail="the database answers")
        return
    detail = f"without the database for {_span(figures.get('database_out_seconds', 0))}"
    if process == "radiusd-auth":
        granted = figures.get('logins_total{outcome="accept",reason="snapshot"}', 0)
        granted += figures.get('logins_total{outcome="suspended",reason="snapshot"}', 0)
        accounts = figures.get("snapshot_accounts", 0)
        detail += (
            f"; the snapshot decides: {accounts:.0f} accounts, {granted:.0f} logins granted, "
            f"{figures.get('login_history_waiting', 0):.0f} lines of history wait"
        )
    yield CheckView(
        name=process,
        status="fail",
        detail=detail,
        mend="bring PostgreSQL back (`./run up`); nothing that was answered is lost",
    )


def _journal(directory: Path, now: datetime) -> CheckView:
    try:
        found = survey(directory)
    except OSError as error:
        return CheckView(
            name="journal",
            status="warn",
            detail=f"{directory} cannot be read: {error.strerror}",
            mend="run this as the user that the services run as",
        )
    if not found.records:
        return CheckView(name="journal", status="ok", detail="no accounting waits")
    detail = f"{found.records} accounting records wait ({found.octets} octets)"
    if found.oldest_at is not None:
        detail += f", the oldest for {_span((now - found.oldest_at).total_seconds())}"
    return CheckView(
        name="journal",
        status="warn",
        detail=detail,
        mend="they are charged by themselves once the database answers and radiusd-acct runs",
    )


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
