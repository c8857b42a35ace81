"""Orders to running sessions: written with their cause, claimed, settled (rule C1)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select, text, update
from sqlalchemy.orm import Session

from billing.model.grants import GrantLimits
from billing.store import tables
from billing.store.pool import named_query
from billing.store.tables import CoaIntent, LiveSession, Subscription

CHANNEL = "tollway_coa"
_HASTENED_FROM = timedelta(seconds=10)
OPEN_STATES = ("pending", "acked")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedRow:
    """A due intent with what is needed to send it; `attempt` counts from 1."""

    customer_id: int
    intent_id: int
    org_id: int
    subscription_id: int
    session_id: int
    nas_id: int
    goal: str
    created_at: datetime
    attempt: int
    username: str
    acct_session_id: str
    framed_ip: str | None
    calling_station: str | None
    session_class: str | None
    started_at: datetime
    last_event_at: datetime
    session_seconds: int
    session_octets: int
    session_input_octets: int
    nas_address: str
    nas_vendor: str
    nas_secret_sealed: bytes
    nas_coa_port: int
    escalated: bool
    unknown_answers: int
    fenced: bool
    reason: str
    grant_seconds: int | None
    grant_octets: int | None
    grant_input_octets: int | None
    grant_output_octets: int | None
    restricted: bool
    restricted_up_kbps: int | None
    restricted_down_kbps: int | None
    grant_interim_seconds: int | None

    @property
    def grant(self) -> GrantLimits | None:
        """The limits of the grant that the session holds, None without one (rule Q4)."""
        if self.grant_seconds is None:
            return None
        return GrantLimits(
            seconds=self.grant_seconds,
            octets=self.grant_octets,
            input_octets=self.grant_input_octets,
            output_octets=self.grant_output_octets,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """One packet sent and what came back, as `coa_attempt` keeps it."""

    customer_id: int
    intent_id: int
    attempt: int
    org_id: int
    packet: str
    sent_at: datetime
    answered_at: datetime | None
    outcome: str
    error_cause: str | None


def subscriptions_of(tx: Session, customer_id: int) -> Sequence[Subscription]:
    """Every subscription of a customer, as stored now."""
    statement = (
        select(Subscription)
        .where(Subscription.customer_id == customer_id)
        .order_by(Subscription.subscription_id)
        .execution_options(populate_existing=True)
    )
    return tx.scalars(statement).all()


def running_sessions(tx: Session, customer_id: int) -> Sequence[LiveSession]:
    """The customer's open sessions, locked in the order of their ids (radius.md F15)."""
    statement = (
        select(LiveSession)
        .where(LiveSession.customer_id == customer_id, LiveSession.closed_at.is_(None))
        .order_by(LiveSession.session_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return tx.scalars(statement).all()


def intents_of(tx: Session, customer_id: int, session_ids: Collection[int]) -> Sequence[CoaIntent]:
    """What these sessions have not carried out yet, every refresh they ever got, and every CoA
    that moved them; oldest first."""
    if not session_ids:
        return []
    statement = (
        select(CoaIntent)
        .where(
            CoaIntent.customer_id == customer_id,
            CoaIntent.session_id.in_(session_ids),
            or_(
                CoaIntent.state.in_(OPEN_STATES),
                CoaIntent.goal == "refresh",
                CoaIntent.moved_by_coa,
            ),
        )
        .order_by(CoaIntent.intent_id)
        .execution_options(populate_existing=True)
    )
    return tx.scalars(statement).all()


def restricted_sessions(tx: Session, customer_id: int) -> set[int]:
    """Sessions that go on at a restricted speed, as nothing more could be reserved (rule Q4)."""
    grants = tables.Reservation
    found = tx.scalars(
        select(grants.session_id).where(
            grants.customer_id == customer_id,
            grants.state == "held",
            grants.restricted_at.is_not(None),
        )
    )
    return {session_id for session_id in found if session_id is not None}


def last_purchases(tx: Session, customer_id: int) -> dict[int, datetime]:
    """When something was last bought for each subscription, or carried on to it (rule B4)."""
    rows = tx.execute(
        text(
            "SELECT subscription_id, max(GREATEST(purchased_at, carried_at)) AS bought_at"
            " FROM entitlement"
            " WHERE customer_id = :customer_id GROUP BY subscription_id"
        ),
        {"customer_id": customer_id},
    )
    return {row.subscription_id: row.bought_at for row in rows}


def insert_intent(
    tx: Session, session: LiveSession, *, goal: str, reason: str, now: datetime
) -> None:
    """An order for one running session, due at once."""
    tx.add(
        CoaIntent(
            customer_id=session.customer_id,
            org_id=session.org_id,
            subscription_id=session.subscription_id,
            session_id=session.session_id,
            nas_id=session.nas_id,
            goal=goal,
            reason=reason,
            state="pending",
            created_at=now,
            next_attempt_at=now,
            attempts=0,
        )
    )


def notify(tx: Session) -> None:
    """Wake the senders when this transaction commits; PostgreSQL folds repeats into one."""
    tx.execute(select(func.pg_notify(CHANNEL, "")))


def due_customers(tx: Session, now: datetime, limit: int | None) -> list[int]:
    """Customers with a subscription whose state time alone has changed, longest overdue first."""
    statement = (
        select(Subscription.customer_id)
        .where(Subscription.service_next_change_at <= now)
        .group_by(Subscription.customer_id)
        .order_by(func.min(Subscription.service_next_change_at))
        .limit(limit)
    )
    return list(tx.scalars(statement))


def missed_customers(tx: Session, limit: int) -> list[int]:
    """Customers with a session that began, or was opened again, after its subscription was held
    back, and that has no order for it."""
    found = tx.connection().exec_driver_sql(named_query("missed_customers"), {"limit": limit})
    return list(found.scalars())


def next_due(tx: Session) -> datetime | None:
    """The earliest instant at which the sweep has something to look at."""
    return tx.scalar(select(func.min(Subscription.service_next_change_at)))


def postpone_customer(tx: Session, customer_id: int, now: datetime, delay: timedelta) -> None:
    """Look at a customer's due subscriptions again later."""
    tx.execute(
        update(Subscription)
        .where(Subscription.customer_id == customer_id, Subscription.service_next_change_at <= now)
        .values(service_next_change_at=now + delay)
    )


def claim_due(
    tx: Session, now: datetime, *, limit: int, busy_nas_ids: Collection[int]
) -> list[ClaimedRow]:
    """Take due intents whose session still runs; each is due again after its back-off.

    Other senders skip what one has taken; an intent taken by a sender that died comes back by
    itself. NAS in `busy_nas_ids` are left for later.
    """
    rows = tx.execute(
        text(named_query("claim_coa_intents")),
        {"now": now, "limit": limit, "busy": list(busy_nas_ids)},
    ).mappings()
    return [ClaimedRow(**row) for row in rows]


def next_attempt_at(tx: Session) -> datetime | None:
    """When the next intent falls due."""
    return tx.scalar(
        select(func.min(CoaIntent.next_attempt_at)).where(CoaIntent.state.in_(OPEN_STATES))
    )


def hasten(tx: Session, nas_ids: Collection[int], now: datetime) -> int:
    """Make due what was sent to these NAS and waits for its next attempt; returns how many."""
    result: Any = tx.execute(
        update(CoaIntent)
        .where(
            CoaIntent.nas_id.in_(nas_ids),
            CoaIntent.state == "pending",
            CoaIntent.attempts > 1,
            # One that has just been sent is answered or not before long.
            CoaIntent.next_attempt_at > now + _HASTENED_FROM,
        )
        .values(next_attempt_at=now)
        .execution_options(synchronize_session=False)
    )
    return int(result.rowcount)


def settle_intents(tx: Session, now: datetime, give_up_after: timedelta) -> int:
    """Close intents that accounting has confirmed, whose session ended first, or that are too
    old; returns how many."""
    result: Any = tx.execute(
        text(named_query("settle_coa_intents")), {"now": now, "oldest": now - give_up_after}
    )
    return int(result.rowcount)


def insert_attempts(tx: Session, attempts: Sequence[AttemptRow]) -> None:
    """Record packets and their outcomes; a repeated attempt number is kept once."""
    tx.execute(
        text(named_query("insert_coa_attempt")),
        [{name: getattr(row, name) for name in AttemptRow.__slots__} for row in attempts],
    )


def lost_sessions(tx: Session, silent_since: datetime) -> list[tuple[int, int]]:
    """Customer and id of sessions that their NAS does not know any more and is silent about."""
    rows = tx.execute(text(named_query("lost_coa_sessions")), {"silent_since": silent_since})
    return [(row.customer_id, row.session_id) for row in rows]


def close_lost_session(
    tx: Session, customer_id: int, session_id: int, silent_since: datetime
) -> None:
    """End a session at its last update; a later record still counts (rules U5, U10)."""
    tx.execute(
        update(LiveSession)
        .where(
            LiveSession.customer_id == customer_id,
            LiveSession.session_id == session_id,
            LiveSession.closed_at.is_(None),
            LiveSession.last_arrival_at < silent_since,
        )
        .values(closed_at=LiveSession.last_event_at, terminate_cause="Lost-Stop")
        .execution_options(synchronize_session=False)
    )


def set_intent(tx: Session, customer_id: int, intent_id: int, *, values: dict[str, object]) -> None:
    """Change an intent that is still open; one that was settled or cancelled stays so."""
    tx.execute(
        update(CoaIntent)
        .where(
            CoaIntent.customer_id == customer_id,
            CoaIntent.intent_id == intent_id,
            CoaIntent.state.in_(OPEN_STATES),
        )
        .values(**values)
        .execution_options(synchronize_session=False)
    )
