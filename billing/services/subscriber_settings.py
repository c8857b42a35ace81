"""From where, when and how often a subscription may log in, changed later (rules A4, A6, A7)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, replace
from datetime import datetime
from typing import TypedDict, Unpack

from billing.errors import NotFound, Refused
from billing.model.access_settings import AccessSettings, Changed, OpenSession
from billing.model.enforcement import BY_SETTINGS
from billing.model.events import fold_station
from billing.rules.fitting import unfit
from billing.services import live_sessions
from billing.services.context import Context
from billing.services.customers import changing, finish
from billing.services.identity import is_mac
from billing.services.settings_checks import checked_settings, settings_of, write_settings
from billing.store import catalog, tables
from billing.store import customers as store
from billing.store import enforcement as sessions
from billing.store.guard import Transaction


class Change(TypedDict, total=False):
    """What is to be other than it is; None and empty: not limited, no address of its own."""

    macs: tuple[str, ...]
    nas_ids: tuple[int, ...]
    login_hours: str | None
    session_limit: int | None
    framed_ip: str | None


def settings(context: Context, subscription_id: int) -> AccessSettings:
    """As they are. Raises NotFound."""
    with context.transaction() as tx:
        row = store.get_subscription(tx, subscription_id)
        if row is None:
            raise NotFound(
                f"no subscription has the number {subscription_id}", field="subscription"
            )
        return settings_of(row)


def lockable(
    stations: Iterable[str | None], allowed_macs: Collection[str] | None
) -> frozenset[str]:
    """Of the stations of sessions those that are MAC addresses and not allowed by name yet."""
    macs = {one for one in stations if one is not None and is_mac(one)}
    return frozenset(macs.difference(allowed_macs or ()))


def change(
    context: Context,
    subscription_id: int,
    now: datetime,
    *,
    end_sessions: bool = False,
    **wanted: Unpack[Change],
) -> Changed:
    """Holds for every login from now on; sessions that run go on as they began, unless
    `end_sessions` has those disconnected that do not fit what is set now (`rules.fitting`).

    Raises InvalidInput and Conflict as when a subscription is made, Refused (it is closed),
    NotFound.
    """
    with changing(context, subscription_id) as (tx, row):
        if row.closed_at is not None:
            raise Refused(f"{row.username!r} is closed", field="subscription")
        before = settings_of(row)
        after = checked_settings(
            tx,
            replace(before, **wanted),
            org_id=row.org_id,
            now=now,
            username=row.username,
        )
        old, new = asdict(before), asdict(after)
        names = tuple(name for name in new if new[name] != old[name])
        write_settings(row, after)
        running = _running(tx, row)
        ended = _end_unfit(tx, row, running, before, after, now) if end_sessions else 0
        if names or ended:
            detail: dict[str, object] = {
                "before": {name: old[name] for name in names},
                "after": {name: new[name] for name in names},
                "sessions_ended": ended,
            }
            finish(context, tx, row, "subscription.settings", now, detail)
    return Changed(settings=after, names=names, ended=ended, running=len(running) - ended)


def _running(tx: Transaction, row: tables.Subscription) -> dict[int, tables.LiveSession]:
    return {
        one.session_id: one
        for one in sessions.running_sessions(tx, row.customer_id)
        if one.subscription_id == row.subscription_id
    }


def _end_unfit(
    tx: Transaction,
    row: tables.Subscription,
    running: dict[int, tables.LiveSession],
    before: AccessSettings,
    after: AccessSettings,
    now: datetime,
) -> int:
    """Order those to end that do not fit; returns how many."""
    operator = catalog.operator(tx)
    if operator is None:
        raise NotFound("the installation has no operator yet; run `tollway migrate`")
    suspended = f"tw1:{row.subscription_id}:s"
    known = [
        OpenSession(
            session_id=one.session_id,
            nas_id=one.nas_id,
            calling_station=fold_station(one.calling_station or "") or None,
            framed_ip=None if one.framed_ip is None else str(one.framed_ip),
            suspended=(one.session_class or "").startswith(suspended),
        )
        for one in running.values()
    ]
    numbers = unfit(known, before, after, now, operator.time_zone)
    for number in numbers:
        live_sessions.order_end(tx, running[number], BY_SETTINGS, now)
    return len(numbers)
