"""What is unused of packages is carried into those that follow them (rule B4).

The meter charges what is reported late to the package of its time; then the follower has got too
much, and the next run takes it back. So a package always has what its predecessor leaves by what is
known, once, and a run that was killed is taken up where it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from functools import partial

from billing.model.bills import Parked
from billing.model.rolling import Carried, RollingReport
from billing.rules.rolling import (
    NO_GAP,
    SETTLED_AFTER,
    Rolling,
    carried,
    followed,
    raised,
    settled,
)
from billing.services import enforcement
from billing.services.context import Context
from billing.services.packages import begin_next
from billing.services.parking import pages, serve_page
from billing.store import billing_jobs, customers, entitlements, tables
from billing.store.guard import Transaction

JOB = "roll_over"
_FIELDS = tuple(field.name for field in fields(Rolling))


def run(context: Context, now: datetime) -> RollingReport:
    """Carry on what is due. Raises Unavailable."""
    with context.transaction() as tx:
        due = entitlements.rolling_due(tx, now, NO_GAP, SETTLED_AFTER)
    parked: list[Parked] = []
    serve = partial(_serve, context, now)
    done = [
        one for page in pages(due) for one in serve_page(context, JOB, page, now, serve, parked)
    ]
    return RollingReport(at=now, carried=tuple(done), parked=tuple(parked))


def preview(context: Context, now: datetime) -> Iterator[Carried]:
    """What a run at `now` would carry; nothing is written."""
    with context.transaction() as tx:
        due = entitlements.rolling_due(tx, now, NO_GAP, SETTLED_AFTER)
    for customer_id in due:
        with context.transaction() as tx:
            found = [one for row in _rows(tx, customer_id) for one in _carry(row, now)]
            tx.rollback()
        yield from found


def _serve(context: Context, now: datetime, page: Sequence[int]) -> list[Carried]:
    """One transaction."""
    done: list[Carried] = []
    with context.transaction() as tx:
        customers.lock_customers(tx, page)
        for customer_id in page:
            own = []
            for packages in _rows(tx, customer_id):
                own += _carry(packages, now)
                _settle(tx, packages, now)
            if own:
                enforcement.reconcile(tx, context, customer_id, now)
            done += own
        billing_jobs.unpark(tx, JOB, page)
    return done


def _rows(tx: Transaction, customer_id: int) -> list[list[tables.Entitlement]]:
    """A customer's packages by subscription; a pause may move them yet (rule S3)."""
    paused = {
        row.subscription_id
        for row in customers.subscriptions_of(tx, customer_id)
        if row.paused_at is not None
    }
    found: dict[int, list[tables.Entitlement]] = {}
    for row in entitlements.all_of(tx, customer_id):
        if row.subscription_id not in paused:
            found.setdefault(row.subscription_id, []).append(row)
    return list(found.values())


def _carry(rows: Sequence[tables.Entitlement], now: datetime) -> list[Carried]:
    """The followers have what is left of those before them; one after the other, as what is
    carried is carried on."""
    by_id = {row.entitlement_id: row for row in rows}
    pairs = followed([_as_rule(row) for row in rows], now)
    done = []
    for before, follower in pairs:
        row = by_id[follower.entitlement_id]
        seconds, octets = carried(_as_rule(by_id[before.entitlement_id]), _as_rule(row))
        row.carried_from_id = before.entitlement_id
        added_seconds = seconds - row.carried_seconds
        added_octets = octets - row.carried_octets
        if not added_seconds and not added_octets:
            continue
        row.seconds_left = raised(row.seconds_left, row.carried_seconds, seconds)
        row.octets_left = raised(row.octets_left, row.carried_octets, octets)
        if row.seconds_total is not None:
            row.seconds_total += added_seconds
        if row.octets_total is not None:
            row.octets_total += added_octets
        row.carried_seconds, row.carried_octets, row.carried_at = seconds, octets, now
        done.append(
            Carried(
                customer_id=row.customer_id,
                subscription_id=row.subscription_id,
                from_id=before.entitlement_id,
                to_id=row.entitlement_id,
                seconds=added_seconds,
                octets=added_octets,
            )
        )
    return done


def _settle(tx: Transaction, rows: Sequence[tables.Entitlement], now: datetime) -> None:
    """What was raised or taken back may run again, or be used up; what is long over is done."""
    used_up = False
    for row in rows:
        if row.carried_at == now:
            runs = row.seconds_left != 0 and row.octets_left != 0
            if runs:
                row.ended_at = None
            elif row.ended_at is None:
                row.ended_at, used_up = now, True
        if row.rolls_over and settled(_as_rule(row), now):
            row.rolls_over = False
    tx.flush()
    if used_up:
        begin_next(tx, rows[0].customer_id, rows[0].subscription_id, now)


def _as_rule(row: tables.Entitlement) -> Rolling:
    return Rolling(**{name: getattr(row, name) for name in _FIELDS})
