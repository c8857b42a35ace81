"""Who had an address at a time: asked with a reason, and written down before it is shown (rule U12,
security.md 13)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from billing.errors import InvalidInput
from billing.model.who_had import Certainty, Held, Holder, NatBlock, WantedAddress, WhoHad
from billing.rules import held as rules
from billing.services.context import Context
from billing.services.nat_blocks import PORT_MAX
from billing.store import audit
from billing.store import who_had as store
from billing.store.guard import Transaction

TOLERANCE_SECONDS = 60
"""Searched around the instant unless asked otherwise: clocks of NAS and of who asks differ."""
TOLERANCE_MAX_SECONDS = 86_400
REASON_MIN, REASON_MAX = 5, 500
HOLDERS_MAX = 100
_EDGE = timedelta(days=2)
"""Instants nearer to the ends of the calendar cannot be reckoned with."""
_ORDER = tuple(Certainty)


def who_had(
    context: Context,
    address: str,
    *,
    at: datetime,
    reason: str,
    now: datetime,
    port: int | None = None,
    tolerance_seconds: int = TOLERANCE_SECONDS,
) -> WhoHad:
    """Sessions that held an IPv4 or IPv6 address, or all of an IPv6 prefix, at an instant; with a
    `port` also those behind carrier-grade NAT whose inner address it belonged to then.

    The request is in the audit log before anything of the answer is: by whom, what, why, and how
    many were found. Raises InvalidInput; nothing is looked up or written then.
    """
    try:
        wanted = rules.wanted_address(address)
    except ValueError as error:
        raise InvalidInput(str(error), field="address") from None
    why = _checked_reason(reason)
    if not 0 <= tolerance_seconds <= TOLERANCE_MAX_SECONDS:
        raise InvalidInput(
            f"0 to {TOLERANCE_MAX_SECONDS} seconds (a day) around the instant", field="tolerance"
        )
    if not datetime.min.replace(tzinfo=at.tzinfo) + _EDGE < at <= now:
        raise InvalidInput("must be an instant that has passed", field="at")
    if port is not None and (wanted.ipv4 is None or not 0 <= port <= PORT_MAX):
        raise InvalidInput(f"0 to {PORT_MAX}, of an IPv4 address", field="port")
    tolerance = timedelta(seconds=tolerance_seconds)
    with context.transaction() as tx:
        found = [
            Holder(
                session=one,
                held=rules.how_held(wanted, one),
                certainty=rules.certainty(one, at),
            )
            for one in store.holdings(tx, wanted, at, tolerance, HOLDERS_MAX + 1)
        ]
        blocks = _blocks(tx, wanted, port, at, tolerance)
        for block in blocks:
            found += _behind(tx, block, at, tolerance)
        found.sort(key=lambda one: _ORDER.index(one.certainty))
        holders = found[:HOLDERS_MAX]
        audit.append(
            tx,
            at=now,
            org_id=context.home_org_id,
            actor=context.actor,
            action="address.who_had",
            subject=f"address:{wanted.text}",
            detail={
                "at": at,
                "port": port,
                "tolerance_seconds": tolerance_seconds,
                "reason": why,
                "sessions": [one.session.session_id for one in holders],
            },
        )
    return WhoHad(
        address=wanted.text,
        port=port,
        at=at,
        tolerance_seconds=tolerance_seconds,
        reason=why,
        holders=tuple(holders),
        blocks=tuple(blocks),
        more=len(found) > HOLDERS_MAX,
    )


def _blocks(
    tx: Transaction, wanted: WantedAddress, port: int | None, at: datetime, tolerance: timedelta
) -> list[NatBlock]:
    if port is None or wanted.ipv4 is None:
        return []
    return store.nat_blocks(tx, wanted.ipv4, port, at, tolerance, HOLDERS_MAX)


def _behind(
    tx: Transaction, block: NatBlock, at: datetime, tolerance: timedelta
) -> Iterator[Holder]:
    """Sessions that had the inner address; no surer than that the port was its."""
    inner = WantedAddress(text=block.inner_address, ipv4=block.inner_address)
    held_then = block.since <= at and (block.until is None or at <= block.until)
    for one in store.holdings(tx, inner, at, tolerance, HOLDERS_MAX + 1):
        certainty = rules.certainty(one, at) if held_then else Certainty.NEAR
        yield Holder(session=one, held=Held.PORT_BLOCK, certainty=certainty, block=block)


def _checked_reason(reason: str) -> str:
    why = " ".join(reason.split())
    if not REASON_MIN <= len(why) <= REASON_MAX or not why.isprintable():
        raise InvalidInput(
            f"say why, in {REASON_MIN} to {REASON_MAX} characters, like the number of the court"
            " order: it stays in the audit log",
            field="reason",
        )
    return why
