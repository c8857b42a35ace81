"""The money that whoever becomes prepaid brings along (rule P4)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from billing.errors import Refused
from billing.model.commerce import MoneyChannel
from billing.model.money import Money
from billing.rules.moves import payable
from billing.rules.spending import cap_period
from billing.services.settling import checked_channel, receive
from billing.store import ledger, spending, tables
from billing.store.guard import Transaction


def take(
    tx: Transaction,
    customer: tables.Customer,
    needed: dict[int, Money],
    amount: Money | None,
    channel: MoneyChannel,
    now: datetime,
) -> list[int]:
    """Receive the top-up: each wallet gets what it needs, the customer's own wallet the rest.
    Returns the wallets that were credited. Raises Refused with the amount that is needed."""
    total = sum((one.amount_micros for one in needed.values()), 0)
    if amount is None or amount.amount_micros < total:
        if total == 0:
            return []
        currency = next(iter(needed.values())).currency
        given = "" if amount is None else f", {amount} is too little"
        raise Refused(
            f"who becomes prepaid must top up {Money(total, currency)} at least, this month's usage"
            f" that is on no bill yet{given} (rule P4)",
            field="top_up",
        )
    checked_channel(channel)
    own = min(needed)
    shares = {wallet_id: one.amount_micros for wallet_id, one in needed.items()}
    shares[own] += amount.amount_micros - total
    credited = [wallet_id for wallet_id, micros in sorted(shares.items()) if micros]
    for wallet_id in credited:
        share = Money(shares[wallet_id], amount.currency)
        receive(tx, customer, wallet_id, share, channel, reference=None, now=now)
    return credited


def needed_by_wallet(
    tx: Transaction,
    customer_id: int,
    rows: Collection[tables.Subscription],
    now: datetime,
    time_zone: str,
) -> dict[int, Money]:
    """What each wallet of these subscriptions must be topped up with: this month's uninvoiced
    amount, in coins that can be paid."""
    found = {}
    for wallet_id in sorted({row.wallet_id for row in rows}):
        ids = [row.subscription_id for row in rows if row.wallet_id == wallet_id]
        currency = ledger.wallet(tx, customer_id, wallet_id).currency
        micros = uninvoiced_this_month(tx, customer_id, ids, now, time_zone)
        found[wallet_id] = payable(Money(micros, currency))
    return found


def uninvoiced_this_month(
    tx: Transaction,
    customer_id: int,
    subscription_ids: Collection[int],
    now: datetime,
    time_zone: str,
) -> int:
    """Rated usage of the present local month that is on no bill, posted or not, in micros (rule
    P2). Usage stands on no bill so far, so it is all of it."""
    first_day = cap_period(now, time_zone).first_day
    return spending.charged_micros(tx, customer_id, subscription_ids, first_day)
