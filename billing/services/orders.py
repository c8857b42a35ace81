"""Orders to running sessions, from due to settled (rules C1, C2): what the sender works on.

An order is claimed (and falls due again after a back-off: 1, 2, 5, 15, 60, then 300 s), sent, and
its outcome recorded; rules/answers.py says what follows from it. An ACK is not the end: accounting
confirms. When a NAS does not know the session, by none of its names, the Stop may have been lost;
so the order is repeated, and only when accounting has been silent too is the session closed at its
last update (a later record still counts, rules U5, U10). After a day an order has failed; it stays
to be seen, and `retry` takes it up again.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from billing.errors import InvalidInput
from billing.model.account import Account, LoginContext
from billing.model.decision import Limits, Reason, Reject, Service, Suspended
from billing.model.enforcement import (
    LIMITS_ALONE,
    Goal,
    OrderResult,
    Outcome,
    PacketKind,
    SessionOrder,
)
from billing.model.grants import GrantLimits
from billing.model.network import NasAddress, SessionIdentity, Vendor, dialect_of, link_of
from billing.rules.access import decide, metered_by_time, normal_speed
from billing.rules.answers import ACCOUNTING_EXPECTED_WITHIN, consequence
from billing.rules.grants import granted, restricted, tightened
from billing.rules.windows import free_seconds, windows_of
from billing.services.context import Context
from billing.store import customers
from billing.store import enforcement as store
from billing.store.accounts import load_accounts
from billing.store.enforcement import AttemptRow, ClaimedRow
from billing.store.guard import Transaction
from billing.store.listener import Listener

log = logging.getLogger(__name__)

GIVE_UP_AFTER = timedelta(hours=24)
_NEEDS_ACCOUNT = frozenset(
    {Goal.REFRESH, Goal.SPEED, Goal.TARIFF, Goal.GRANT, Goal.RESTRICT, Goal.TIGHTEN}
)
_MOVES = frozenset({Goal.SUSPEND, Goal.RESTORE})
# 1 Gbit/s, as for counters that may have wrapped (rule U4).
_FASTEST_KBPS = 1_000_000
_SAID: set[tuple[int, str]] = set()


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
        if row.goal in _NEEDS_ACCOUNT and row.subscription_id not in accounts:
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
            values = _changes(result, now)
            if values:
                order = result.order
                store.set_intent(tx, order.customer_id, order.intent_id, values=values)


def hasten(context: Context, nas_ids: Collection[int], now: datetime) -> int:
    """Make due what these NAS had not answered; returns how many orders."""
    with context.transaction() as tx:
        return store.hasten(tx, nas_ids, now)


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
    ids = {row.subscription_id for row in rows if row.goal != Goal.DISCONNECT}
    found = {}
    for subscription_id in ids:
        try:
            for account in load_accounts(tx, context.box, [subscription_id], now):
                found[subscription_id] = account
        except (InvalidInput, ValueError) as error:
            log.error("subscription %d cannot be read: %s", subscription_id, error)
    return found


def _service(account: Account | None, row: ClaimedRow, now: datetime) -> Service | None:
    """What the subscription would get if it logged in there now; None: nothing, or not what the
    order is for."""
    if account is None:
        return None
    if row.restricted and row.goal in _NEEDS_ACCOUNT:
        speeds = (row.restricted_up_kbps, row.restricted_down_kbps)
        return restricted(account, speeds, row.grant_interim_seconds or 300, now)
    request = LoginContext(nas_id=row.nas_id, calling_station=row.calling_station)
    decision = decide(account, request, now)
    if isinstance(decision, Reject):
        return None
    service = decision.service
    if isinstance(decision, Suspended):
        return service if row.goal == Goal.SUSPEND else None
    if row.goal == Goal.SUSPEND:
        return _redirected(account, row, service)
    if row.goal == Goal.TIGHTEN:
        return replace(service, interim_seconds=tightened(service.interim_seconds))
    if row.grant is None:
        return service
    used = GrantLimits(
        seconds=_used_seconds(account, row, now),
        octets=row.session_octets,
        input_octets=row.session_input_octets,
        output_octets=row.session_octets - row.session_input_octets,
    )
    return replace(service, limits=granted(service.limits.session_seconds, row.grant, used))


def _redirected(account: Account, row: ClaimedRow, service: Service) -> Service | None:
    """Of one session alone, for which nothing was left to reserve, into the garden (rule Q4)."""
    sold = account.package_plan or account.plan
    if row.reason != Reason.ALLOWANCE_IN_USE or sold is None or sold.pay_only_pool is None:
        return None
    return replace(service, pool=sold.pay_only_pool, framed_ip=None, limits=Limits())


def _used_seconds(account: Account | None, row: ClaimedRow, now: datetime) -> int:
    """What is added to the seconds left to make a limit counted from the session's start.

    Time that is used up by being online is known as of the last accounting, like what is left of
    it, but for what was free since (rule Q3); an instant at which service ends is counted from now.
    """
    if account is None:
        return row.session_seconds
    if metered_by_time(account):
        return row.session_seconds + _free_since(account, row, now)
    return max(row.session_seconds, (now - row.started_at) // timedelta(seconds=1))


def _used_octets(account: Account | None, row: ClaimedRow, now: datetime) -> int:
    """As of the last accounting; what may have been carried for nothing since is added, as much as
    the speed allows, so that it ends no session too early (rule Q3)."""
    seconds = 0 if account is None else _free_since(account, row, now)
    if account is None or not seconds:
        return row.session_octets
    speeds = normal_speed(account)
    kbps = _FASTEST_KBPS if None in speeds else sum(speed or 0 for speed in speeds)
    return row.session_octets + seconds * kbps * 1000 // 8


def _free_since(account: Account, row: ClaimedRow, now: datetime) -> int:
    """Seconds since the last accounting that lay in free windows."""
    windows = windows_of(account)
    if not windows or row.last_event_at >= now:
        return 0
    return free_seconds(windows, row.last_event_at, now, account.time_zone)


def _dialect(row: ClaimedRow) -> Vendor:
    """Said once for each NAS whose vendor is not known."""
    dialect = dialect_of(row.nas_vendor)
    said = (row.nas_id, row.nas_vendor)
    if dialect != row.nas_vendor and said not in _SAID:
        _SAID.add(said)
        log.warning(
            "NAS %d: the vendor %r is not known; it is spoken to with standard attributes",
            *said,
        )
    return dialect


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
        vendor=_dialect(row),
        link=link_of(row.session_class),
        unknown_answers=row.unknown_answers,
        fenced=row.fenced,
        identity=SessionIdentity(
            username=row.username,
            acct_session_id=row.acct_session_id,
            framed_ip=row.framed_ip,
        ),
        service=_service(account, row, now),
        used_seconds=_used_seconds(account, row, now),
        used_octets=_used_octets(account, row, now),
        used_input_octets=row.session_input_octets,
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


def _changes(result: OrderResult, now: datetime) -> dict[str, object]:
    """What an attempt changes in its order's row; nothing: the back-off of the claim stands."""
    order = result.order
    follows = consequence(
        result.packet,
        result.outcome,
        result.error_cause,
        attempt=order.attempt,
        unknown_answers=order.unknown_answers,
        namings=result.namings,
        may_disconnect=order.goal not in LIMITS_ALONE,
    )
    changes: dict[str, object] = {}
    if follows.state is not None:
        changes["state"] = follows.state
        if follows.state != "acked":
            changes["finished_at"] = now
    if follows.wait is not None:
        changes["next_attempt_at"] = now + follows.wait
    if follows.escalate:
        changes["escalated"] = True
    acked_coa = result.outcome is Outcome.ACK and result.packet is PacketKind.COA
    if acked_coa and order.goal in _MOVES:
        changes["moved_by_coa"] = True
    return changes
