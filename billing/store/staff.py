"""Rows of staff, their browser sessions, enrolment links and failed logins."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, case, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.model.staff import StaffMember, StaffRole
from billing.store.pool import named_query
from billing.store.tables import Enrolment, Organisation, Staff, StaffSession, StaffThrottle


def allow_login_lookups(tx: Session) -> None:
    """At login nobody's organisation is known yet: open staff rows to this transaction only."""
    tx.connection().exec_driver_sql("SELECT set_config('tollway.staff_login', 'on', true)")


def by_email(tx: Session, email: str) -> Staff | None:
    return tx.scalar(select(Staff).where(Staff.email == email))


def by_session_token(tx: Session, session_token: str) -> Staff | None:
    return tx.scalar(select(Staff).where(Staff.session_token == session_token))


def lock(tx: Session, staff_id: int) -> Staff:
    return tx.scalars(select(Staff).where(Staff.staff_id == staff_id).with_for_update()).one()


def all_members(tx: Session) -> list[StaffMember]:
    rows = tx.scalars(select(Staff).order_by(Staff.email)).all()
    return [member(row, organisations_below(tx, row.org_id)) for row in rows]


def parent_of(tx: Session, org_id: int) -> tuple[bool, int | None]:
    """Whether the organisation exists, and the one above it."""
    row = tx.get(Organisation, org_id)
    return row is not None, row.parent_org_id if row else None


def organisations_below(tx: Session, org_id: int) -> tuple[int, ...]:
    rows = tx.connection().exec_driver_sql(named_query("organisations_below"), {"org_id": org_id})
    return tuple(rows.scalars())


def member(row: Staff | Row[Any], org_ids: tuple[int, ...]) -> StaffMember:
    """A row, or a result with the same columns, as a value."""
    return StaffMember(
        staff_id=row.staff_id,
        org_id=row.org_id,
        org_ids=org_ids,
        email=row.email,
        roles=frozenset(StaffRole(role) for role in row.roles),
        active=row.active,
        session_token=row.session_token,
        two_factor_method=row.two_factor_method,
        totp_secret_sealed=row.totp_secret_sealed,
        totp_last_counter=row.totp_last_counter,
    )


def session_member(tx: Session, token_sha256: str) -> tuple[StaffMember, datetime, datetime] | None:
    """Who a browser session belongs to, when it began and when it was last used."""
    row = (
        tx.connection()
        .exec_driver_sql(named_query("staff_session"), {"token_sha256": token_sha256})
        .one_or_none()
    )
    if row is None:
        return None
    person = replace(member(row, tuple(row.org_ids)), proved_at=row.proved_at)
    return person, row.session_created_at, row.seen_at


def add_session(tx: Session, token_sha256: str, staff_id: int, now: datetime) -> None:
    tx.add(StaffSession(token_sha256=token_sha256, staff_id=staff_id, created_at=now, seen_at=now))


def touch_session(tx: Session, token_sha256: str, now: datetime) -> None:
    tx.execute(
        update(StaffSession).where(StaffSession.token_sha256 == token_sha256).values(seen_at=now)
    )


def prove_session(tx: Session, token_sha256: str, now: datetime) -> None:
    tx.execute(
        update(StaffSession).where(StaffSession.token_sha256 == token_sha256).values(proved_at=now)
    )


def end_session(tx: Session, token_sha256: str) -> None:
    tx.execute(delete(StaffSession).where(StaffSession.token_sha256 == token_sha256))


def end_sessions(tx: Session, staff_id: int) -> None:
    tx.execute(delete(StaffSession).where(StaffSession.staff_id == staff_id))


def end_sessions_begun_before(tx: Session, instant: datetime) -> None:
    tx.execute(delete(StaffSession).where(StaffSession.created_at < instant))


def add_enrolment(
    tx: Session, token_sha256: str, staff_id: int, now: datetime, expires_at: datetime
) -> None:
    """A new link; the ones before it stop working."""
    tx.execute(
        update(Enrolment)
        .where(Enrolment.staff_id == staff_id, Enrolment.used_at.is_(None))
        .values(used_at=now)
    )
    tx.add(
        Enrolment(
            token_sha256=token_sha256, staff_id=staff_id, created_at=now, expires_at=expires_at
        )
    )


def open_enrolment(tx: Session, token_sha256: str, now: datetime) -> Enrolment | None:
    """The unused, unexpired link, locked so that it is used once."""
    return tx.scalar(
        select(Enrolment)
        .where(
            Enrolment.token_sha256 == token_sha256,
            Enrolment.used_at.is_(None),
            Enrolment.expires_at > now,
        )
        .with_for_update()
    )


def failures(tx: Session, keys: tuple[str, ...], since: datetime) -> dict[str, int]:
    """Failed logins by key, in windows that began after `since`."""
    rows = tx.execute(
        select(StaffThrottle.throttle_key, StaffThrottle.failures).where(
            StaffThrottle.throttle_key.in_(keys), StaffThrottle.window_started_at > since
        )
    )
    return {row.throttle_key: row.failures for row in rows}


def add_failure(tx: Session, keys: tuple[str, ...], now: datetime, window: timedelta) -> None:
    """Count one failure for each key; a window that is over starts anew."""
    for key in sorted(keys):
        fresh = insert(StaffThrottle).values(throttle_key=key, failures=1, window_started_at=now)
        over = StaffThrottle.window_started_at <= now - window
        tx.execute(
            fresh.on_conflict_do_update(
                index_elements=[StaffThrottle.throttle_key],
                set_={
                    "failures": case((over, 1), else_=StaffThrottle.failures + 1),
                    "window_started_at": case((over, now), else_=StaffThrottle.window_started_at),
                },
            )
        )


def forget_failures_before(tx: Session, instant: datetime) -> None:
    """Windows that are over count no more."""
    tx.execute(delete(StaffThrottle).where(StaffThrottle.window_started_at <= instant))


def clear_failures(tx: Session, keys: tuple[str, ...]) -> None:
    tx.execute(delete(StaffThrottle).where(StaffThrottle.throttle_key.in_(keys)))


def add(
    tx: Session,
    email: str,
    org_id: int,
    roles: frozenset[StaffRole],
    session_token: str,
    now: datetime,
) -> int:
    """A person without a password yet; returns the new id."""
    row = Staff(
        org_id=org_id,
        email=email,
        active=True,
        session_token=session_token,
        roles=sorted(roles),
        created_at=now,
    )
    tx.add(row)
    tx.flush()
    return row.staff_id


def see_organisations(tx: Session, org_ids: tuple[int, ...]) -> None:
    """Let the panel's role see these organisations for the rest of the transaction."""
    tx.connection().exec_driver_sql(
        "SELECT set_config('tollway.org_ids', %s, true)", (",".join(map(str, org_ids)),)
    )
