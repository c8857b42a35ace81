"""All money that comes in, in one list: by gateways in any state, and otherwise (rule P1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from billing.errors import InvalidInput, NotFound
from billing.model.money_in import MoneyPage, MoneyPlace, MoneyUsed
from billing.rules.cycles import day_passed_at, day_start
from billing.services.context import Context
from billing.services.issuing import operator_of
from billing.store import money_in as store

LIST_LIMIT = 500
TEXT_LIMIT = 200
_DIGITS = 18


def used(context: Context, customer_id: int, payment_id: int) -> MoneyUsed:
    """What a payment paid as it came in. Raises NotFound."""
    with context.at_one_instant() as tx:
        found = store.used(tx, customer_id, payment_id)
    if found is None:
        raise NotFound(f"customer {customer_id} has no payment {payment_id}", field="payment")
    return found


def search(
    context: Context,
    *,
    text: str = "",
    states: Sequence[str] = (),
    channel: str | None = None,
    customer_id: int | None = None,
    day: date | None = None,
    before: MoneyPlace | None = None,
    limit: int = 50,
) -> MoneyPage:
    """Newest first; `states`: of PaymentState and RECEIVED; `day`: a local one, when it began or
    came. Raises InvalidInput, NotFound (no operator yet)."""
    if not 1 <= limit <= LIST_LIMIT:
        raise InvalidInput(f"must be 1 to {LIST_LIMIT}", field="limit")
    wanted = text.strip()
    if len(wanted) > TEXT_LIMIT or "\0" in wanted:
        raise InvalidInput(f"write at most {TEXT_LIMIT} characters", field="text")
    is_number = wanted.isascii() and wanted.isdecimal() and len(wanted) <= _DIGITS
    with context.transaction() as tx:
        days = None
        if day is not None:
            zone = operator_of(tx).time_zone
            days = day_start(day, zone), day_passed_at(day, zone)
        rows = store.listed(
            tx,
            text=wanted or None,
            number=int(wanted) if is_number else None,
            states=states,
            channel=channel,
            customer_id=customer_id,
            days=days,
            before=before,
            limit=limit + 1,
        )
    more = rows[limit - 1].place if len(rows) > limit else None
    return MoneyPage(rows=tuple(rows[:limit]), next_before=more)
