"""The past of an installation that has run for a year.

Closed sessions in the history by months, lately closed and open ones, their usage, packages, and
two weeks of raw records and logins; written by set-based SQL (growth_sql/) as the product would
have left it: the same tables, partitions and indexes, statistics gathered. Indexes are built after
the rows, which packs them more tightly than a year of inserts would.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

_SQL = Path(__file__).parent / "growth_sql"
_SPAN = timedelta(days=365)
_JOURNAL_DAYS = 14
# What one of each takes on disk with its indexes, rounded up, and what loading needs beside.
_SUBSCRIBER_OCTETS = 3_000
_SESSION_OCTETS = 1_000
_BESIDE_OCTETS = 6 * 2**30
Say = Callable[[str], None]


def wanted_octets(subscribers: int, sessions: int) -> int:
    """Room on disk that it takes at most."""
    return subscribers * _SUBSCRIBER_OCTETS + sessions * _SESSION_OCTETS + _BESIDE_OCTETS


@dataclass(frozen=True)
class Past:
    """Session N of 1…*sessions* began N × `step` after `began`; the last ends about now."""

    subscribers: int
    sessions: int
    now: datetime
    plan_version_id: int

    @property
    def step(self) -> timedelta:
        return _SPAN / self.sessions

    @property
    def began(self) -> datetime:
        # Nobody's session is still open: the longest takes two hours and ten minutes.
        return self.now - _SPAN - timedelta(hours=3)

    def first_from(self, instant: datetime) -> int:
        """The first session that began then or later."""
        return max(1, math.ceil((instant - self.began) / self.step))

    def values(self, first: int, last: int) -> dict[str, Any]:
        """What the statements take. Customers follow one another as if at random."""
        scatter = next(
            number
            for number in range(self.subscribers * 5 // 8 | 1, 2 * self.subscribers + 3, 2)
            if math.gcd(number, self.subscribers) == 1
        )
        return {
            "first": first,
            "last": last,
            "scatter": scatter,
            "subscribers": self.subscribers,
            "began": self.began,
            "step": self.step,
            "now": self.now,
            "plan_version_id": self.plan_version_id,
        }


def write(db: psycopg.Connection, past: Past, say: Say) -> None:
    """Fill the tables. *db* is a superuser's, in autocommit."""
    db.execute(
        "SET session_replication_role = replica"
    )  # every foreign key holds by the way it is made
    db.execute("SET synchronous_commit = off")
    db.execute("SET maintenance_work_mem = '256MB'")
    live_from = past.first_from(past.now - timedelta(hours=24))
    with _told(say, f"{live_from - 1:,} sessions in the history"):
        _fill_parts(db, "session_history", "sessions", past, (1, live_from - 1), months(past))
    lately_closed = past.sessions - live_from + 1
    with (
        _told(say, f"{lately_closed:,} lately closed, every tenth subscriber online"),
        _without_indexes(db, "live_session"),
    ):
        _run(db, "sessions", past.values(live_from, past.sessions), "live_session")
        _run(db, "open_sessions", past.values(past.sessions + 1, 0))
    with _told(say, f"{past.sessions:,} slices of usage"), _without_indexes(db, "daily_usage"):
        _run(db, "daily_usage", past.values(1, past.sessions))
    with _told(say, "packages that were used up"), _without_indexes(db, "entitlement"):
        _run(db, "entitlements", past.values(1, past.sessions))
    lately = past.first_from(past.now - timedelta(days=_JOURNAL_DAYS))
    for parent, statement in (("acct_journal", "journal"), ("login_attempt", "logins")):
        with _told(say, f"{_JOURNAL_DAYS} days of {parent}"):
            _fill_parts(db, parent, statement, past, (lately, past.sessions), days(past))
    for table, column in (("live_session", "session_id"), ("entitlement", "entitlement_id")):
        highest = past.sessions + past.subscribers
        db.execute(
            "SELECT setval(pg_get_serial_sequence(%s, %s), %s)", (table, column, 2 * highest)
        )
    with _told(say, "VACUUM ANALYZE"):
        db.execute("VACUUM ANALYZE")
    db.execute("CHECKPOINT")


def _run(
    db: psycopg.Connection, statement: str, values: dict[str, Any], table: str | None = None
) -> None:
    text = sql.SQL((_SQL / f"{statement}.sql").read_text(encoding="utf-8"))  # type: ignore[arg-type]
    db.execute(text.format(table=sql.Identifier(table)) if table else text, values)


@contextmanager
def _told(say: Say, what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    say(f"  {what}: {time.monotonic() - began:.0f} s")


@contextmanager
def _without_indexes(db: psycopg.Connection, table: str) -> Iterator[None]:
    """Built again when everything is there; so is the primary key."""
    keys = db.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = %s::regclass AND contype IN ('p', 'u')",
        (table,),
    ).fetchall()
    for name, _ in keys:
        db.execute(_about("ALTER TABLE {} DROP CONSTRAINT {} CASCADE", table, name))
    indexes = db.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s", (table,)
    ).fetchall()
    for name, _ in indexes:
        db.execute(_about("DROP INDEX {}", name))
    yield
    for name, definition in keys:
        db.execute(_about(f"ALTER TABLE {{}} ADD CONSTRAINT {{}} {definition}", table, name))
    for _, definition in indexes:
        db.execute(definition)


def _about(text: str, *names: str) -> sql.Composed:
    return sql.SQL(text).format(*map(sql.Identifier, names))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Span:
    suffix: str
    since: datetime
    until: datetime


def months(past: Past) -> list[Span]:
    since = past.began.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    parts = []
    while since < past.now:
        until = (since + timedelta(days=32)).replace(day=1)
        parts.append(Span(f"{since:%Y%m}", since, until))
        since = until
    return parts


def days(past: Past) -> list[Span]:
    midnight = past.now.replace(hour=0, minute=0, second=0, microsecond=0)
    days = [midnight - timedelta(days=back) for back in reversed(range(_JOURNAL_DAYS))]
    return [Span(f"{day:%Y%m%d}", day, day + timedelta(days=1)) for day in days]


def _fill_parts(
    db: psycopg.Connection,
    parent: str,
    statement: str,
    past: Past,
    within: tuple[int, int],
    parts: list[Span],
) -> None:
    """Each partition is filled before it gets its indexes, by being attached."""
    for part in parts:
        first = max(within[0], past.first_from(part.since))
        last = min(within[1], past.first_from(part.until) - 1)
        name = f"{parent}_p{part.suffix}"
        db.execute(_about("DROP TABLE IF EXISTS {}", name))
        db.execute(_about("CREATE TABLE {} (LIKE {} INCLUDING DEFAULTS)", name, parent))
        db.execute(_about("ALTER TABLE {} OWNER TO tollway_owner", name))
        _run(db, statement, past.values(first, last) | {"until": part.until}, name)
        bounds = sql.SQL(" FOR VALUES FROM ({}) TO ({})").format(
            sql.Literal(part.since), sql.Literal(part.until)
        )
        db.execute(_about("ALTER TABLE {} ATTACH PARTITION {}", parent, name) + bounds)
