"""The statements of the hooks: one a batch, prepared, in autocommit (architecture.md, hot path).

Rows are encoded when a request arrives (`*_row`), columns are joined when its batch runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from socket import SHUT_RDWR, socket
from time import monotonic
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from billing.errors import Unavailable
from billing.model.account import SpendingCap, UnpaidBill
from billing.model.events import AccessRequest, AccountingRecord, LoginRecord, UnusableRecord
from billing.model.making import maker
from billing.model.plan import Entitlement, PlanTerms
from billing.model.profile import BillingProfile
from billing.model.vouchers import Alphabet, CodeFormat
from billing.store import outer_names
from billing.store.arrays import NULL, array, columns, number, quoted
from billing.store.catalog import profile_of, terms_of
from billing.store.pool import named_query

# Event times of a NAS that sends neither Event-Timestamp nor Acct-Delay-Time are uncertain by the
# time a lost packet was resent (rule U3).
PRECISE_SLACK_SECONDS = "2"
IMPRECISE_SLACK_SECONDS = "60"

# A plan is made for tables as large as they are then, and an empty table's plan reads all of it.
# So plans are made anew when the number of calls has doubled, at last every so many.
FIRST_PLANS_CALLS = 16
LAST_PLANS_CALLS = 8192

_entitlement = maker(Entitlement)
# Columns of load_access_v1 from framed_ip to promise_until.
_FIRST_RARE, _AFTER_RARE = 12, 26
_NOTHING_RARE = (None,) * (_AFTER_RARE - _FIRST_RARE)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Row = tuple[str, ...]
NAS_ADDRESS_COLUMN = 3  # of usage_row
OUTCOME_COLUMN, REASON_COLUMN = 5, 6  # of login_row


# "cached plan must not change result type": a migration has changed what a function returns.
_PlanOutdated = psycopg.errors.FeatureNotSupported


class HotConnection:
    """One lane's connection: connects when first used, and again after it was lost.

    `fetch` raises Unavailable when the server does not do its part in time; the caller can't
    know whether anything was committed, and must not acknowledge (rule U1). Values that the
    database refuses raise psycopg.DataError or psycopg.IntegrityError (see `is_one_rows_fault`).
    """

    def __init__(self, dsn: str, *, statement_timeout_ms: int, lock_timeout_ms: int) -> None:
        self._dsn = dsn
        self._statement_timeout_ms = statement_timeout_ms
        self._options = (
            f"-c statement_timeout={statement_timeout_ms} -c lock_timeout={lock_timeout_ms}"
            " -c timezone=UTC -c synchronous_commit=on -c plan_cache_mode=force_generic_plan"
            # The batch is always small and every look-up has its index: whatever the statistics
            # say at the moment, a plan of index look-ups is right for the hooks.
            " -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off"
        )
        self._connection: psycopg.Connection[Any] | None = None
        # One for all statements: it remembers how each column's type is read.
        self._cursor: psycopg.Cursor[Any] | None = None
        self._busy_since: float | None = None
        self._was_cut = False
        self._calls = 0
        self._plans_until = FIRST_PLANS_CALLS

    def fetch(self, query: str, parameters: Sequence[object]) -> list[Any]:
        """Run one prepared statement. A connection that turns out lost is replaced once at once:
        the statements are safe to repeat, since the meter counts nothing twice (rule U2)."""
        reused = self._connection is not None
        self._was_cut = False
        try:
            try:
                return self._execute(query, parameters)
            except (psycopg.OperationalError, _PlanOutdated):
                if not (reused and self._connection is None) or self._was_cut:
                    raise
            return self._execute(query, parameters)
        except (psycopg.DataError, psycopg.IntegrityError):
            raise
        except psycopg.errors.LockNotAvailable as error:
            raise RowLocked("the database: a customer's row is locked") from error
        except psycopg.Error as error:
            # The text of the error may quote values of the batch: its class says enough.
            raise Unavailable(f"the database: {type(error).__name__}") from error

    def _execute(self, query: str, parameters: Sequence[object]) -> list[Any]:
        connection, cursor = self._connection, self._cursor
        if connection is None or cursor is None:
            connection = self._connection = psycopg.connect(
                self._dsn,
                autocommit=True,
                prepare_threshold=0,
                options=self._options,
                connect_timeout=3,
                # A server that went away without a word is noticed by these, not by its limits.
                tcp_user_timeout=2 * self._statement_timeout_ms,
                keepalives_idle=5,
                keepalives_interval=2,
                keepalives_count=3,
                row_factory=namedtuple_row,
            )
            cursor = self._cursor = connection.cursor()
        self._busy_since = monotonic()
        try:
            self._calls += 1
            if self._calls >= self._plans_until:
                self._plans_until = self._calls + min(self._calls, LAST_PLANS_CALLS)
                connection.execute("DISCARD PLANS")
            return cursor.execute(query, parameters, prepare=True).fetchall()
        except _PlanOutdated:
            self.close()
            raise
        except psycopg.OperationalError:
            if connection.broken:
                self.close()
            raise
        finally:
            self._busy_since = None

    def cut(self, seconds: float) -> bool:
        """End a statement that has had no answer for this long, from another thread: a server that
        hangs does not keep its own time limits. True when there was one; its caller gets
        Unavailable. It may be committed all the same once the server goes on."""
        since, connection = self._busy_since, self._connection
        if since is None or connection is None or monotonic() - since < seconds:
            return False
        self._busy_since, self._was_cut = None, True
        try:
            with socket(fileno=os.dup(connection.fileno())) as wire:
                wire.shutdown(SHUT_RDWR)
        except (OSError, psycopg.Error):
            return False
        return True

    def close(self) -> None:
        """Drop the connection, if there is one."""
        connection, self._connection, self._cursor = self._connection, None, None
        if connection is not None:
            connection.close()


class RowLocked(Unavailable):
    """A row of the batch stayed locked by somebody else for longer than `lock_timeout`."""


def is_one_rows_fault(error: Exception) -> bool:
    """Whether one row broke its batch, by its values (radius.md F15) or by being locked; the others
    are not to blame."""
    return isinstance(error, (psycopg.DataError, psycopg.IntegrityError, RowLocked))


def entitlements_of(text: str | None, terms: Callable[[int], PlanTerms]) -> tuple[Entitlement, ...]:
    """The packages that load_access_v1 lists; *terms* tells those of a plan version."""
    if not text:
        return ()
    found = []
    for entry in text.split(";"):
        identity, version, minutes, since, until, seconds, octets, follows = entry.split(":")
        plan_version_id = int(version)
        plan = terms(plan_version_id)
        found.append(
            _entitlement(
                entitlement_id=int(identity),
                plan_version_id=plan_version_id,
                plan_name=plan.plan_name,
                validity_minutes=int(minutes) if minutes else None,
                valid_from=from_us(since),
                valid_until=from_us(until),
                seconds_left=int(seconds) if seconds else None,
                octets_left=int(octets) if octets else None,
                follows=follows == "t",
                tariff_windows=plan.tariff_windows,
            )
        )
    return tuple(found)


def unpaid_bills_of(text: str | None) -> tuple[UnpaidBill, ...]:
    """The unpaid bills that load_access_v1 gives, oldest due day first."""
    if not text:
        return ()
    parts = (entry.rsplit("|", 2) for entry in text.split(";"))
    return tuple(
        UnpaidBill(number=name, due_on=date.fromisoformat(due), open_micros=int(left))
        for name, due, left in parts
    )


def spending_cap_of(text: str | None) -> SpendingCap | None:
    """The wallet's cap that load_access_v1 gives (rule P14)."""
    if text is None:
        return None
    amount, left, until = text.split(":")
    return SpendingCap(
        amount_micros=int(amount), left_micros=int(left), until=from_us(until) or _EPOCH
    )


def load_access(lane: HotConnection, requests: Sequence[AccessRequest], now: datetime) -> list[Any]:
    """The account of each request, in their order (rows of load_access_v1)."""
    rows = lane.fetch(
        named_query("load_access"),
        (
            now,
            array([quoted(request.username) for request in requests]),
            array([request.nas_address or NULL for request in requests]),
            array([quoted(request.calling_station) for request in requests]),
        ),
    )
    rows.sort(key=_ord)
    return rows


def voucher_login_formats(lane: HotConnection) -> list[CodeFormat]:
    """What codes look like that may log in (rule R3)."""
    return [
        CodeFormat(
            length=row.length,
            alphabet=Alphabet(row.alphabet),
            prefix=row.prefix,
            password_length=row.password_length,
        )
        for row in lane.fetch(named_query("voucher_login_formats"), ())
    ]


def voucher_keys(lane: HotConnection) -> list[tuple[int, bytes]]:
    """Number and sealed octets of the keys that were added, oldest first (rule R3)."""
    rows = lane.fetch(named_query("voucher_keys"), ())
    return [(row.key_id, bytes(row.key_sealed)) for row in rows]


def find_voucher_logins(
    lane: HotConnection, hashes: Sequence[bytes]
) -> dict[bytes, tuple[str, int]]:
    """User name and length of the password, by the keyed hash of a code that may log in."""
    rows = lane.fetch(named_query("find_voucher_logins"), (list(hashes),))
    return {bytes(row.code_hmac): (row.login_name, row.password_length) for row in rows}


def nothing_of_its_own(row: Any) -> bool:
    """Whether a row of load_access_v1 has none of what few subscribers have: an address, a speed,
    limits of place, hour and number, a hold."""
    return bool(row[_FIRST_RARE:_AFTER_RARE] == _NOTHING_RARE)


def probe(lane: HotConnection) -> None:
    """A harmless statement that needs what a login needs. Raises Unavailable."""
    lane.fetch(named_query("load_access"), (datetime.now(UTC), "{}", "{}", "{}"))


def hear(lane: HotConnection, now: datetime) -> None:
    """Say that accounting is heard, and all that was heard is charged (rule U10)."""
    lane.fetch(named_query("hear"), (now,))


def _ord(row: Any) -> int:
    return int(row.ord)


def record_logins(lane: HotConnection, rows: list[Row], now: datetime) -> None:
    """Write the history, the throttle's counts and first-login activations."""
    lane.fetch(named_query("record_logins"), (now, *columns(rows)))


def login_row(login: LoginRecord) -> Row:
    """One finished login, encoded for `record_logins`."""
    return (
        quoted(login.username),
        str(login.customer_id),
        str(login.subscription_id),
        login.nas_address or NULL,
        quoted(login.calling_station),
        login.outcome,
        login.reason,
        str(login.entitlement_id),
        instant(login.at),
    )


def plain_login_row(
    request: AccessRequest,
    customer_id: int | None,
    subscription_id: int | None,
    outcome: str,
    reason: str,
    at_text: str,
) -> Row:
    """The same of a granted login that takes nothing; `at_text` is its `instant`."""
    return (
        quoted(request.username),
        str(customer_id or 0),
        str(subscription_id or 0),
        request.nas_address or NULL,
        quoted(request.calling_station),
        outcome,
        reason,
        "0",
        at_text,
    )


def load_client(lane: HotConnection, address: str) -> Any | None:
    """The NAS at an address (row of load_client_v1), None when there is none."""
    rows = lane.fetch(named_query("load_client"), (address,))
    return rows[0] if rows else None


def load_terms(lane: HotConnection, plan_version_id: int) -> PlanTerms:
    """The immutable terms of a plan version (rule M6)."""
    row = lane.fetch(named_query("load_terms"), (plan_version_id,))[0]
    return terms_of(row, row.plan_name)


def load_profile(lane: HotConnection, profile_id: int) -> BillingProfile:
    """A billing profile as it is now."""
    return profile_of(lane.fetch(named_query("load_profile"), (profile_id,))[0])


def load_operator(lane: HotConnection) -> Any:
    """The operator's name, time zone and currency."""
    return lane.fetch(named_query("load_operator"), ())[0]


def usage_row(record: AccountingRecord) -> Row:
    """One record, encoded for `charge_usage`."""
    return (
        str(record.status.value),
        quoted(record.username),
        quoted(record.sent_username),
        record.nas_address,
        quoted(record.acct_session_id),
        instant(record.arrived_at),
        instant(record.event_at),
        PRECISE_SLACK_SECONDS if record.precise_time else IMPRECISE_SLACK_SECONDS,
        number(record.session_seconds),
        number(record.input_octets),
        number(record.output_octets),
        "t" if record.has_gigawords else "f",
        record.framed_ip or NULL,
        quoted(record.framed_ipv6_prefix),
        quoted(record.framed_ipv6_address),
        quoted(record.delegated_ipv6_prefix),
        quoted(record.framed_interface_id),
        quoted(record.calling_station),
        quoted(record.called_station),
        quoted(record.nas_port_id),
        quoted(record.session_class),
        quoted(record.terminate_cause),
        quoted(",".join(record.anomalies)) if record.anomalies else NULL,
        quoted(record.raw),
    )


def charge_usage(lane: HotConnection, rows: list[Row], now: datetime) -> None:
    """Charge a batch, exactly once (charge_usage_v1); returns when it is durable."""
    encoded = columns(rows)
    if outer_names.may_be_among(encoded[outer_names.USERNAME_COLUMN]):
        encoded = columns(outer_names.own_names(lane, rows))
    lane.fetch(named_query("charge_usage"), (now, *encoded))


def store_dead_letters(lane: HotConnection, records: Sequence[UnusableRecord]) -> None:
    """Keep records that can never be charged; returns when they are durable."""
    rows: list[Row] = [
        (
            instant(record.arrived_at),
            record.nas_address,
            quoted(record.reason.value),
            quoted(record.raw),
        )
        for record in records
    ]
    lane.fetch(named_query("store_dead_letters"), columns(rows))


def instant(at: datetime) -> str:
    """A UTC instant as an array element, to the microsecond."""
    return f'"{at.replace(tzinfo=None).isoformat()}+00"'


def from_us(text: str) -> datetime | None:
    """Microseconds since 1970 → UTC instant, exact; empty is None."""
    return _EPOCH + timedelta(microseconds=int(text)) if text else None
