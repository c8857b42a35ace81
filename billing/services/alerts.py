"""Customers are told that little is left of a wallet or a package, once a crossing (rule P6).

The meter only has the customer looked at (`service_next_change_at`); what is told, and that it was,
is written here in one transaction, under the customer's lock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from billing.model.messages import MessageDraft, MessageKind
from billing.rules.alerts import (
    WHOLE_PERCENT,
    Amount,
    BalanceAlert,
    armed_below,
    balance_fell,
    left_at,
    level_reached,
    next_level,
)
from billing.services.context import Context
from billing.store import messages, spending, tables
from billing.store.customers import wallet_view
from billing.store.guard import Transaction


def look(
    tx: Transaction,
    context: Context,
    wallets: Sequence[tables.Wallet],
    subscriptions: Collection[tables.Subscription],
    exhausted: Collection[int],
    now: datetime,
) -> None:
    """Tell what has fallen below its threshold, and arm what is to be told next. `exhausted`:
    subscriptions whose customer is told by another message that all is used up. The customer is
    locked."""
    drafts: list[MessageDraft] = []
    for wallet in wallets:
        own = [row for row in subscriptions if row.wallet_id == wallet.wallet_id]
        drafts += _balance(context, wallet, own, now)
        drafts += _packages(tx, context, wallet, own, exhausted, now)
    messages.queue(tx, drafts, now)


def note_top_up(tx: Transaction, customer_id: int, wallet_id: int) -> None:
    """A top-up has come, and paid what it was to pay: what is available now is what the alert's
    percentage is of. Whoever calls has the customer brought in line, which arms it."""
    row = spending.wallet(tx, customer_id, wallet_id)
    if row is not None:
        row.topped_up_micros = wallet_view(row).available_micros
        row.alert_below_micros = None
        tx.flush()


def balance_alert(wallet: tables.Wallet) -> BalanceAlert:
    """The wallet's alert as it is stored."""
    return BalanceAlert(
        percent=wallet.alert_percent,
        topped_up_micros=wallet.topped_up_micros,
        below_micros=wallet.alert_below_micros,
    )


def pass_over(
    tx: Transaction,
    wallet: tables.Wallet,
    subscription_ids: Sequence[int],
    now: datetime,
) -> None:
    """Levels that packages have reached before anybody wanted to be told of them are not told."""
    for package, _ in spending.packages_to_tell(tx, wallet.customer_id, subscription_ids, now):
        package.alerted_percent = level_reached(wallet.usage_alert_percents, _amounts(package))
        package.alert_seconds_left = package.alert_octets_left = None
    tx.flush()


def _balance(
    context: Context, wallet: tables.Wallet, own: Sequence[tables.Subscription], now: datetime
) -> Iterator[MessageDraft]:
    alert, available_micros = balance_alert(wallet), wallet_view(wallet).available_micros
    if balance_fell(alert, available_micros):
        yield MessageDraft(
            customer_id=wallet.customer_id,
            kind=MessageKind.LOW_BALANCE,
            idempotency_key=f"{MessageKind.LOW_BALANCE}:{wallet.wallet_id}:{now.isoformat()}",
            facts={
                "username": ", ".join(row.username for row in own if row.closed_at is None),
                "available_micros": available_micros,
                "currency": wallet.currency,
                "recharge_url": context.portal_url or None,
            },
        )
    wallet.alert_below_micros = armed_below(alert, available_micros)


def _packages(
    tx: Transaction,
    context: Context,
    wallet: tables.Wallet,
    own: Sequence[tables.Subscription],
    exhausted: Collection[int],
    now: datetime,
) -> Iterator[MessageDraft]:
    if not wallet.usage_alert_percents:
        return
    names = {row.subscription_id: row.username for row in own}
    for package, plan in spending.packages_to_tell(tx, wallet.customer_id, list(names), now):
        percents = wallet.usage_alert_percents
        reached = level_reached(percents, _amounts(package))
        if reached > package.alerted_percent:
            package.alerted_percent = reached
            if reached < WHOLE_PERCENT or package.subscription_id not in exhausted:
                yield MessageDraft(
                    customer_id=wallet.customer_id,
                    kind=MessageKind.ALLOWANCE_USED,
                    idempotency_key=f"allowance:{package.entitlement_id}:{reached}",
                    facts={
                        "username": names[package.subscription_id],
                        "package": plan,
                        "percent": reached,
                        "recharge_url": context.portal_url or None,
                    },
                )
        _arm(package, next_level(percents, package.alerted_percent))


def _arm(package: tables.Entitlement, percent: int | None) -> None:
    """For the meter: the next level as what is left of the package then."""
    package.alert_seconds_left = package.alert_octets_left = None
    if percent is None or package.ended_at is not None:
        return
    if package.seconds_total is not None:
        package.alert_seconds_left = left_at(package.seconds_total, percent)
    if package.octets_total is not None:
        package.alert_octets_left = left_at(package.octets_total, percent)


def _amounts(package: tables.Entitlement) -> list[Amount]:
    return [
        Amount(total, left)
        for total, left in (
            (package.seconds_total, package.seconds_left),
            (package.octets_total, package.octets_left),
        )
        if total is not None and left is not None
    ]
