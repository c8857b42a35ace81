"""Customers are told when their service is suspended or used up, and when it is back (P8, P9,
docs/adr/0017).

The meter cuts whoever has nothing left before anybody could compare states: it notes `due`, and
the sweep, which it has look at once, tells the customer.
"""

from __future__ import annotations

from datetime import datetime

from billing.model.account import Account
from billing.model.decision import Reason
from billing.model.messages import MessageDraft, MessageKind
from billing.rules.states import NORMAL, State
from billing.services.context import Context
from billing.store import messages, tables
from billing.store.guard import Transaction

# By staff, on the last day, for an overdue bill.
_SUSPENDED = frozenset({"S2", "S4", "S5"})
# Not that nothing was ever bought.
_USED_UP = frozenset(
    {
        Reason.WALLET_EXHAUSTED,
        Reason.SPENDING_CAP,
        Reason.NOT_COVERED,
        Reason.EXPIRED,
        Reason.TIME_USED_UP,
        Reason.DATA_USED_UP,
    }
)
_DUE, _TOLD_SUSPENDED, _TOLD_EXHAUSTED = "due", "suspended", "exhausted"


def is_used_up(state: State) -> bool:
    """Whether the customer is told by `exhausted` that it has come to this state."""
    return state.reason in _USED_UP


def changed_state(
    tx: Transaction,
    context: Context,
    account: Account,
    row: tables.Subscription,
    state: State,
    now: datetime,
) -> None:
    """Queue what a change to `state` tells the customer, and keep with the subscription that it
    was told: each suspension and exhaustion once, and once that the service is back. `row` is as
    the state before was enforced."""
    told = row.service_notice
    if state.rule == NORMAL.rule:
        if told in (_TOLD_SUSPENDED, _TOLD_EXHAUSTED):
            _queue(tx, account, MessageKind.RESTORED, {}, now)
        row.service_notice = None
    elif state.rule in _SUSPENDED:
        if told != _TOLD_SUSPENDED:
            _queue(tx, account, MessageKind.SUSPENDED, _suspended(account, state), now)
        row.service_notice = _TOLD_SUSPENDED
    elif is_used_up(state) and (told == _TOLD_SUSPENDED or _was_served(row)):
        facts: dict[str, object] = {
            "reason": state.reason.value,
            "recharge_url": context.portal_url or None,
        }
        _queue(tx, account, MessageKind.EXHAUSTED, facts, now)
        row.service_notice = _TOLD_EXHAUSTED
    elif told == _DUE:
        row.service_notice = None


def _was_served(row: tables.Subscription) -> bool:
    """Who never was need not be told that nothing is left: a new subscription without money."""
    if row.service_notice == _DUE:
        return True
    return row.service_rule == NORMAL.rule and row.service_checked_at is not None


def _suspended(account: Account, state: State) -> dict[str, object]:
    owed = sum(bill.open_micros for bill in account.unpaid_bills)
    return {
        "reason": state.reason.value,
        # Paying does not end what staff has decided.
        "open_micros": 0 if state.rule == "S2" else owed,
        "currency": account.wallet.currency,
    }


def _queue(
    tx: Transaction, account: Account, kind: MessageKind, facts: dict[str, object], now: datetime
) -> None:
    draft = MessageDraft(
        customer_id=account.customer_id,
        kind=kind,
        idempotency_key=f"{kind}:{account.subscription_id}:{now.isoformat()}",
        facts={"username": account.username, **facts},
    )
    messages.queue(tx, [draft], now)
