"""Orders to running sessions, from due to settled (rules C1, C2): what the sender works on.

An order is claimed (and falls due again after a back-off: 1, 2, 5, 15, 60, then 300 s), sent, and
its outcome recorded. An ACK is not the end of it: accounting confirms. When a NAS answers that it
does not know the session, the Stop may have been lost, or our naming of the session was wrong; so
the order is repeated, and only when accounting has been silent too is the session closed at its
last update (a later record still counts, rules U5, U10). After a day an order has failed.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from billing.errors import InvalidInput
from billing.model.account import Account, LoginContext
from billing.model.decision import Reject, Service
from billing.model.enforcement import Goal, OrderResult, Outcome, PacketKind, SessionOrder
from billing.model.network import NasAddress, SessionIdentity, Vendor
from billing.rules.access import decide
from billing.services.context import Context
from billing.store import customers
from billing.store import enforcement as store
from billing.store.accounts import load_accounts
from billing.store.enforcement import AttemptRow, ClaimedRow
from billing.store.guard import Transaction
from billing.store.listener import Listener

log = logging.getLogger(__name__)

GIVE_UP_AFTER = timedelta(hours=24)
STOP_EXPECTED_WITHIN = timedelta(seconds=30)
# The longest interim interval in use, three times.
ACCOUNTING_EXPECTED_WITHIN = timedelta(minutes=15)
UNKNOWN_SESSION_DELAY = timedelta(minutes=1)
SESSION_UNKNOWN = "Session-Context-Not-Found"
# A Disconnect that the NAS will never carry out, however often it is sent (RFC 5176 3.5).
_HOPELESS = frozenset(
    {
        "Unsupported-Attribute",
        "Missing-Attribute",
        "NAS-Identification-Mismatch",
        "Invalid-Request",
        "Unsupported-Service",
        "Unsupported-Extension",
        "Invalid-Attribute-Value",
        "Administratively-Prohibited",
    }
)


def listen(context: Context) -> Listener:
    """Hears when orders are written; raises Unavailable."""
    return Listener(context.db.raw(), store.CHANNEL)


def claim_due(
    context: Context, now: datetime, *, limit: int, busy_nas_ids: Collection[int] = ()
) -> list[SessionOrder]:
    """Take due orders, committed before the first packet; another sender takes others."""
    with context.transaction() as tx:
        rows = store.claim_due(tx, now, limit=limit, busy_nas_ids=busy_nas_ids)
        accounts = _accounts(tx, context, rows, now)
    orders = []
    for row in rows:
        if row.goal == Goal.REFRESH and row.subscription_id not in accounts:
            continue
        try:
            orders.append(_order(context, row, accounts.get(row.subscription_id), now))
        except InvalidInput as error:
            log.error("order %d for NAS %d cannot be sent: %s", row.intent_id, row.nas_id, error)
    return orders


def next_attempt_at(context: Context) -> datetime | None:
    """When the next order falls due; may lie in the past."""
    with context.transaction() as tx:
        return store.next_attempt_at(tx)


def record_results(context: Context, results: Sequence[OrderResult], now: datetime) -> None:
    """Write each attempt and what follows from it, in one transaction."""
    if not results:
        return
    # In the order of the rows, as reconcile takes them: no deadlock.
    ordered = sorted(results, key=lambda r: (r.order.customer_id, r.order.intent_id))
    with context.transaction() as tx:
        attempts = [_attempt(result) for result in ordered if result.packet is not PacketKind.NONE]
        if attempts:
            store.insert_attempts(tx, attempts)
        for result in ordered:
            values = _consequence(result, now)
            if values:
                order = result.order
                store.set_intent(tx, order.customer_id, order.intent_id, values=values)


def settle(context: Context, now: datetime) -> int:
    """Close orders that accounting has confirmed or that are past saving; returns how many."""
    silent_since = now - ACCOUNTING_EXPECTED_WITHIN
    with context.transaction() as tx:
        lost = store.lost_sessions(tx, silent_since)
    for customer_id, session_id in lost:
        with context.transaction() as tx:
            if customers.lock_customer(tx, customer_id) is not None:
                store.close_lost_session(tx, customer_id, session_id, silent_since)
    with context.transaction() as tx:
        return store.settle_intents(tx, now, GIVE_UP_AFTER)


def _accounts(
    tx: Transaction, context: Context, rows: Sequence[ClaimedRow], now: datetime
) -> dict[int, Account]:
    """By subscription, where limits change; one that cannot be read is logged and left out."""
    ids = {row.subscription_id for row in rows if row.goal == Goal.REFRESH}
    found = {}
    for subscription_id in ids:
        try:
            for account in load_accounts(tx, context.box, [subscription_id], now):
                found[subscription_id] = account
        except (InvalidInput, ValueError) as error:
            log.error("subscription %d cannot be read: %s", subscription_id, error)
    return found


def _service(account: Account | None, row: ClaimedRow, now: datetime) -> Service | None:
    """What the subscription would get if it logged in there now; None: nothing."""
    if account is None:
        return None
    request = LoginContext(nas_id=row.nas_id, calling_station=row.calling_station)
    decision = decide(account, request, now)
    return None if isinstance(decision, Reject) else decision.service


def _order(
    context: Context, row: ClaimedRow, account: Account | None, now: datetime
) -> SessionOrder:
    secret = context.box.open(row.nas_secret_sealed, f"nas:{row.nas_id}")
    return SessionOrder(
        customer_id=row.customer_id,
        intent_id=row.intent_id,
        org_id=row.org_id,
        nas_id=row.nas_id,
        goal=Goal(row.goal),
        attempt=row.attempt,
        escalated=row.escalated,
        created_at=row.created_at,
        nas=NasAddress(address=row.nas_address, coa_port=row.nas_coa_port, secret=secret.encode()),
        vendor=Vendor(row.nas_vendor),
        identity=SessionIdentity(
            username=row.username,
            acct_session_id=row.acct_session_id,
            framed_ip=row.framed_ip,
            nas_ip=row.nas_address,
            calling_station=row.calling_station,
            nas_port_id=row.nas_port_id,
        ),
        service=_service(account, row, now),
        used_seconds=row.session_seconds,
        used_octets=row.session_octets,
    )


def _attempt(result: OrderResult) -> AttemptRow:
    order = result.order
    return AttemptRow(
        customer_id=order.customer_id,
        intent_id=order.intent_id,
        attempt=order.attempt,
        org_id=order.org_id,
        packet=result.packet.value,
        sent_at=result.sent_at,
        answered_at=result.answered_at,
        outcome=result.outcome.value,
        error_cause=result.error_cause,
    )


def _consequence(result: OrderResult, now: datetime) -> dict[str, object]:
    """What an attempt changes in its order; nothing: the back-off of the claim stands."""
    if result.packet is PacketKind.NONE:
        return {"state": "confirmed", "finished_at": now}
    if result.outcome is Outcome.ACK:
        disconnect = result.packet is PacketKind.DISCONNECT
        wait = STOP_EXPECTED_WITHIN if disconnect else ACCOUNTING_EXPECTED_WITHIN
        return {"state": "acked", "next_attempt_at": now + wait}
    if result.outcome is not Outcome.NAK:
        return {}
    if result.error_cause == SESSION_UNKNOWN:
        backoff = min(result.order.attempt, 5) * UNKNOWN_SESSION_DELAY
        return {"next_attempt_at": now + backoff}
    if result.packet is PacketKind.COA:
        return {"next_attempt_at": now}  # at once, as a Disconnect
    if result.error_cause in _HOPELESS:
        return {"state": "failed", "finished_at": now}
    return {}
