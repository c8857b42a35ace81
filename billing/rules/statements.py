"""What a statement of account says (rules M3, M4): opening balance, movements, closing balance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from billing.model.statements import Account, AccountEntry, StatementLine
from billing.rules.cycles import local_day, next_month

_NAMED = {"opening": "Balance taken over", "adjustment": "Adjustment"}


def account(
    entries: Iterable[AccountEntry],
    first_day: date,
    last_day: date,
    time_zone: str,
    opening_micros: int = 0,
) -> Account:
    """The account from one local day to another, both included. `entries` in the order of their
    instants; what is before `first_day` counts to the opening balance, which is `opening_micros`
    before all of them; what is after `last_day` is left out.

    A day's charges for usage are one line.
    """
    lines: list[StatementLine] = []
    balance_micros = opening_micros
    for entry in entries:
        day = local_day(entry.at, time_zone)
        if day > last_day:
            break
        balance_micros += entry.amount_micros
        if day < first_day:
            opening_micros = balance_micros
            continue
        text, amount_micros = words(entry), entry.amount_micros
        if entry.kind == "usage" and lines and (lines[-1].on, lines[-1].text) == (day, text):
            amount_micros += lines.pop().amount_micros
        line = StatementLine(
            on=day, text=text, amount_micros=amount_micros, balance_micros=balance_micros
        )
        lines.append(line)
    return Account(
        first_day=first_day,
        last_day=last_day,
        opening_micros=opening_micros,
        lines=tuple(lines),
        closing_micros=balance_micros,
    )


def words(entry: AccountEntry) -> str:
    """What the customer reads of it."""
    if entry.credit_note is not None:
        return f"Credit note {entry.credit_note} for {entry.bill}"
    if entry.bill is not None:
        return f"Bill {entry.bill}"
    if entry.channel is not None:
        name = _NAMED.get(entry.channel, f"Payment, {entry.channel.replace('_', ' ')}")
        return f"{name}, {entry.reference}" if entry.reference else name
    text = _NAMED.get(entry.kind, entry.memo or entry.kind)
    return text[:1].upper() + text[1:]


def months_to_state(stated_until: date | None, today: date) -> Iterator[tuple[date, date]]:
    """First and last day of each month that is over and was not stated yet, the oldest first;
    without `stated_until` the last month only."""
    this_month = today.replace(day=1)
    first_day = stated_until or (this_month - timedelta(days=1)).replace(day=1)
    while first_day < this_month:
        following = next_month(first_day)
        yield first_day, following - timedelta(days=1)
        first_day = following
