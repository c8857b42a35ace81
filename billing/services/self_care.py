"""Subscribers log in with what their router knows, and change its password (security.md 4, 5, 8).

A browser session belongs to one subscription; what it sees is its customer (`context_of`).
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.account import Credential
from billing.model.events import fold_username
from billing.model.self_care import CUSTOMER_LIMITS, SubscriberAttempt, SubscriberLogin
from billing.services import customers, passwords, subscriber_passwords
from billing.services.context import Context
from billing.services.identity import PASSWORD_LIMIT_OCTETS
from billing.store import audit, gateways
from billing.store import self_care as store
from billing.store.guard import Transaction

THROTTLE_WINDOW = timedelta(minutes=15)
PAIR_FAILURES = 10
"""For one user name from one address."""
DEVICE_FAILURES = 10
ACCOUNT_FAILURES = 100
"""For one user name from everywhere but the browsers that it used."""
ADDRESS_FAILURES = 200
"""From one address, which many customers may share."""
TOUCH_EVERY = timedelta(seconds=60)
SHORTEST_PASSWORD = 8
_WRONG = "wrong user name or password"
_LIMITS = {
    "pair": PAIR_FAILURES,
    "device": DEVICE_FAILURES,
    "account": ACCOUNT_FAILURES,
    "address": ADDRESS_FAILURES,
    "change": PAIR_FAILURES,
}


def log_in(
    context: Context, attempt: SubscriberAttempt, now: datetime
) -> tuple[SubscriberLogin, str]:
    """Whose the password is, and the token of a new browser session. Raises as `proven`."""
    found, login = _proven(context, attempt, now)
    token = secrets.token_urlsafe(32)
    with context_of(context, login).transaction() as tx:
        begun = now - CUSTOMER_LIMITS.absolute
        store.end_sessions_begun_before(tx, found.customer_id, begun)
        store.add_session(tx, found, _digest(token), now)
        _audit(tx, login, "customer.login", now)
    return login, token


def proven(context: Context, attempt: SubscriberAttempt, now: datetime) -> SubscriberLogin:
    """Whose the password is, for one request of a program.

    Every attempt is counted before its password is looked at, so that many at once get no further
    than one by one. A browser that the subscription has used has a budget of its own: a stranger's
    guesses do not lock the person out (security.md 8). Neither the answer nor its time tells
    whether a user name exists. Raises InvalidInput (wrong), Refused (too many; closed).
    """
    return _proven(context, attempt, now)[1]


def _proven(
    context: Context, attempt: SubscriberAttempt, now: datetime
) -> tuple[store.FoundLogin, SubscriberLogin]:
    name = fold_username(attempt.username)
    with context.transaction() as tx:
        found = store.find_login(tx, name)
    keys = _throttle_keys(attempt, name, None if found is None else found.subscription_id)
    _count(context, keys, now)
    stored = Credential() if found is None else _credential(context, found)
    matched = subscriber_passwords.matches(stored, attempt.password)
    if not matched or found is None:
        raise InvalidInput(_WRONG)
    _right(context, keys)
    if found.closed:
        raise Refused("this subscription is closed; ask your provider")
    return found, SubscriberLogin(
        customer_id=found.customer_id,
        subscription_id=found.subscription_id,
        org_id=found.org_id,
        username=name,
    )


def context_of(context: Context, login: SubscriberLogin) -> Context:
    """What a subscriber acts with: its customer and nobody else, whatever it asks for."""
    return replace(
        context,
        actor=f"subscriber:{login.username}",
        home_org_id=login.org_id,
        org_ids=(login.org_id,),
        customer_id=login.customer_id,
    )


def payer_of(context: Context, login: SubscriberLogin) -> Context:
    """The same, for what it pays: it sees the gateways of its organisation and of those above, too.
    `context` is nobody's."""
    with context.transaction() as tx:
        org_ids = gateways.organisations_above(tx, login.org_id)
    return replace(context_of(context, login), org_ids=org_ids)


def session_login(
    context: Context, customer_id: int, token: str, now: datetime, *, used: bool = True
) -> SubscriberLogin | None:
    """Who is behind a browser session; None when it ended, timed out or the subscription is closed.
    `used`: a person asked for something, which keeps the session from idling out."""
    digest = _digest(token)
    with replace(context, customer_id=customer_id).transaction() as tx:
        row = store.find_session(tx, customer_id, digest)
        if row is None:
            return None
        store.see_organisation(tx, row.org_id)
        username = store.serves(tx, customer_id, row.subscription_id)
        if username is None or CUSTOMER_LIMITS.expired(row.created_at, row.seen_at, now):
            store.end_session(tx, customer_id, digest)
            return None
        if used and now - row.seen_at >= TOUCH_EVERY:
            row.seen_at = now
        return SubscriberLogin(
            customer_id=customer_id,
            subscription_id=row.subscription_id,
            org_id=row.org_id,
            username=username,
        )


def close_session(context: Context, login: SubscriberLogin, token: str) -> None:
    """Log one browser out."""
    with context_of(context, login).transaction() as tx:
        store.end_session(tx, login.customer_id, _digest(token))


def change_password(
    context: Context, login: SubscriberLogin, old: str, new: str, now: datetime
) -> str:
    """Replace the subscription's password, which its router must know, too; every browser is logged
    out, and the token of a new session is returned.

    Raises InvalidInput (field `old` or `new`), Refused (too many wrong ones).
    """
    keys = (f"change:{login.subscription_id}",)
    _count(context, keys, now)
    with context.transaction() as tx:
        found = store.find_login(tx, login.username)
    if found is None or found.subscription_id != login.subscription_id:
        raise NotFound("the subscription has another user name now; log in again")
    if not subscriber_passwords.matches(_credential(context, found), old):
        raise InvalidInput("this is not the password", field="old")
    _right(context, keys)
    _check_new(login.username, old, new)
    token = secrets.token_urlsafe(32)
    with context_of(context, login).together() as own:
        customers.set_password(own, login.subscription_id, new, now)
        with own.transaction() as tx:
            store.add_session(tx, found, _digest(token), now)
    return token


def _check_new(username: str, old: str, new: str) -> None:
    if len(new.encode("utf-8", "replace")) > PASSWORD_LIMIT_OCTETS:
        raise InvalidInput(f"use at most {PASSWORD_LIMIT_OCTETS} octets", field="new")
    if new == old:
        raise InvalidInput("this is the old password", field="new")
    try:
        passwords.check_new(
            new, username, minimum_characters=SHORTEST_PASSWORD, called="your user name"
        )
    except InvalidInput as error:
        raise InvalidInput(error.message, field="new") from None


def _credential(context: Context, found: store.FoundLogin) -> Credential:
    opened = None
    if found.secret_sealed is not None:
        opened = context.box.open(found.secret_sealed, f"subscription:{found.subscription_id}")
    return Credential(cleartext=opened, nt_hash=found.nt_hash, pbkdf2=found.pbkdf2)


def _throttle_keys(
    attempt: SubscriberAttempt, name: str, subscription_id: int | None
) -> tuple[str, ...]:
    """A user name counts whether anybody has it or not: being refused tells nothing of it."""
    if attempt.device and subscription_id and attempt.device_subscription_id == subscription_id:
        return (f"device:{_digest(attempt.device)}",)
    return (
        f"pair:{_digest(f'{attempt.address} {name}')}",
        f"account:{_digest(name)}",
        f"address:{attempt.address}",
    )


def _count(context: Context, keys: tuple[str, ...], now: datetime) -> None:
    """Raises Refused when one of the budgets is spent."""
    with context.transaction() as tx:
        store.allow_counting(tx)
        store.forget_tried_before(tx, now - THROTTLE_WINDOW)
        tried = store.count_tried(tx, keys, now, THROTTLE_WINDOW)
    if any(count > _LIMITS[key.partition(":")[0]] for key, count in tried.items()):
        raise Refused("too many wrong passwords; wait 15 minutes, or use a browser that you used")


def _right(context: Context, keys: tuple[str, ...]) -> None:
    """A right password: what counts for its user alone begins anew, the rest loses this attempt."""
    own = tuple(key for key in keys if not key.startswith(("address:", "account:")))
    with context.transaction() as tx:
        store.allow_counting(tx)
        store.forget_tried(tx, own)
        store.uncount(tx, tuple(key for key in keys if key not in own))


def _digest(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _audit(tx: Transaction, login: SubscriberLogin, action: str, now: datetime) -> None:
    audit.append(
        tx,
        at=now,
        org_id=login.org_id,
        actor=f"subscriber:{login.username}",
        action=action,
        subject=f"subscription:{login.subscription_id}",
        detail={},
    )
