"""Packages that are bought or billed (rules B2, B4, B6): windows, and the order of what waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.model.commerce import Owner
from billing.model.plan import PlanTerms, Starts
from billing.store import entitlements, tables
from billing.store.guard import Transaction


@dataclass(frozen=True, slots=True)
class Window:
    """`follows`: begins when what was bought before it ends; instants None: not known yet."""

    follows: bool
    valid_from: datetime | None
    valid_until: datetime | None


def daily_window(
    terms: PlanTerms, already: Sequence[tables.Entitlement], *, start_now: bool, now: datetime
) -> Window:
    """The window of a package bought `now` (rules B2, B4).

    Buying while one is active appends, unless the buyer asks for now. One that starts at the
    first login waits for it.
    """
    if terms.starts is Starts.FIRST_LOGIN and not start_now:
        return Window(follows=False, valid_from=None, valid_until=None)
    if already and not start_now:
        return Window(follows=True, valid_from=None, valid_until=None)
    return Window(follows=False, valid_from=now, valid_until=_end(now, terms.validity_minutes))


def plan_followers(rows: Sequence[tables.Entitlement], now: datetime) -> None:
    """Write the planned windows of packages that follow (rule B4): each begins when the one
    before it expires. None where that is not known: it waits for a first login, or never expires
    and has to be used up."""
    running = [row for row in rows if row.valid_from is not None and not _waits(row, now)]
    ends = [row.valid_until for row in running]
    cursor = None if None in ends else max((end for end in ends if end is not None), default=None)
    for row in rows:
        if row.follows and _waits(row, now):
            row.valid_from = cursor
            row.valid_until = None if cursor is None else _end(cursor, row.validity_minutes)
            cursor = row.valid_until


def _waits(row: tables.Entitlement, now: datetime) -> bool:
    return row.valid_from is None or row.valid_from > now


def _end(start: datetime, validity_minutes: int | None) -> datetime | None:
    return None if validity_minutes is None else start + timedelta(minutes=validity_minutes)


def entitle(
    tx: Transaction,
    owner: Owner,
    terms: PlanTerms,
    window: Window,
    price_micros: int,
    now: datetime,
) -> tables.Entitlement:
    """The package that was bought or billed, with all that its plan gives."""
    package = tables.Entitlement(
        customer_id=owner.customer_id,
        org_id=owner.org_id,
        subscription_id=owner.subscription_id,
        plan_version_id=terms.plan_version_id,
        use_order=terms.use_order,
        follows=window.follows,
        validity_minutes=terms.validity_minutes,
        valid_from=window.valid_from,
        valid_until=window.valid_until,
        seconds_total=terms.seconds,
        seconds_left=terms.seconds,
        octets_total=terms.octets,
        octets_left=terms.octets,
        price_micros=price_micros,
        purchased_at=now,
    )
    entitlements.insert(tx, package)
    return package
