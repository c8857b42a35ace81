"""What one radiusd keeps on its own disk for an outage of the database (rule A8): a SQLite file.

Everything in it is sealed by the caller but user names, addresses of NAS and times. It may be lost
without harm: it is filled again by the next logins.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

_TABLES = """
CREATE TABLE IF NOT EXISTS account (
    username TEXT PRIMARY KEY, station TEXT, noted_us INTEGER NOT NULL, sealed BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS account_noted ON account (noted_us);
CREATE TABLE IF NOT EXISTS nas (address TEXT PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS login (login_id INTEGER PRIMARY KEY, sealed BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


class StoredAccount(NamedTuple):
    """`station` is where it was last granted from."""

    username: str
    station: str | None
    noted_at: datetime
    sealed: bytes


class SnapshotFile:
    """Any thread may call any method. They raise sqlite3.Error (a full disk, say).

    A file that is damaged is put aside under another name; where none can be written (a full disk,
    say), it is kept in memory as long as the process runs. `log` is told.
    """

    def __init__(self, path: Path, log: Callable[[str], None]) -> None:
        self._mutex = threading.Lock()
        try:
            self._db = _opened_or_new(path, log)
        except (OSError, sqlite3.OperationalError) as error:
            log(f"the snapshot {path} cannot be kept: {error}; it is in memory only")
            self._db = _opened(":memory:")

    def usernames(self) -> set[str]:
        """Whose accounts are kept."""
        return {name for (name,) in self._run("SELECT username FROM account")}

    def account(self, username: str) -> StoredAccount | None:
        """One account as it was last kept."""
        rows = self._run("SELECT * FROM account WHERE username = ?", (username,))
        if not rows:
            return None
        name, station, noted_us, sealed = rows[0]
        return StoredAccount(
            name, station, datetime.fromtimestamp(noted_us / 1_000_000, UTC), sealed
        )

    def put_accounts(self, accounts: Iterable[StoredAccount]) -> None:
        """Keep accounts, in the place of what was kept of them."""
        self._many(
            "INSERT OR REPLACE INTO account VALUES (?, ?, ?, ?)",
            [(a.username, a.station, _us(a.noted_at), a.sealed) for a in accounts],
        )

    def change_accounts(self, accounts: Iterable[StoredAccount]) -> None:
        """New content of accounts that are kept; their station and time stay."""
        self._many(
            "UPDATE account SET sealed = ? WHERE username = ?",
            [(a.sealed, a.username) for a in accounts],
        )

    def drop_accounts(self, usernames: Iterable[str]) -> None:
        self._many("DELETE FROM account WHERE username = ?", [(name,) for name in usernames])

    def drop_oldest(self, keep: int) -> None:
        """Let go of the accounts granted longest ago, so that `keep` stay."""
        self._run(
            "DELETE FROM account WHERE username IN (SELECT username FROM account"
            " ORDER BY noted_us DESC LIMIT -1 OFFSET ?)",
            (keep,),
        )

    def nas(self) -> list[tuple[str, bytes]]:
        """Address and sealed content of every NAS that is kept."""
        return self._run("SELECT address, sealed FROM nas")

    def put_nas(self, address: str, sealed: bytes) -> None:
        self._run("INSERT OR REPLACE INTO nas VALUES (?, ?)", (address, sealed))

    def drop_nas(self, address: str) -> None:
        self._run("DELETE FROM nas WHERE address = ?", (address,))

    def add_logins(self, sealed: Sequence[bytes]) -> None:
        """Keep lines of the login history until the database takes them."""
        self._many("INSERT INTO login (sealed) VALUES (?)", [(line,) for line in sealed])

    def logins(self, limit: int) -> list[tuple[int, bytes]]:
        """The oldest kept lines with their numbers."""
        return self._run("SELECT * FROM login ORDER BY login_id LIMIT ?", (limit,))

    def drop_logins(self, last_id: int) -> None:
        """Forget the lines up to this one."""
        self._run("DELETE FROM login WHERE login_id <= ?", (last_id,))

    def count_logins(self) -> int:
        return int(self._run("SELECT count(*) FROM login")[0][0])

    def fact(self, name: str) -> str | None:
        rows = self._run("SELECT value FROM fact WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else None

    def put_fact(self, name: str, value: str) -> None:
        self._run("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))

    def close(self) -> None:
        with self._mutex:
            self._db.close()

    def _run(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        with self._mutex:
            return self._db.execute(statement, values).fetchall()

    def _many(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        """All or none."""
        if not rows:
            return
        with self._mutex:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany(statement, rows)
                self._db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise


def _opened_or_new(path: Path, log: Callable[[str], None]) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    try:
        return _opened(path)
    except sqlite3.OperationalError:
        raise  # locked, no room, no right: the content is not at fault
    except sqlite3.DatabaseError as error:
        damaged = path.with_suffix(".damaged")
        path.replace(damaged)
        for tail in ("-wal", "-shm"):
            path.with_name(path.name + tail).unlink(missing_ok=True)
        log(f"the snapshot {path} was damaged ({error}) and is now {damaged.name}; begun anew")
        path.touch(mode=0o600)
        return _opened(path)


def _opened(path: Path | str) -> sqlite3.Connection:
    database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    try:
        # A crash of radiusd loses nothing; a power cut the last moments, but never the file.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.executescript(_TABLES)
        database.execute("SELECT count(*) FROM account").fetchone()
    except BaseException:
        database.close()
        raise
    return database


def _us(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)
