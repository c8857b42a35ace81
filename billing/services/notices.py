"""Customers are told when their service is suspended and when it is back (docs/adr/0017)."""

from __future__ import annotations

from datetime import datetime

from billing.model.account import Account
from billing.model.messages import MessageDraft, MessageKind
from billing.rules.states import NORMAL, State
from billing.store import messages
from billing.store.guard import Transaction

# By staff, on the last day, for an overdue bill. That something is used up is another message.
_SUSPENDED = frozenset({"S2", "S4", "S5"})


def changed_state(
    tx: Transaction, account: Account, before: str, state: State, now: datetime
) -> None:
    """Queue what a change from the rule `before` of table S to `state` tells the customer; most
    changes tell nothing. What is told is committed with the change, and once."""
    if before not in _SUSPENDED and state.rule in _SUSPENDED:
        kind = MessageKind.SUSPENDED
    elif before in _SUSPENDED and state.rule == NORMAL.rule:
        kind = MessageKind.RESTORED
    else:
        return
    facts: dict[str, object] = {"username": account.username}
    if kind is MessageKind.SUSPENDED:
        owed = sum(bill.open_micros for bill in account.unpaid_bills)
        facts["reason"] = state.reason.value
        # Paying does not end what staff has decided.
        facts["open_micros"] = 0 if state.rule == "S2" else owed
        facts["currency"] = account.wallet.currency
    key = f"{kind}:{account.subscription_id}:{now.isoformat()}"
    messages.queue(
        tx,
        [
            MessageDraft(
                customer_id=account.customer_id, kind=kind, idempotency_key=key, facts=facts
            )
        ],
        now,
    )
