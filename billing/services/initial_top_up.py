"""The money that whoever becomes prepaid brings along (rule P4)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from billing.errors import Refused
from billing.model.commerce import MoneyChannel
from billing.model.money import Money
from billing.rules.moves import payable
from billing.rules.spending import cap_period
from billing.services import receipts
from billing.services.settling import check_takes_money, checked_channel, receive
from billing.store import ledger, spending, tables, usage
from billing.store.guard import Transaction


def take(
    tx: Transaction,
    customer: tables.Customer,
    needed: dict[int, Money],
    amount: Money | None,
    channel: MoneyChannel,
    actor: str,
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
    check_takes_money(tx, customer.org_id)
    own = min(needed)
    shares = {wallet_id: one.amount_micros for wallet_id, one in needed.items()}
    shares[own] += amount.amount_micros - total
    credited = [wallet_id for wallet_id, micros in sorted(shares.items()) if micros]
    for wallet_id in credited:
        share = Money(shares[wallet_id], amount.currency)
        payment_id = receive(
            tx, customer, wallet_id, share, channel, reference=None, actor=actor, now=now
        )
        receipts.of_top_up(tx, customer, payment_id, share, channel, None, now)
    return credited


def needed_by_wallet(
    tx: Transaction,
    customer_id: int,
    rows: Collection[tables.Subscription],
    now: datetime,
    time_zone: str,
    *,
    billed_by_itself: bool,
) -> dict[int, Money]:
    """What each wallet of these subscriptions must be topped up with, in coins that can be paid:
    rated usage that is on no bill, posted or not (rule P2); where no bill comes by itself that is
    the usage of the present local month."""
    first_day = cap_period(now, time_zone).first_day
    unbilled = usage.uninvoiced(tx, [customer_id])
    found = {}
    for wallet_id in sorted({row.wallet_id for row in rows}):
        if billed_by_itself:
            micros = unbilled[wallet_id].owed_micros if wallet_id in unbilled else 0
        else:
            ids = [row.subscription_id for row in rows if row.wallet_id == wallet_id]
            micros = spending.charged_micros(tx, customer_id, ids, first_day)
        currency = ledger.wallet(tx, customer_id, wallet_id).currency
        found[wallet_id] = payable(Money(micros, currency))
    return found
