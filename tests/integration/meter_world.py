"""Subscribers, packages and records for the tests of the meter, written and read as plain rows.

Every customer, user name and session id is new, so that tests share one database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from billing.model.events import AccountingRecord, Status
from billing.settings import Settings
from billing.store import hotpath

T0 = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
GIB = 2**30
MIB = 2**20
ROUTER = "10.1.0.1"
OTHER_ROUTER = "10.1.0.2"
_numbers = count(1)


@dataclass(frozen=True)
class Pack:
    """A package as a sale leaves it. Instants are relative to T0 in minutes."""

    seconds: int | None = None
    octets: int | None = None
    since_minutes: float | None = -1440
    minutes: int | None = 30 * 1440
    follows: bool = False
    bought_minutes: float = -1440
    use_order: int = 50


@dataclass(frozen=True)
class Payg:
    """Pay-as-you-go terms (rule P3)."""

    octet_step: int | None = None
    octet_step_micros: int | None = None
    second_step: int | None = None
    second_step_micros: int | None = None


@dataclass(frozen=True)
class Metered:
    """One subscription under test."""

    customer_id: int
    subscription_id: int
    wallet_id: int
    username: str
    entitlement_ids: tuple[int, ...]


class MeterWorld:
    """One database: `write` as the worker, charge as the hooks do.

    Several worlds share one database when each has a `name` and NAS addresses of its own.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        name: str = "meter",
        routers: Sequence[str] = (ROUTER, OTHER_ROUTER),
    ) -> None:
        self._settings = settings
        self.name = name
        self.db = psycopg.connect(
            settings.dsn("worker"), autocommit=True, row_factory=namedtuple_row
        )
        self.lane = self.open_lane()
        self.profile_id = self._id(
            "INSERT INTO billing_profile (org_id, revision, name, kind, payment, automatic_bill,"
            " automatic_suspend, cycle_ends_with_month, cycle_day, due_basis, due_days, bill_in,"
            " suspend_at_hour, no_cut_weekdays, no_cut_dates, credit_limit_micros, tax_rate_ppm,"
            " tax_inclusive, created_at) VALUES (1, 1, %s, 'daily', 'prepaid', false, false,"
            " false, 1, 'issue', 10, 'advance', 0, '{}', '{}', 0, 0, true, %s)"
            " RETURNING profile_id",
            *(name, T0),
        )
        self.nas_ids = {address: self.nas(address) for address in routers}
        self._versions: dict[tuple[Payg | None, str | None], int] = {}

    def close(self) -> None:
        self.lane.close()
        self.db.close()

    def open_lane(
        self, kind: type[hotpath.HotConnection] = hotpath.HotConnection
    ) -> hotpath.HotConnection:
        """One more connection of the hooks."""
        return kind(
            self._settings.dsn("radius"), statement_timeout_ms=30_000, lock_timeout_ms=20_000
        )

    def set_zone(self, zone: str) -> None:
        self.db.execute("UPDATE operator SET time_zone = %s", (zone,))

    def plan_version(self, payg: Payg | None, windows: str | None = None) -> int:
        """A version of a plan with these terms; the same terms give the same version."""
        terms = (payg, windows)
        if terms not in self._versions:
            self._versions[terms] = self.new_version(*terms)
        return self._versions[terms]

    def new_version(self, payg: Payg | None, windows: str | None = None) -> int:
        terms = payg or Payg()
        plan_id = self._id(
            "INSERT INTO plan (org_id, name, created_at) VALUES (1, %s, %s) RETURNING plan_id",
            f"{self.name} {next(_numbers)}",
            T0,
        )
        return self._id(
            "INSERT INTO plan_version (plan_id, version, effective_from, price_micros, currency,"
            " starts, interim_seconds, payg_octet_step, payg_octet_step_micros, payg_second_step,"
            " payg_second_step_micros, tariff_windows, created_at)"
            " VALUES (%s, 1, %s, 0, 'USD', 'purchase', 300, %s, %s, %s, %s, %s, %s)"
            " RETURNING plan_version_id",
            *(plan_id, T0, terms.octet_step, terms.octet_step_micros),
            *(terms.second_step, terms.second_step_micros, windows, T0),
        )

    def set_version(self, who: Metered, version_id: int) -> None:
        """Put the subscription on another version of a plan, as a service does."""
        self.db.execute(
            "UPDATE subscription s SET plan_version_id = %s,"
            " has_tariff_windows = s.has_tariff_windows OR (SELECT v.tariff_windows IS NOT NULL"
            " FROM plan_version v WHERE v.plan_version_id = %s) WHERE subscription_id = %s",
            (version_id, version_id, who.subscription_id),
        )

    def customer(
        self,
        packs: Sequence[Pack] = (),
        *,
        payg: Payg | None = None,
        windows: str | None = None,
        requires_entitlement: bool = True,
        posted_micros: int = 0,
        credit_limit_micros: int = 0,
    ) -> Metered:
        """A customer with one subscription, one wallet and these packages."""
        customer_id = self._id(
            "INSERT INTO customer (org_id, profile_id, name, created_at) VALUES (1, %s, 'c', %s)"
            " RETURNING customer_id",
            self.profile_id,
            T0,
        )
        wallet_id = self._id(
            "INSERT INTO wallet (customer_id, org_id, currency, posted_micros,"
            " credit_limit_micros, created_at) VALUES (%s, 1, 'USD', %s, %s, %s)"
            " RETURNING wallet_id",
            *(customer_id, posted_micros, credit_limit_micros, T0),
        )
        return self.subscription(
            customer_id,
            wallet_id,
            packs,
            payg=payg,
            windows=windows,
            requires_entitlement=requires_entitlement,
        )

    def subscription(
        self,
        customer_id: int,
        wallet_id: int,
        packs: Sequence[Pack] = (),
        *,
        payg: Payg | None = None,
        windows: str | None = None,
        requires_entitlement: bool = True,
    ) -> Metered:
        """One more subscription of a customer, on one of its wallets."""
        username = f"{self.name}-{next(_numbers)}"
        version_id = self.plan_version(payg, windows)
        subscription_id = self._id(
            "INSERT INTO subscription (customer_id, org_id, username, wallet_id, plan_version_id,"
            " requires_entitlement, created_at, has_tariff_windows)"
            " VALUES (%s, 1, %s, %s, %s, %s, %s, %s) RETURNING subscription_id",
            *(customer_id, username, wallet_id, version_id, requires_entitlement, T0),
            windows is not None,
        )
        self.db.execute(
            "INSERT INTO login (username, customer_id, subscription_id, org_id)"
            " VALUES (%s, %s, %s, 1)",
            (username, customer_id, subscription_id),
        )
        who = Metered(customer_id, subscription_id, wallet_id, username, ())
        return replace(who, entitlement_ids=tuple(self.buy(who, one, version_id) for one in packs))

    def charge(self, *records: AccountingRecord, now: datetime | None = None) -> None:
        """One batch, as the hook sends it; `now` defaults to the last arrival."""
        at = now or max(record.arrived_at for record in records)
        hotpath.charge_usage(self.lane, [hotpath.usage_row(record) for record in records], at)

    def rows(self, query: str, *values: object) -> list[Any]:
        return self.db.execute(query, values).fetchall()

    def sessions(self, who: Metered) -> list[Any]:
        """Sessions of the subscription, by their beginning."""
        return self.rows(
            "SELECT * FROM live_session WHERE customer_id = %s AND subscription_id = %s"
            " ORDER BY started_at, session_id",
            *(who.customer_id, who.subscription_id),
        )

    def session(self, who: Metered) -> Any:
        """The one session of the subscription."""
        (row,) = self.sessions(who)
        return row

    def totals(self, who: Metered) -> list[tuple[int, int, int]]:
        """(seconds, input, output) of each session."""
        return [(s.session_seconds, s.input_octets, s.output_octets) for s in self.sessions(who)]

    def entitlements(self, who: Metered) -> list[Any]:
        return self.rows(
            "SELECT * FROM entitlement WHERE customer_id = %s AND subscription_id = %s"
            " ORDER BY entitlement_id",
            *(who.customer_id, who.subscription_id),
        )

    def slices(self, who: Metered) -> list[Any]:
        return self.rows(
            "SELECT * FROM daily_usage WHERE customer_id = %s AND subscription_id = %s"
            " ORDER BY local_day, entitlement_id = 0, entitlement_id, session_id",
            *(who.customer_id, who.subscription_id),
        )

    def by_kind(self, who: Metered) -> dict[tuple[str, int], tuple[int, int]]:
        """(kind, entitlement) → (seconds, octets)."""
        found: dict[tuple[str, int], tuple[int, int]] = {}
        for row in self.slices(who):
            seconds, octets = found.get((row.kind, row.entitlement_id), (0, 0))
            found[row.kind, row.entitlement_id] = (
                seconds + row.seconds,
                octets + row.input_octets + row.output_octets,
            )
        return found

    def wallet(self, who: Metered) -> Any:
        return self.rows("SELECT * FROM wallet WHERE wallet_id = %s", who.wallet_id)[0]

    def orders(self, who: Metered) -> list[Any]:
        """Orders to the running sessions of the whole customer."""
        return self.rows(
            "SELECT * FROM coa_intent WHERE customer_id = %s ORDER BY intent_id", who.customer_id
        )

    def journal(self, who: Metered) -> list[Any]:
        return self.rows(
            "SELECT * FROM acct_journal WHERE customer_id = %s AND subscription_id = %s"
            " ORDER BY record_id",
            *(who.customer_id, who.subscription_id),
        )

    def anomalies(self, who: Metered) -> list[str]:
        """Codes of what was noted, in order."""
        rows = self.rows(
            "SELECT code FROM anomaly WHERE customer_id = %s AND subscription_id = %s"
            " ORDER BY anomaly_id",
            *(who.customer_id, who.subscription_id),
        )
        return [row.code for row in rows]

    def nas(self, address: str) -> int:
        """A NAS at this address; returns its id."""
        return self._id(
            "INSERT INTO nas (org_id, revision, name, address, vendor, secret_sealed, coa_port,"
            " swap_octets, require_message_authenticator, created_at)"
            " VALUES (1, 1, %s, %s, 'generic', '', 3799, false, false, %s) RETURNING nas_id",
            *(f"{self.name} {address}", address, T0),
        )

    def buy(self, who: Metered, pack: Pack, version_id: int) -> int:
        """A package of a version of a plan; returns its id."""
        start = None if pack.since_minutes is None else at(minutes=pack.since_minutes)
        end = None
        if start is not None and pack.minutes is not None:
            end = start + timedelta(minutes=pack.minutes)
        return self._id(
            "INSERT INTO entitlement (customer_id, org_id, subscription_id, plan_version_id,"
            " follows, validity_minutes, valid_from, valid_until, seconds_total, seconds_left,"
            " octets_total, octets_left, price_micros, purchased_at, use_order)"
            " VALUES (%s, 1, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 0, %s, %s)"
            " RETURNING entitlement_id",
            *(who.customer_id, who.subscription_id, version_id),
            *(pack.follows, pack.minutes, start, end),
            *(pack.seconds, pack.seconds, pack.octets, pack.octets),
            at(minutes=pack.bought_minutes),
            pack.use_order,
        )

    def _id(self, statement: str, *values: object) -> int:
        row = self.db.execute(statement, values).fetchone()
        assert row is not None
        return int(row[0])


def at(seconds: float = 0, *, minutes: float = 0) -> datetime:
    """An instant relative to T0."""
    return T0 + timedelta(seconds=seconds, minutes=minutes)


def new_id() -> str:
    """An Acct-Session-Id that no other test uses."""
    return f"sid-{next(_numbers)}"


def record(
    who: Metered | str,
    status: Status,
    event_at: datetime,
    *,
    seconds: int | None = None,
    sent: int | None = None,
    received: int | None = None,
    sid: str = "s1",
    nas: str = ROUTER,
    precise: bool = True,
    gigawords: bool = True,
    arrived_at: datetime | None = None,
    **more: Any,
) -> AccountingRecord:
    """An accounting record; `sent` are the subscriber's input octets, `received` its output."""
    username = who if isinstance(who, str) else who.username
    return AccountingRecord(
        status=status,
        username=username,
        nas_address=nas,
        acct_session_id=sid,
        arrived_at=arrived_at or event_at,
        event_at=event_at,
        precise_time=precise,
        session_seconds=seconds,
        input_octets=sent,
        output_octets=received,
        has_gigawords=gigawords,
        sent_username=username.upper(),
        **more,
    )


def start(who: Metered | str, event_at: datetime, **more: Any) -> AccountingRecord:
    return record(who, Status.START, event_at, **more)


def interim(
    who: Metered | str,
    event_at: datetime,
    seconds: int | None,
    sent: int | None = 0,
    received: int | None = 0,
    **more: Any,
) -> AccountingRecord:
    return record(
        who, Status.INTERIM, event_at, seconds=seconds, sent=sent, received=received, **more
    )


def stop(
    who: Metered | str,
    event_at: datetime,
    seconds: int | None,
    sent: int | None = 0,
    received: int | None = 0,
    **more: Any,
) -> AccountingRecord:
    return record(who, Status.STOP, event_at, seconds=seconds, sent=sent, received=received, **more)


def resent(original: AccountingRecord, *, after_seconds: float) -> AccountingRecord:
    """The same record once more: it arrives later and tells the same instant."""
    return replace(original, arrived_at=original.arrived_at + timedelta(seconds=after_seconds))
