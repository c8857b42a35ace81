"""What sales take from a reseller's wallet has to be there; it is told when little is left (rules
R1, P12, P6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from billing.errors import Refused
from billing.model.messages import MessageDraft, MessageKind
from billing.model.money import Money
from billing.model.resellers import Level
from billing.rules.alerts import balance_fell
from billing.rules.resellers import missing
from billing.services.alerts import balance_alert
from billing.services.context import Context
from billing.store import messages
from billing.store import resellers as store
from billing.store.customers import wallet_view
from billing.store.guard import Transaction


def check_covered(
    context: Context, levels: Sequence[Level], costs: Sequence[Money], currency: str
) -> None:
    """Raises Refused where a wallet does not pay (rules R1, P12); a cashier is not told amounts."""
    if levels[0].currency != currency:
        raise Refused(
            f"the account is kept in {levels[0].currency}, the plan is sold in {currency}",
            field="plan",
        )
    short = missing(levels, costs)
    if short is None:
        return
    level, more = short
    if context.cashier:
        raise Refused("the shop's wallet does not pay it (rule R1): tell the owner of the shop",
                      field="wallet")  # fmt: skip
    if level.depth:
        raise Refused(
            f"the wallet of reseller {level.org_id} above does not pay its part: {more} is missing "
            "(rule R1)",
            field="wallet",
        )
    there = Money(level.spendable_micros, level.currency)
    raise Refused(
        f"the reseller's wallet has {there}; {more} more is needed to pay {costs[0]} (rule R1): "
        "ask who is above for a transfer",
        field="wallet",
    )


def tell_if_low(tx: Transaction, context: Context, level: Level, event: str, now: datetime) -> int:
    """The reseller is told once that little is left (rule P6), by what `event`, a name of its own;
    returns what is available, in micros."""
    wallet = store.account_wallet(tx, level.customer_id)
    available_micros = wallet_view(wallet).available_micros
    if balance_fell(balance_alert(wallet), available_micros):
        draft = MessageDraft(
            customer_id=level.customer_id,
            kind=MessageKind.LOW_BALANCE,
            idempotency_key=f"{MessageKind.LOW_BALANCE}:{event}",
            facts={
                "username": store.account(tx, level.customer_id).name,
                "available_micros": available_micros,
                "currency": wallet.currency,
                "recharge_url": context.portal_url or None,
            },
        )
        messages.queue(tx, [draft], now)
        store.watch_account(tx, level.org_id, wallet.alert_percent, None)
    return available_micros
