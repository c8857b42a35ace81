"""Rows of customers who log in: credentials by user name, browser sessions, tried passwords."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.store.pool import named_query
from billing.store.tables import Customer, CustomerSession, CustomerThrottle, Subscription


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLogin:
    """Whose a user name is, and what is stored of its password: at most one of the three."""

    customer_id: int
    subscription_id: int
    org_id: int
    secret_sealed: bytes | None = field(repr=False)
    nt_hash: bytes | None = field(repr=False)
    pbkdf2: str | None = field(repr=False)
    closed: bool


def find_login(tx: Session, username: str) -> FoundLogin | None:
    """By the folded user name, of any organisation."""
    found = tx.connection().exec_driver_sql(named_query("customer_login"), {"username": username})
    row = found.one_or_none()
    return None if row is None else FoundLogin(**row._mapping)


def allow_counting(tx: Session) -> None:
    """Open the counts of tried passwords to this transaction only."""
    tx.connection().exec_driver_sql("SELECT set_config('tollway.customer_login', 'on', true)")


def see_organisation(tx: Session, org_id: int) -> None:
    """Of the session that was found, for the rest of the transaction."""
    tx.connection().exec_driver_sql(
        "SELECT set_config('tollway.org_ids', %s, true)", (str(org_id),)
    )


def count_tried(
    tx: Session, keys: Collection[str], now: datetime, window: timedelta
) -> dict[str, int]:
    """One more for each key; returns how many there are in its window, this one included. A window
    that is over starts anew."""
    found = {}
    for key in sorted(keys):
        fresh = insert(CustomerThrottle).values(throttle_key=key, failures=1, window_started_at=now)
        over = CustomerThrottle.window_started_at <= now - window
        failures = case((over, 1), else_=CustomerThrottle.failures + 1)
        started = case((over, now), else_=CustomerThrottle.window_started_at)
        counted = fresh.on_conflict_do_update(
            index_elements=[CustomerThrottle.throttle_key],
            set_={"failures": failures, "window_started_at": started},
        ).returning(CustomerThrottle.failures)
        found[key] = tx.scalars(counted).one()
    return found


def uncount(tx: Session, keys: Collection[str]) -> None:
    """One less for each key: the password was right."""
    tx.execute(
        update(CustomerThrottle)
        .where(CustomerThrottle.throttle_key.in_(sorted(keys)))
        .values(failures=func.greatest(CustomerThrottle.failures - 1, 0))
    )


def forget_tried(tx: Session, keys: Collection[str]) -> None:
    tx.execute(delete(CustomerThrottle).where(CustomerThrottle.throttle_key.in_(sorted(keys))))


def forget_tried_before(tx: Session, instant: datetime) -> None:
    """Windows that are over count no more."""
    tx.execute(delete(CustomerThrottle).where(CustomerThrottle.window_started_at <= instant))


def add_session(tx: Session, login: FoundLogin, token_sha256: str, now: datetime) -> None:
    tx.add(
        CustomerSession(
            customer_id=login.customer_id,
            token_sha256=token_sha256,
            org_id=login.org_id,
            subscription_id=login.subscription_id,
            created_at=now,
            seen_at=now,
        )
    )


def find_session(tx: Session, customer_id: int, token_sha256: str) -> CustomerSession | None:
    return tx.get(CustomerSession, (customer_id, token_sha256))


def serves(tx: Session, customer_id: int, subscription_id: int) -> str | None:
    """The user name of a subscription that is not closed; None: it is, or there is none."""
    return tx.scalar(
        select(Subscription.username)
        .join(Customer, Customer.customer_id == Subscription.customer_id)
        .where(
            Subscription.customer_id == customer_id,
            Subscription.subscription_id == subscription_id,
            Subscription.closed_at.is_(None),
            Customer.closed_at.is_(None),
        )
    )


def end_session(tx: Session, customer_id: int, token_sha256: str) -> None:
    tx.execute(
        delete(CustomerSession).where(
            CustomerSession.customer_id == customer_id, CustomerSession.token_sha256 == token_sha256
        )
    )


def end_sessions_of(tx: Session, customer_id: int, subscription_id: int) -> None:
    """Every browser that is logged in as the subscription is logged out."""
    tx.execute(
        delete(CustomerSession).where(
            CustomerSession.customer_id == customer_id,
            CustomerSession.subscription_id == subscription_id,
        )
    )


def end_sessions_begun_before(tx: Session, customer_id: int, instant: datetime) -> None:
    """Of a customer: they are over."""
    tx.execute(
        delete(CustomerSession).where(
            CustomerSession.customer_id == customer_id, CustomerSession.created_at < instant
        )
    )
