"""What the tests read back after accounting: sessions, journal, dead letters, what is left."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select

from billing.services.context import Context
from billing.store import tables
from tests.factories import Subscriber


def sessions(context: Context, subscriber: Subscriber) -> list[tables.LiveSession]:
    """Oldest first."""
    with context.transaction() as tx:
        row = tables.LiveSession
        return list(
            tx.scalars(
                select(row)
                .where(row.subscription_id == subscriber.subscription_id)
                .order_by(row.session_id)
            )
        )


def totals(context: Context, subscriber: Subscriber) -> list[tuple[int, int, int]]:
    """(seconds, input octets, output octets) of each session."""
    return [
        (row.session_seconds, row.input_octets, row.output_octets)
        for row in sessions(context, subscriber)
    ]


def journal(context: Context, subscriber: Subscriber) -> list[tables.AcctJournal]:
    """In the order of commits."""
    with context.transaction() as tx:
        row = tables.AcctJournal
        return list(
            tx.scalars(
                select(row)
                .where(row.subscription_id == subscriber.subscription_id)
                .order_by(row.record_id)
            )
        )


def left(context: Context, subscriber: Subscriber) -> list[tuple[int | None, int | None]]:
    """(seconds, octets) left of each package."""
    with context.transaction() as tx:
        row = tables.Entitlement
        return [
            (package.seconds_left, package.octets_left)
            for package in tx.scalars(
                select(row)
                .where(row.subscription_id == subscriber.subscription_id)
                .order_by(row.entitlement_id)
            )
        ]


def sliced(context: Context, subscriber: Subscriber) -> tuple[int, int, int]:
    """(seconds, input octets, output octets) summed over the daily slices (rule U9)."""
    row = tables.DailyUsage
    sums = [
        func.coalesce(func.sum(column), 0)
        for column in (row.seconds, row.input_octets, row.output_octets)
    ]
    with context.transaction() as tx:
        found = tx.execute(
            select(*sums).where(row.subscription_id == subscriber.subscription_id)
        ).one()
    return (int(found[0]), int(found[1]), int(found[2]))


def dead_letters(context: Context, nas_address: str) -> Sequence[tuple[str, str]]:
    """(reason, raw) of the records from this source, in order."""
    with context.transaction() as tx:
        row = tables.AcctDeadLetter
        return [
            (letter.reason, letter.raw)
            for letter in tx.scalars(
                select(row).where(row.nas_address == nas_address).order_by(row.letter_id)
            )
        ]


def intents(context: Context, subscriber: Subscriber) -> list[tuple[str, str, str]]:
    """(goal, reason, state) of the orders to this subscription's sessions, in order."""
    with context.transaction() as tx:
        row = tables.CoaIntent
        return [
            (order.goal, order.reason, order.state)
            for order in tx.scalars(
                select(row)
                .where(row.subscription_id == subscriber.subscription_id)
                .order_by(row.intent_id)
            )
        ]
