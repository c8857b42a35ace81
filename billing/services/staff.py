"""Staff of the panel: enrolment by one-time link, login, browser sessions (security.md 3-5, 8).

Nobody has a default account: the first person enters by a link that the command line prints.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.staff import (
    OF_RESELLERS,
    TWO_FACTOR_EXEMPT,
    SessionLimits,
    StaffMember,
    StaffRole,
)
from billing.services import passwords
from billing.services.context import Context
from billing.store import audit, tables
from billing.store import staff as store
from billing.store.guard import Transaction, unique

ENROLMENT_LIFE = timedelta(hours=24)
THROTTLE_WINDOW = timedelta(minutes=15)
ACCOUNT_FAILURES = 10
ADDRESS_FAILURES = 50
CODE_FAILURES = 10
TOUCH_EVERY = timedelta(seconds=60)
DEMO_EMAIL = "owner@demo.example"
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginAttempt:
    """What a browser sent. `device`: proof of an earlier login of this account from the same
    browser (checked by the caller), `device_staff_id`: whose."""

    email: str
    password: str
    address: str
    device: str | None = None
    device_staff_id: int | None = None


def folded_email(email: str) -> str:
    """The one form of an address. Raises InvalidInput(field="email")."""
    text = email.strip().casefold()
    if not _EMAIL.fullmatch(text):
        raise InvalidInput(f"not an email address: {email!r}", field="email")
    return text


def enrol(
    context: Context,
    email: str,
    roles: Iterable[StaffRole],
    now: datetime,
    *,
    org_id: int | None = None,
) -> str:
    """A one-time token for the page /enrol/TOKEN where the person sets a password.

    Works for 24 hours. For somebody who is enrolled already it is a reset: with its use the old
    password, second factor and sessions end. Raises InvalidInput, NotFound, Conflict (somebody
    whom the caller does not see has the address), Refused (a cashier asks).
    """
    address, wanted = folded_email(email), frozenset(roles)
    token = secrets.token_urlsafe(32)
    context.refuse_cashier()
    with context.transaction() as tx:
        row = store.by_email(tx, address)
        home = row.org_id if row else org_id or context.home_org_id
        _check_roles(tx, wanted, home)
        if row is None:
            with unique(tx, f"{address} works for somebody else: take another address",
                        field="email"):  # fmt: skip
                staff_id = store.add(tx, address, home, wanted, secrets.token_hex(32), now)
        else:
            staff_id = row.staff_id
            row.roles = sorted(wanted)
        store.add_enrolment(tx, token_digest(token), staff_id, now, now + ENROLMENT_LIFE)
        _audit(tx, context, "staff.enrol", staff_id, home, now, roles=sorted(wanted))
    return token


def enrol_new(context: Context, email: str, role: StaffRole, now: datetime, *, org_id: int) -> str:
    """The same for somebody new only. Raises what `enrol` raises, Conflict also where the caller
    sees who has the address."""
    with context.together() as joined:
        with joined.transaction() as tx:
            if store.by_email(tx, folded_email(email)) is not None:
                raise Conflict("somebody has this address already", field="email")
        return enrol(joined, email, [role], now, org_id=org_id)


def enrolling(context: Context, token: str, now: datetime) -> StaffMember:
    """Whose link it is. Raises NotFound when it was used, replaced or has expired."""
    with context.transaction() as tx:
        store.allow_login_lookups(tx)
        link = store.open_enrolment(tx, token_digest(token), now)
        if link is not None:
            row = store.lock(tx, link.staff_id)
            return store.member(row, store.organisations_below(tx, row.org_id))
    raise NotFound("this link was used already or has expired; ask for a new one")


def accept_enrolment(context: Context, token: str, password: str, now: datetime) -> StaffMember:
    """Set the password, use up the link. Raises NotFound, InvalidInput(field="password")."""
    email = enrolling(context, token, now).email
    passwords.check_new(password, email)
    new_hash = passwords.hashed(password)
    with context.transaction() as tx:
        store.allow_login_lookups(tx)
        link = store.open_enrolment(tx, token_digest(token), now)
        if link is None:
            raise NotFound("this link was used already or has expired; ask for a new one")
        link.used_at = now
        row = store.lock(tx, link.staff_id)
        row.password, row.active = new_hash, True
        row.session_token = secrets.token_hex(32)
        row.totp_secret_sealed = row.two_factor_method = row.totp_last_counter = None
        store.end_sessions(tx, row.staff_id)
        member = store.member(row, store.organisations_below(tx, row.org_id))
        _audit_own(tx, context, "staff.password", member, now)
    return member


def log_in(context: Context, attempt: LoginAttempt, now: datetime) -> StaffMember:
    """Check a password. Raises InvalidInput when it is wrong, Refused when there were too many.

    A browser known to the account has a budget of its own, so that a stranger's guesses do not
    lock the person out (security.md 8). The time taken does not tell whether an account exists.
    """
    with context.transaction() as tx:
        store.allow_login_lookups(tx)
        row = store.by_email(tx, attempt.email.strip().casefold())
        keys = _throttle_keys(attempt, row.staff_id if row else None)
        spent = store.failures(tx, keys, now - THROTTLE_WINDOW)
        member = store.member(row, store.organisations_below(tx, row.org_id)) if row else None
        stored = row.password if row else None
    limits = (ADDRESS_FAILURES if key.startswith("address:") else ACCOUNT_FAILURES for key in keys)
    if any(spent.get(key, 0) >= limit for key, limit in zip(keys, limits, strict=True)):
        raise Refused("too many failed logins; wait 15 minutes, or use a browser that you used")
    matched = passwords.matches(stored, attempt.password)
    with context.transaction() as tx:
        store.allow_login_lookups(tx)
        if not matched or member is None or not member.active:
            store.add_failure(tx, keys, now, THROTTLE_WINDOW)
        else:
            store.clear_failures(tx, tuple(key for key in keys if not key.startswith("address:")))
            if stored is not None and passwords.outdated(stored):
                store.lock(tx, member.staff_id).password = passwords.hashed(attempt.password)
    if not matched or member is None:
        raise InvalidInput("wrong email address or password")
    if not member.active:
        raise Refused("this account is disabled; ask an owner")
    return member


def open_session(context: Context, member: StaffMember, now: datetime) -> str:
    """A fresh token for a browser that has just proved who it is (rotated at every login)."""
    token = secrets.token_urlsafe(32)
    with context.transaction() as tx:
        store.allow_login_lookups(tx)
        store.end_sessions_begun_before(tx, now - SessionLimits().absolute)
        store.forget_failures_before(tx, now - THROTTLE_WINDOW)
        store.add_session(tx, token_digest(token), member.staff_id, now)
        _audit_own(tx, context, "staff.login", member, now)
    return token


def session_member(
    context: Context, token: str, limits: SessionLimits, now: datetime
) -> StaffMember | None:
    """Who is behind a browser session; None when it ended, timed out or the person is disabled."""
    digest = token_digest(token)
    with context.transaction() as tx:
        store.allow_login_lookups(tx)
        found = store.session_member(tx, digest)
        if found is None:
            return None
        member, created_at, seen_at = found
        if not member.active or limits.expired(created_at, seen_at, now):
            store.end_session(tx, digest)
            return None
        if now - seen_at >= TOUCH_EVERY:
            store.touch_session(tx, digest, now)
    return member


def close_session(context: Context, token: str) -> None:
    """Log one browser out."""
    with context.transaction() as tx:
        store.allow_login_lookups(tx)
        store.end_session(tx, token_digest(token))


def by_session_token(context: Context, session_token: str) -> StaffMember | None:
    """The person of a `session_token`, for a login that waits for its second factor."""
    with context.transaction() as tx:
        store.allow_login_lookups(tx)
        row = store.by_session_token(tx, session_token)
        return store.member(row, store.organisations_below(tx, row.org_id)) if row else None


def find(context: Context, email: str) -> StaffMember:
    """Somebody within the caller's organisations. Raises InvalidInput, NotFound."""
    context.refuse_cashier()
    with context.transaction() as tx:
        row = _found(tx, email)
        return store.member(row, store.organisations_below(tx, row.org_id))


def set_role(context: Context, email: str, role: StaffRole, now: datetime) -> None:
    """Give a person another role, from its next page on. Raises InvalidInput (the role is none of
    its organisation), NotFound, Refused (the own one)."""
    context.refuse_cashier()
    with context.transaction() as tx:
        row = _found(tx, email)
        _check_other(context, row.email)
        _check_roles(tx, frozenset({role}), row.org_id)
        row.roles = [role.value]
        _audit(tx, context, "staff.role", row.staff_id, row.org_id, now, role=role)


def set_active(context: Context, email: str, active: bool, now: datetime) -> None:
    """Disable or enable a person; disabling ends every session at once. Raises NotFound, Refused
    (oneself)."""
    context.refuse_cashier()
    with context.transaction() as tx:
        row = _found(tx, email)
        _check_other(context, row.email)
        row.active = active
        row.session_token = secrets.token_hex(32)
        store.end_sessions(tx, row.staff_id)
        action = "staff.enable" if active else "staff.disable"
        _audit(tx, context, action, row.staff_id, row.org_id, now)


def list_staff(context: Context) -> list[StaffMember]:
    """Everybody within the caller's organisations, by email."""
    context.refuse_cashier()
    with context.transaction() as tx:
        return store.all_members(tx)


def set_two_factor(
    context: Context,
    member: StaffMember,
    method: str | None,
    secret_sealed: str | None,
    now: datetime,
) -> None:
    """Store or (None) remove the second factor; `secret_sealed` is encrypted by the caller."""
    with context.transaction() as tx:
        store.allow_login_lookups(tx)
        row = store.lock(tx, member.staff_id)
        row.two_factor_method, row.totp_secret_sealed = method, secret_sealed
        _audit_own(tx, context, "staff.two-factor", member, now, method=method)


def use_totp_counter(context: Context, staff_id: int, counter: int) -> bool:
    """Use up one time step; False when it, or a later one, was used before (security.md 4)."""
    with context.transaction() as tx:
        store.allow_login_lookups(tx)
        row = store.lock(tx, staff_id)
        if row.totp_last_counter is not None and counter <= row.totp_last_counter:
            return False
        row.totp_last_counter = counter
    return True


def check_code_budget(context: Context, staff_id: int, now: datetime) -> None:
    """Raises Refused when too many wrong codes were tried for the person."""
    key = f"code:{staff_id}"
    with context.transaction() as tx:
        store.allow_login_lookups(tx)
        spent = store.failures(tx, (key,), now - THROTTLE_WINDOW).get(key, 0)
    if spent >= CODE_FAILURES:
        raise Refused("too many wrong codes; wait 15 minutes")


def code_failed(context: Context, staff_id: int, now: datetime) -> None:
    """Count a wrong code."""
    with context.transaction() as tx:
        store.allow_login_lookups(tx)
        store.add_failure(tx, (f"code:{staff_id}",), now, THROTTLE_WINDOW)


def create_demo_staff(context: Context, now: datetime) -> tuple[str, str]:
    """An owner with a new random password and no second factor: (email, password).

    Only for `./run demo`, which listens on loopback; the panel cannot call it.
    """
    if context.org_ids is not None:
        raise Refused("demo staff is made by ./run demo only")
    token = enrol(context, DEMO_EMAIL, [StaffRole.OWNER], now)
    password = "-".join(secrets.token_hex(2) for _ in range(4))
    member = accept_enrolment(context, token, password, now)
    with context.transaction() as tx:
        store.lock(tx, member.staff_id).two_factor_method = TWO_FACTOR_EXEMPT
    return DEMO_EMAIL, password


def _check_roles(tx: Transaction, roles: frozenset[StaffRole], org_id: int) -> None:
    """The operator's own people are owner, billing or support; a reseller's its organisation's."""
    exists, parent = store.parent_of(tx, org_id)
    if not exists:
        raise NotFound(f"no organisation has the number {org_id}", field="organisation")
    if not roles:
        raise InvalidInput("choose a role", field="role")
    if bool(OF_RESELLERS & roles) != (parent is not None) or len(roles) > 1:
        raise InvalidInput(
            "a reseller's staff has the role reseller or cashier, the operator's has owner, "
            "billing, support or collector",
            field="role",
        )


def _found(tx: Transaction, email: str) -> tables.Staff:
    row = store.by_email(tx, folded_email(email))
    if row is None:
        raise NotFound(f"nobody is enrolled as {email}", field="email")
    return row


def _check_other(context: Context, email: str) -> None:
    """Nobody locks itself out, so that whoever manages staff stays."""
    if context.actor == email:
        raise Refused("ask another owner: nobody changes or disables itself", field="email")


def _throttle_keys(attempt: LoginAttempt, staff_id: int | None) -> tuple[str, ...]:
    if staff_id is not None and attempt.device and attempt.device_staff_id == staff_id:
        return (f"device:{token_digest(attempt.device)}",)
    address = f"address:{attempt.address}"
    return (address,) if staff_id is None else (address, f"account:{staff_id}")


def token_digest(token: str) -> str:
    """What is stored of a token."""
    return sha256(token.encode()).hexdigest()


def _audit_own(
    tx: Transaction,
    context: Context,
    action: str,
    member: StaffMember,
    now: datetime,
    **detail: object,
) -> None:
    """The person's own act. The row belongs to the person's organisation, which the panel's role
    must be able to see for this."""
    store.see_organisations(tx, (member.org_id,))
    audit.append(
        tx,
        at=now,
        org_id=member.org_id,
        actor=member.email,
        action=action,
        subject=f"staff:{member.staff_id}",
        detail={**detail, "by": context.actor},
    )


def _audit(
    tx: Transaction,
    context: Context,
    action: str,
    staff_id: int,
    org_id: int,
    now: datetime,
    **detail: object,
) -> None:
    audit.append(
        tx,
        at=now,
        org_id=org_id,
        actor=context.actor,
        action=action,
        subject=f"staff:{staff_id}",
        detail=detail,
    )
