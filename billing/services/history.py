"""What is over leaves the tables of the day: closed sessions, old days (rule U11)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from billing.services.context import Context
from billing.store import dead_letters
from billing.store import history as store

BATCH = 500
"""Sessions that one transaction looks at, and so the most customers it holds."""
LETTERS = 1000
"""Dead letters that one transaction drops."""
DAYS_KEPT_MIN = 7


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days the raw journal, the login history and dead letters are kept."""

    journal_days: int
    login_days: int
    letter_days: int


def move_closed_sessions(
    context: Context,
    now: datetime,
    *,
    batch: int = BATCH,
    go_on: Callable[[], bool] = lambda: True,
) -> int:
    """Walk over the closed sessions once and move into the history what no late record can reach;
    returns how many. Each batch is a transaction of its own: an end in the middle loses nothing,
    and the next walk begins anew. `go_on` is asked before each.
    """
    moved, place = 0, store.Place()
    while go_on():
        with context.transaction() as tx:
            step = store.move_closed(tx, now, place, batch)
        if step.month_wanted is not None:
            # Apart from the move: making a partition waits for those who read the history.
            with context.transaction() as tx:
                store.make_months(tx, step.month_wanted)
            continue
        moved += step.moved
        place = step.place
        if step.looked < batch:
            break
    return moved


def drop_old_days(context: Context, now: datetime, kept: Retention) -> list[str]:
    """Drop the days beyond what is kept; returns their names. A day that is being read stays until
    the next time."""
    dropped = []
    for parent, days in (("acct_journal", kept.journal_days), ("login_attempt", kept.login_days)):
        while True:
            with context.transaction() as tx:
                name = store.drop_old_day(tx, now, parent, days)
            if name is None:
                break
            dropped.append(name)
    return dropped


def drop_old_letters(
    context: Context,
    now: datetime,
    kept: Retention,
    *,
    batch: int = LETTERS,
    go_on: Callable[[], bool] = lambda: True,
) -> int:
    """Drop the dead letters beyond what is kept; returns how many. Each batch is a transaction of
    its own, and `go_on` is asked before each."""
    dropped = 0
    while go_on():
        with context.transaction() as tx:
            step = dead_letters.drop_old(tx, now, kept.letter_days, batch)
        dropped += step
        if step < batch:
            break
    return dropped
