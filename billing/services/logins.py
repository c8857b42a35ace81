"""The history of attempts to log in: why can't he connect? (rule A3)"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from billing.errors import InvalidInput, NotFound
from billing.model.decision import Reason
from billing.model.events import fold_station
from billing.model.logins import LoginFilter, LoginOutcome, LoginPage, LoginPlace, LoginView
from billing.rules.cycles import day_passed_at, day_start
from billing.rules.login_words import reason_words
from billing.services.context import Context
from billing.services.identity import checked_username
from billing.services.issuing import operator_of
from billing.services.nas import nas_id_of
from billing.store import customers
from billing.store import logins as store
from billing.store.guard import Transaction

LIST_LIMIT = 1000
DAYS_SEARCHED = 7
"""Days back that are looked through where neither a user name nor a first day is given."""
LAST_DAYS = 30
"""Days back of a subscriber's last attempts."""
STATION_LIMIT = 253
_NOBODY = 0
"""The customer of attempts with a user name that nobody has."""


def search(
    context: Context,
    now: datetime,
    *,
    username: str = "",
    station: str = "",
    nas_name: str = "",
    reason: str = "",
    outcome: str = "",
    first_day: date | None = None,
    last_day: date | None = None,
    before: LoginPlace | None = None,
    limit: int = 50,
) -> LoginPage:
    """Newest first; what is empty is not asked for. Days are local, both included. User names
    that nobody has are seen by the operator's staff only.

    Raises InvalidInput, NotFound (no such NAS), Conflict (several).
    """
    if not 1 <= limit <= LIST_LIMIT:
        raise InvalidInput(f"must be 1 to {LIST_LIMIT}", field="limit")
    if first_day is not None and last_day is not None and first_day > last_day:
        raise InvalidInput("must not be after --to", field="from")
    with context.transaction() as tx:
        zone = operator_of(tx).time_zone
        since = None if first_day is None else day_start(first_day, zone)
        until = None if last_day is None else day_passed_at(last_day, zone)
        if since is None and not username:
            since = min(now, until or now) - timedelta(days=DAYS_SEARCHED)
        name = checked_username(username) if username else None
        asked = LoginFilter(
            username=name,
            customer_ids=None if name is None else _owners(tx, name),
            station=_checked_station(station),
            nas_id=nas_id_of(tx, nas_name) if nas_name else None,
            reason=_one_of(reason, tuple(Reason), "reason"),
            outcome=_one_of(outcome, tuple(LoginOutcome), "outcome"),
            since=since,
            until=until,
        )
        rows = store.listed(tx, asked, words=reason_words, before=before, limit=limit + 1)
    more = rows[limit - 1].place if len(rows) > limit else None
    return LoginPage(rows=tuple(rows[:limit]), next_before=more, since=since)


def last_of(
    context: Context, subscription_id: int, now: datetime, *, limit: int = 10
) -> list[LoginView]:
    """The last attempts of a subscription in LAST_DAYS, under whatever name. Raises NotFound."""
    with context.transaction() as tx:
        customer_id = customers.customer_of(tx, subscription_id)
        if customer_id is None:
            raise NotFound(f"there is no subscription {subscription_id}", field="subscription")
        asked = LoginFilter(
            customer_ids=(customer_id,),
            subscription_id=subscription_id,
            since=now - timedelta(days=LAST_DAYS),
        )
        return store.listed(tx, asked, words=reason_words, before=None, limit=limit)


def reasons() -> tuple[tuple[str, str], ...]:
    """Every reason that can be asked for, with its words."""
    return tuple((reason.value, reason_words(reason)) for reason in Reason)


def _owners(tx: Transaction, username: str) -> tuple[int, ...]:
    """Whose the attempts of a name may be: before it was given to a subscriber it was nobody's."""
    found = customers.find_login(tx, username)
    return (_NOBODY,) if found is None else (_NOBODY, found[0])


def _checked_station(station: str) -> str | None:
    folded = fold_station(station)
    if len(folded) > STATION_LIMIT or not folded.isprintable():
        raise InvalidInput("write it like aa:bb:cc:dd:ee:ff", field="mac")
    return folded or None


def _one_of(value: str, known: tuple[str, ...], field: str) -> str | None:
    if value and value not in known:
        raise InvalidInput(f"must be one of {', '.join(known)}", field=field)
    return value or None
