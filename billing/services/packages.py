"""Packages that are bought or billed (rules B2, B4, B6): windows, and the order of what waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.model.commerce import Owner
from billing.model.plan import PlanTerms, Starts
from billing.model.views import SaleReceipt
from billing.rules.taxes import Charge
from billing.services.deferrals import defer_package
from billing.services.issuing import owner_of
from billing.store import entitlements, ledger, tables
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


def begin_next(tx: Transaction, customer_id: int, subscription_id: int, now: datetime) -> None:
    """The first package that follows begins `now`, unless one runs; a running one was just found
    to be used up (rule B4)."""
    rows = entitlements.open_rows(tx, customer_id, subscription_id, now)
    waiting = [row for row in rows if row.follows and _waits(row, now)]
    if waiting and len(waiting) == len(rows):
        waiting[0].valid_from = now
        waiting[0].valid_until = _end(now, waiting[0].validity_minutes)
    plan_followers(rows, now)
    tx.flush()


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
        rolls_over=terms.rolls_over,
        price_micros=price_micros,
        purchased_at=now,
    )
    entitlements.insert(tx, package)
    return package


def place(
    tx: Transaction,
    row: tables.Subscription,
    terms: PlanTerms,
    window: Window,
    already: Sequence[tables.Entitlement],
    paid: tuple[Charge, int | None],
    now: datetime,
) -> tables.Entitlement:
    """A package that was sold to a daily subscription, behind what it has `already` (rule B4); what
    was `paid` by which entry is earned over its validity (rule I6)."""
    amount, entry_id = paid
    package = entitle(tx, owner_of(row), terms, window, terms.price_micros, now)
    package.entry_id = entry_id
    if entry_id is not None:
        defer_package(tx, package, terms, amount.net.amount_micros, now)
    plan_followers([*already, package], now)
    return package


def receipt_of(
    tx: Transaction,
    row: tables.Subscription,
    terms: PlanTerms,
    package: tables.Entitlement,
    paid: tuple[Charge, int | None],
    invoice_number: str | None = None,
) -> SaleReceipt:
    """What the sale of a package, or of a month by a bill, came to."""
    tx.flush()
    amount, entry_id = paid
    return SaleReceipt(
        customer_id=row.customer_id,
        subscription_id=row.subscription_id,
        entitlement_id=package.entitlement_id,
        entry_id=entry_id,
        invoice_number=invoice_number,
        plan_name=terms.plan_name,
        total_micros=amount.total.amount_micros,
        tax_micros=amount.tax.amount_micros,
        rounding_micros=amount.rounding.amount_micros,
        currency=amount.total.currency,
        valid_from=package.valid_from,
        valid_until=package.valid_until,
        available_micros=ledger.wallet(tx, row.customer_id, row.wallet_id).available_micros,
    )
