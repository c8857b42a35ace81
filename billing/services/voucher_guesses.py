"""Wrong codes that are typed, in the panel or elsewhere: counted, and slowed down (rule R3)."""

from __future__ import annotations

from datetime import datetime

from billing.errors import Refused
from billing.rules.vouchers import THROTTLE_WINDOW, throttled
from billing.services.context import Context
from billing.store import vouchers as store

_EVERYBODY = ""


def check(context: Context, source: str, now: datetime, *, known: bool) -> None:
    """Raises Refused where `source`, or everybody, has typed too many wrong codes lately. `known`:
    staff, who only have a limit of their own."""
    with context.transaction() as tx:
        counts = store.failures(tx, [source, _EVERYBODY], now - THROTTLE_WINDOW)
    if throttled(counts.get(source, 0), counts.get(_EVERYBODY, 0), known=known):
        minutes = THROTTLE_WINDOW.seconds // 60
        raise Refused(
            f"too many wrong codes; try again in {minutes} minutes (rule R3)", field="code"
        )


def count_failure(context: Context, source: str, now: datetime) -> None:
    """One more wrong code, in a transaction of its own: what was refused is counted."""
    with context.transaction() as tx:
        store.add_failure(tx, [source, _EVERYBODY], now, THROTTLE_WINDOW)
