"""From an empty PostgreSQL server to an installation that can be used."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from billing.errors import InvalidInput
from billing.model.money import Money
from billing.model.views import OperatorView
from billing.services.context import Context
from billing.services.identity import checked_name
from billing.store import audit, catalog, migrate


def prepare_database(
    admin_dsn: str,
    owner_dsn: str,
    database: str,
    role_passwords: Mapping[str, str],
    now: datetime,
) -> tuple[str | None, str | None]:
    """Roles, database and schema; repeatable. Returns the schema's revision before and after."""
    migrate.bootstrap(admin_dsn, database, dict(role_passwords))
    before = migrate.current_revision(owner_dsn)
    migrate.migrate(owner_dsn, now)
    return before, migrate.current_revision(owner_dsn)


def ensure_operator(
    context: Context, *, name: str, time_zone: str, currency: str, now: datetime
) -> tuple[OperatorView, bool]:
    """The installation's operator and root organisation, made unless they are there already.

    Returns the operator, and whether it was made now. An existing one is left as it is: its
    time zone and currency are what everything stored was reckoned in. Raises InvalidInput.
    """
    wanted = OperatorView(
        name=checked_name(name),
        time_zone=checked_time_zone(time_zone),
        currency=checked_currency(currency),
    )
    with context.transaction() as tx:
        existing = catalog.operator(tx)
        if existing is not None:
            return existing, False
        catalog.insert_operator(tx, wanted, now)
        audit.append(
            tx,
            at=now,
            org_id=1,
            actor=context.actor,
            action="operator.add",
            subject="operator:1",
            detail={"name": name, "time_zone": time_zone, "currency": currency},
        )
    return wanted, True


def schema_ready(context: Context) -> bool:
    """Whether the database has been migrated at all."""
    with context.transaction() as tx:
        return catalog.schema_ready(tx)


def checked_time_zone(time_zone: str) -> str:
    """An IANA zone name (rule M3)."""
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(
            f"{time_zone!r} is no time zone; write it like Europe/Madrid", field="time_zone"
        ) from None
    return time_zone


def checked_currency(currency: str) -> str:
    """An ISO 4217 code (rule M1)."""
    try:
        return Money(0, currency.upper()).currency
    except ValueError as error:
        raise InvalidInput(str(error), field="currency") from None
