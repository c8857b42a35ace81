"""Fills Tollway's database with the subscribers of the bench, by COPY."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
from psycopg import sql

from billing.model.network import Vendor
from billing.model.plan import PlanTerms
from billing.model.profile import BillingKind, BillingProfile, Payment
from billing.services import catalog
from billing.services.context import Context
from billing.store import tables

from . import workload

_ORG_ID = 1
PROFILE_NAME = "bench"
_SERIALS = {
    "customer": "customer_id",
    "wallet": "wallet_id",
    "subscription": "subscription_id",
    "entitlement": "entitlement_id",
}


@dataclass(frozen=True)
class Router:
    """A NAS: where its packets come from, and where it listens for CoA and Disconnect."""

    address: str = str(workload.NAS_ADDRESS)
    coa_port: int = 3799


def seed(context: Context, users: int, now: datetime, nas: Sequence[Router]) -> None:
    """A daily profile, a plan, the NAS, and *users* subscribers with one package each.

    Every id of subscriber number N is N + 1.
    """
    profile = BillingProfile(name=PROFILE_NAME, kind=BillingKind.DAILY, payment=Payment.PREPAID)
    profile_id = catalog.add_profile(context, profile, now).profile_id
    version_id = catalog.add_plan(context, _plan(), now).terms.plan_version_id
    for router in nas:
        _add_nas(context, router, now)
    raw = context.db.raw()
    with raw:
        _fill(raw, context, users, profile_id, version_id, now)


def _plan() -> PlanTerms:
    return PlanTerms(
        plan_version_id=0,
        plan_name=workload.PLAN_NAME,
        price_micros=1_000_000,
        currency="USD",
        validity_minutes=2 * 1440,
        seconds=workload.ALLOWANCE_SECONDS,
        octets=workload.ALLOWANCE_OCTETS,
        speed_up_kbps=10_000,
        speed_down_kbps=10_000,
        pool=workload.POOL_NAME,
    )


def _add_nas(context: Context, router: Router, now: datetime) -> None:
    row = tables.Nas(
        org_id=_ORG_ID,
        revision=1,
        name=f"bench {router.address}",
        address=router.address,
        vendor=Vendor.MIKROTIK.value,
        secret_sealed=b"",
        coa_port=router.coa_port,
        swap_octets=False,
        require_message_authenticator=True,
        created_at=now,
    )
    with context.transaction() as tx:
        tx.add(row)
        tx.flush()
        row.secret_sealed = context.box.seal(workload.SECRET.decode(), f"nas:{row.nas_id}")


def _fill(
    db: psycopg.Connection,
    context: Context,
    users: int,
    profile_id: int,
    version_id: int,
    now: datetime,
) -> None:
    numbers = [(user, user + 1) for user in range(users)]
    until = now + timedelta(minutes=_plan().validity_minutes or 0)
    names = [workload.user_name(user) for user in range(users)]
    _copy(
        db,
        "customer",
        ("customer_id", "org_id", "profile_id", "name", "created_at"),
        ((key, _ORG_ID, profile_id, names[user], now) for user, key in numbers),
    )
    _copy(
        db,
        "wallet",
        ("customer_id", "wallet_id", "org_id", "currency", "created_at"),
        ((key, key, _ORG_ID, "USD", now) for _, key in numbers),
    )
    _copy(
        db,
        "subscription",
        (
            *("customer_id", "subscription_id", "org_id", "username", "wallet_id"),
            *("plan_version_id", "requires_entitlement", "secret_sealed", "created_at"),
            "service_next_change_at",
        ),
        (
            (key, key, _ORG_ID, names[user], key, version_id, True, sealed, now, until)
            for user, key in numbers
            for sealed in (context.box.seal(workload.password(user), f"subscription:{key}"),)
        ),
    )
    _copy(
        db,
        "login",
        ("username", "customer_id", "subscription_id", "org_id"),
        ((names[user], key, key, _ORG_ID) for user, key in numbers),
    )
    _copy(
        db,
        "entitlement",
        (
            *("customer_id", "entitlement_id", "org_id", "subscription_id", "plan_version_id"),
            *("follows", "validity_minutes", "valid_from", "valid_until"),
            *("seconds_total", "seconds_left", "octets_total", "octets_left"),
            *("price_micros", "purchased_at"),
        ),
        (
            (
                *(key, key, _ORG_ID, key, version_id),
                *(False, _plan().validity_minutes, now, until),
                *(workload.ALLOWANCE_SECONDS, workload.ALLOWANCE_SECONDS),
                *(workload.ALLOWANCE_OCTETS, workload.ALLOWANCE_OCTETS),
                *(1_000_000, now),
            )
            for _, key in numbers
        ),
    )
    for table, column in _SERIALS.items():
        db.execute("SELECT setval(pg_get_serial_sequence(%s, %s), %s)", (table, column, users + 1))


def _copy(
    db: psycopg.Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    command = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
    with db.cursor() as cursor, cursor.copy(command) as copy:
        for row in rows:
            copy.write_row(row)
