"""The snapshot of one radiusd: what it last authorised, for an outage of the database (rule A8).

A login costs it one entry in a dictionary, and that only where the plan allows logins during an
outage; `flush` seals and writes beside the requests. While the database works none of it is read.
"""

from __future__ import annotations

import pickle  # nosec B403 (between processes of our own)
import zlib
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from pydantic import ConfigDict, TypeAdapter, ValidationError

from billing.errors import InvalidInput
from billing.model.account import Account, LoginContext
from billing.model.decision import Accept, Decision, Reject, Suspended
from billing.model.events import AccessRequest
from billing.rules.outage import (
    REFUSED_FOR_GOOD,
    begun,
    decide_without_database,
    outage_minutes,
)
from billing.services.secrets import SecretBox
from billing.store.hotpath import Row
from billing.store.snapshot import SnapshotFile, StoredAccount

__all__ = ["LoginShelf", "Snapshot", "SnapshotFile"]

GOOD_AT = "good_at"
"""Fact: when the database last answered."""
GOOD_AT_STEP = timedelta(seconds=5)
LOGINS_MAX = 500_000

_ACCOUNT = TypeAdapter(
    tuple[Account], config=ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
)
_LINE = TypeAdapter(Row)


@dataclass(frozen=True, slots=True)
class _Noted:
    """`granted` is false for an account that changed but was refused for where or when it came."""

    account: Account
    station: str | None
    at: datetime
    granted: bool


class Snapshot:
    """At most `accounts_max` accounts, those granted last. `note` and `forget` may be called by any
    thread; they change single entries only, so that no lock is needed."""

    def __init__(self, file: SnapshotFile, box: SecretBox, *, accounts_max: int) -> None:
        self._file = file
        self._box = box
        self._accounts_max = accounts_max
        self._known = file.usernames()
        self._pending: dict[str, _Noted | None] = {}
        self._failures: Counter[tuple[str, str | None]] = Counter()
        self._good_at_stored = self.good_at() or datetime.min.replace(tzinfo=UTC)
        self.granted = 0

    @property
    def accounts(self) -> int:
        return len(self._known)

    def good_at(self) -> datetime | None:
        """When the database last answered, as known from before a restart."""
        text = self._file.fact(GOOD_AT)
        return None if text is None else datetime.fromisoformat(text)

    def note(
        self, request: AccessRequest, account: Account, decision: Decision, now: datetime
    ) -> None:
        """What was decided on an account just read."""
        name = request.username
        if outage_minutes(account) is None:
            self.forget(name)
        elif not isinstance(decision, Reject):
            self._known.add(name)
            self._pending[name] = _Noted(account, request.calling_station, now, True)
        elif name in self._known:
            gone = decision.reason in REFUSED_FOR_GOOD
            self._pending[name] = None if gone else _Noted(account, None, now, False)

    def forget(self, username: str) -> None:
        """There is no such account, or it is not to be decided on from here."""
        if username in self._known:
            self._pending[username] = None

    def unpack(self, forgotten: list[str], noted: bytes, now: datetime) -> None:
        """What was decided elsewhere (`SnapshotNotes`), by a process of our own."""
        for name in forgotten:
            self.forget(name)
        if noted:
            for request, account, decision in pickle.loads(noted):  # noqa: S301  # nosec B301
                self.note(request, account, decision, now)

    def started(self, username: str, entitlement_id: int, now: datetime) -> None:
        """A package began with this login (rule B2): the account as it will be read next time.
        Raises sqlite3.Error."""
        if username not in self._known:
            return
        self.flush(None)
        stored = self._file.account(username)
        account = None if stored is None else self._opened(stored)
        if stored is None or account is None:
            return
        packages = tuple(
            begun(package, now) if package.entitlement_id == entitlement_id else package
            for package in account.entitlements
        )
        account = replace(account, entitlements=packages)
        self._pending[username] = _Noted(account, stored.station, stored.noted_at, True)

    def failed(self, username: str, station: str | None) -> None:
        """A wrong password while the database was out: the throttle of that time (rule A4)."""
        if len(self._failures) < self._accounts_max:
            self._failures[username, station] += 1
            self._failures[username, ""] += 1

    def decide(
        self, request: AccessRequest, nas_id: int, now: datetime, out_since: datetime
    ) -> tuple[Accept | Suspended, Account] | None:
        """Decide without the database; None: refused. With a limit of simultaneous sessions only
        the station that was granted last gets in: who else is online is not known (rule A7)."""
        self.flush(None)
        stored = self._file.account(request.username)
        account = None if stored is None else self._opened(stored)
        if stored is None or account is None:
            return None
        same = stored.station is not None and stored.station == request.calling_station
        context = LoginContext(
            nas_id=nas_id,
            calling_station=request.calling_station,
            open_sessions=0 if same else account.session_limit or 0,
            station_failures=self._failures[request.username, request.calling_station],
            all_failures=self._failures[request.username, ""],
            station_known=same,
        )
        decision = decide_without_database(account, context, now, out_since)
        if decision is None:
            return None
        self.granted += 1
        return decision, account

    def flush(self, good_at: datetime | None) -> None:
        """Write what was noted; `good_at` while the database answers. Raises sqlite3.Error."""
        if good_at is not None:
            self._failures.clear()
            if good_at - self._good_at_stored >= GOOD_AT_STEP:
                self._file.put_fact(GOOD_AT, good_at.isoformat())
                self._good_at_stored = good_at
        granted: list[StoredAccount] = []
        changed: list[StoredAccount] = []
        gone: list[str] = []
        for _ in range(len(self._pending)):
            try:
                name, noted = self._pending.popitem()
            except KeyError:  # another thread flushes
                break
            if noted is None:
                gone.append(name)
            else:
                kept = StoredAccount(name, noted.station, noted.at, self._sealed(name, noted))
                (granted if noted.granted else changed).append(kept)
        self._file.put_accounts(granted)
        self._file.change_accounts(changed)
        self._file.drop_accounts(gone)
        self._known.difference_update(gone)
        if len(self._known) > self._accounts_max:
            self._file.drop_oldest(self._accounts_max * 9 // 10)
            self._known = self._file.usernames()

    def close(self) -> None:
        """Nothing may be asked of it any more."""
        self._file.close()

    def _sealed(self, username: str, noted: _Noted) -> bytes:
        text = _ACCOUNT.dump_json((noted.account,), exclude_defaults=True)
        return self._box.seal_bytes(zlib.compress(text, 1), _associated(username))

    def _opened(self, stored: StoredAccount) -> Account | None:
        """None when it cannot be read: an older version wrote it, or the key was changed."""
        try:
            packed = self._box.open_bytes(stored.sealed, _associated(stored.username))
            (account,) = _ACCOUNT.validate_json(zlib.decompress(packed))
        except (InvalidInput, ValidationError, zlib.error):
            return None
        return account


class SnapshotNotes:
    """What a process that decides in the place of radiusd has to tell radiusd's `Snapshot`."""

    def __init__(self) -> None:
        self._noted: list[tuple[AccessRequest, Account, Decision]] = []
        self._forgotten: list[str] = []

    def note(
        self, request: AccessRequest, account: Account, decision: Decision, _now: datetime
    ) -> None:
        """As `Snapshot.note`."""
        if outage_minutes(account) is None:
            self._forgotten.append(request.username)
        else:
            self._noted.append((request, account, decision))

    def forget(self, username: str) -> None:
        """As `Snapshot.forget`."""
        self._forgotten.append(username)

    def packed(self) -> tuple[list[str], bytes]:
        """For `Snapshot.unpack`; begins anew."""
        forgotten, self._forgotten = self._forgotten, []
        if not self._noted:
            return forgotten, b""
        noted, self._noted = self._noted, []
        return forgotten, pickle.dumps(noted)


class LoginShelf:
    """Lines of the login history, encoded, that wait on the disk for the database (rule A3)."""

    def __init__(self, file: SnapshotFile, box: SecretBox) -> None:
        self._file = file
        self._box = box
        self.waiting = file.count_logins()

    def put(self, lines: list[Row]) -> bool:
        """False when no more are taken. Raises sqlite3.Error."""
        if self.waiting + len(lines) > LOGINS_MAX:
            return False
        self._file.add_logins(
            [self._box.seal_bytes(_LINE.dump_json(line), "login") for line in lines]
        )
        self.waiting += len(lines)
        return True

    def first(self, limit: int) -> tuple[int, list[Row]]:
        """The oldest lines, and the number to `drop` them by; lines that can't be read are left
        out."""
        kept = self._file.logins(limit)
        found: list[Row] = []
        for _, sealed in kept:
            try:
                text = self._box.open_bytes(sealed, "login")
                found.append(_LINE.validate_json(text))
            except (InvalidInput, ValidationError):
                continue
        return kept[-1][0] if kept else 0, found

    def drop(self, last_id: int) -> None:
        """The lines up to this one are written."""
        self._file.drop_logins(last_id)
        self.waiting = self._file.count_logins()


def _associated(username: str) -> str:
    return f"snapshot:{username}"
