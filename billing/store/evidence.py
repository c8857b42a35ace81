"""What the meter has written of sessions: the raw journal, slices, what paid, what was odd."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, SQLColumnExpression, func, select, text
from sqlalchemy.orm import Session

from billing.model.events import Status
from billing.model.evidence import (
    AnomalyView,
    JournalRecord,
    Movement,
    PackageBook,
    Priced,
    SessionEvidence,
    UsageSlice,
    WalletBook,
)
from billing.model.views import DayUsage, SessionView
from billing.store import tables
from billing.store.catalog import terms_by_version
from billing.store.ledger import USAGE
from billing.store.pool import named_query

_NOT_THE_SESSIONS_OWN = (
    "customer_id",
    "has_gigawords",
    "payg_version_id",
    "payg_seconds",
    "payg_octets",
    "payg_micros",
)


def hold_still(tx: Session) -> None:
    """All that this transaction reads is of one instant, though the meter goes on. Comes first."""
    tx.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))


def find_sessions(
    tx: Session,
    *,
    customer_id: int | None = None,
    subscription_id: int | None = None,
    session_id: int | None = None,
    acct_session_id: str | None = None,
    days: tuple[date, date] | None = None,
    between: tuple[datetime, datetime] | None = None,
    limit: int,
) -> list[SessionEvidence]:
    """Oldest first, each with all that is stored of it. `days` (both included) and `between`
    (the instants at which they begin and have passed) go together."""
    rows = tx.execute(
        text(named_query("evidence_sessions")),
        {
            "customer_id": customer_id,
            "subscription_id": subscription_id,
            "session_id": session_id,
            "acct_session_id": acct_session_id,
            "first_day": days and days[0],
            "last_day": days and days[1],
            "since": between and between[0],
            "until": between and between[1],
            "limit": limit,
        },
    ).all()
    return [_evidence(tx, row) for row in rows]


def _evidence(tx: Session, row: Any) -> SessionEvidence:
    values = dict(row._mapping)
    for name in _NOT_THE_SESSIONS_OWN:
        del values[name]
    slices = _slices(tx, row.customer_id, row.session_id)
    paid_by = sorted({part.entitlement_id for part in slices} - {0})
    return SessionEvidence(
        session=SessionView(**values),
        has_gigawords=row.has_gigawords,
        priced=Priced(
            version_id=row.payg_version_id,
            seconds=row.payg_seconds,
            octets=row.payg_octets,
            micros=row.payg_micros,
        ),
        records=tuple(_records(tx, row.customer_id, row.session_id)),
        slices=tuple(slices),
        packages=tuple(_packages(tx, row.customer_id, paid_by)),
        wallet=_wallet_book(tx, row.customer_id, row.subscription_id),
    )


def _records(tx: Session, customer_id: int, session_id: int) -> list[JournalRecord]:
    """In the order in which they were charged."""
    journal = tables.AcctJournal
    statement = (
        select(journal)
        .where(journal.customer_id == customer_id, journal.session_id == session_id)
        .order_by(journal.record_id)
    )
    return [
        JournalRecord(
            record_id=row.record_id,
            arrived_at=row.arrived_at,
            status=Status(row.status).name.title(),
            event_at=row.event_at,
            seconds=row.session_seconds,
            input_octets=row.input_octets,
            output_octets=row.output_octets,
            added_seconds=row.added_seconds,
            added_input_octets=row.added_input_octets,
            added_output_octets=row.added_output_octets,
            charged_micros=row.charged_micros,
            price_version=row.plan_version_id,
            outcome=row.outcome,
            anomalies=tuple(row.anomalies.split(",")) if row.anomalies else (),
            raw=row.raw,
            tariff_version=row.tariff_version_id,
        )
        for row in tx.scalars(statement)
    ]


def _slices(tx: Session, customer_id: int, session_id: int) -> list[UsageSlice]:
    used = tables.DailyUsage
    statement = (
        select(used)
        .where(used.customer_id == customer_id, used.session_id == session_id)
        .order_by(used.local_day, used.entitlement_id == 0, used.entitlement_id, used.tariff_window)
    )
    rows = tx.scalars(statement).all()
    terms = terms_by_version(tx, {row.plan_version_id for row in rows})
    return [
        UsageSlice(
            day=row.local_day,
            kind=row.kind,
            entitlement_id=row.entitlement_id,
            plan_name=terms[row.plan_version_id].plan_name
            if row.plan_version_id in terms
            else None,
            plan_version_id=row.plan_version_id,
            seconds=row.seconds,
            input_octets=row.input_octets,
            output_octets=row.output_octets,
            charged_micros=row.charged_micros,
            tariff_window=row.tariff_window,
        )
        for row in rows
    ]


def _packages(tx: Session, customer_id: int, entitlement_ids: Sequence[int]) -> list[PackageBook]:
    if not entitlement_ids:
        return []
    bought, used = tables.Entitlement, tables.DailyUsage
    statement = (
        select(
            bought,
            func.sum(used.seconds),
            func.sum(used.input_octets + used.output_octets),
        )
        .join(
            used,
            (used.customer_id == bought.customer_id)
            & (used.entitlement_id == bought.entitlement_id),
        )
        .where(bought.customer_id == customer_id, bought.entitlement_id.in_(entitlement_ids))
        .group_by(bought.customer_id, bought.entitlement_id)
        .order_by(bought.entitlement_id)
    )
    return [
        PackageBook(
            entitlement_id=row.entitlement_id,
            seconds_total=row.seconds_total,
            seconds_left=row.seconds_left,
            octets_total=row.octets_total,
            octets_left=row.octets_left,
            used_seconds=int(seconds),
            used_octets=int(octets),
        )
        for row, seconds, octets in tx.execute(statement)
    ]


def _wallet_book(tx: Session, customer_id: int, subscription_id: int) -> WalletBook | None:
    """The wallet that pays for the subscription; None once the subscription is gone."""
    wallet, subscription = tables.Wallet, tables.Subscription
    row = tx.scalars(
        select(wallet)
        .join(
            subscription,
            (subscription.customer_id == wallet.customer_id)
            & (subscription.wallet_id == wallet.wallet_id),
        )
        .where(
            subscription.customer_id == customer_id,
            subscription.subscription_id == subscription_id,
        )
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        return None
    return WalletBook(
        wallet_id=row.wallet_id,
        unposted_micros=row.unposted_micros,
        not_posted_micros=_not_posted(tx, customer_id, row.wallet_id),
    )


def charged_to(tx: Session, customer_id: int, wallet_id: int, first_day: date) -> int:
    """Usage charged on local days from this one on, by all subscriptions of a wallet; micros."""
    used = tables.DailyUsage
    statement = _charges(customer_id, wallet_id, used.charged_micros)
    return int(tx.scalar(statement.where(used.local_day >= first_day)) or 0)


def _not_posted(tx: Session, customer_id: int, wallet_id: int) -> int:
    """What of all their charges is not in the journal of money yet; micros (rule P2)."""
    used = tables.DailyUsage
    statement = _charges(customer_id, wallet_id, used.charged_micros - used.posted_micros)
    return int(tx.scalar(statement) or 0)


def _charges(customer_id: int, wallet_id: int, amount: SQLColumnExpression[int]) -> Select[int]:
    used, subscription = tables.DailyUsage, tables.Subscription
    return (
        select(func.coalesce(func.sum(amount), 0))
        .join(
            subscription,
            (subscription.customer_id == used.customer_id)
            & (subscription.subscription_id == used.subscription_id),
        )
        .where(used.customer_id == customer_id, subscription.wallet_id == wallet_id)
    )


def days_between(
    tx: Session, customer_id: int, subscription_id: int, first: date, last: date
) -> list[DayUsage]:
    """Usage by local day and kind, both days included, oldest first."""
    used = tables.DailyUsage
    statement = (
        select(
            used.local_day,
            used.kind,
            used.tariff_window,
            func.sum(used.seconds),
            func.sum(used.input_octets),
            func.sum(used.output_octets),
            func.sum(used.charged_micros),
        )
        .where(
            used.customer_id == customer_id,
            used.subscription_id == subscription_id,
            used.local_day.between(first, last),
        )
        .group_by(used.local_day, used.kind, used.tariff_window)
        .order_by(used.local_day, used.kind, used.tariff_window)
    )
    return [
        DayUsage(
            day=day,
            kind=kind,
            tariff_window=window,
            seconds=int(seconds),
            input_octets=int(sent),
            output_octets=int(received),
            charged_micros=int(charged),
        )
        for day, kind, window, seconds, sent, received, charged in tx.execute(statement)
    ]


def movements_since(
    tx: Session, customer_id: int, wallet_id: int, since: datetime
) -> list[Movement]:
    """What moved a wallet from an instant on, oldest first; usage apart, which slices tell."""
    entry, posting = tables.JournalEntry, tables.Posting
    statement = (
        select(entry, func.sum(posting.amount_micros))
        .join(
            posting,
            (posting.customer_id == entry.customer_id) & (posting.entry_id == entry.entry_id),
        )
        .where(
            entry.customer_id == customer_id,
            posting.wallet_id == wallet_id,
            entry.at >= since,
            entry.kind != USAGE,
        )
        .group_by(entry.customer_id, entry.entry_id)
        .order_by(entry.at, entry.entry_id)
    )
    return [
        Movement(
            entry_id=row.entry_id,
            at=row.at,
            kind=row.kind,
            memo=row.memo,
            amount_micros=int(amount),
        )
        for row, amount in tx.execute(statement)
    ]


def find_anomalies(
    tx: Session,
    *,
    customer_id: int | None = None,
    subscription_id: int | None = None,
    code: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int,
) -> list[AnomalyView]:
    """Newest first; `before` is the number after which a page goes on."""
    rows = tx.execute(
        text(named_query("anomalies")),
        {
            "customer_id": customer_id,
            "subscription_id": subscription_id,
            "code": code,
            "since": since,
            "until": until,
            "before": before,
            "limit": limit,
        },
    )
    return [AnomalyView(**row._mapping) for row in rows]
