"""Accounting that belongs to no session: counted, read, and in the end dropped (radius.md F5)."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from billing.errors import InvalidInput
from billing.model.dead_letters import DeadLetterPage
from billing.rules.cycles import day_passed_at, day_start
from billing.rules.letter_words import KNOWN, letter_words
from billing.services.context import Context
from billing.services.identity import checked_address
from billing.services.issuing import operator_of
from billing.store import dead_letters as store

LIST_LIMIT = 1000
DAYS_SEARCHED = 7
"""Days back that are looked through where no first day is given."""


def page(
    context: Context,
    now: datetime,
    *,
    reason: str = "",
    nas_address: str = "",
    first_day: date | None = None,
    last_day: date | None = None,
    before: int | None = None,
    limit: int = 50,
) -> DeadLetterPage:
    """How many of each reason, and those of one reason or all, newest first; days are local, both
    included. They are of no organisation: only the operator's staff sees any.

    Raises InvalidInput.
    """
    if not 1 <= limit <= LIST_LIMIT:
        raise InvalidInput(f"must be 1 to {LIST_LIMIT}", field="limit")
    if reason and reason not in KNOWN:
        raise InvalidInput(f"must be one of {', '.join(KNOWN)}", field="reason")
    if first_day is not None and last_day is not None and first_day > last_day:
        raise InvalidInput("must not be after --to", field="from")
    nas = checked_address(nas_address, "nas") if nas_address else None
    with context.transaction() as tx:
        zone = operator_of(tx).time_zone
        until = None if last_day is None else day_passed_at(last_day, zone)
        if first_day is not None:
            since = day_start(first_day, zone)
        else:
            since = min(now, until or now) - timedelta(days=DAYS_SEARCHED)
        counts = store.counted(tx, words=letter_words, nas_address=nas, since=since, until=until)
        letters = store.listed(
            tx,
            words=letter_words,
            reason=reason or None,
            nas_address=nas,
            since=since,
            until=until,
            before=before,
            limit=limit + 1,
        )
    more = letters[limit - 1].letter_id if len(letters) > limit else None
    return DeadLetterPage(
        counts=tuple(counts), letters=tuple(letters[:limit]), since=since, next_before=more
    )
