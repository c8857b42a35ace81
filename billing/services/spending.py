"""What a customer wants to be told of its wallets, and its spending caps (rules P6, P14)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.spending import WalletWatch
from billing.rules.spending import cap_period
from billing.services import alerts, caps, renewals
from billing.services.context import Context
from billing.services.customers import audit_customer, changing_customer, read_customer
from billing.services.issuing import operator_of
from billing.services.settling import checked_amount
from billing.store import customers as store
from billing.store import spending, tables
from billing.store.guard import Transaction

LEVELS_LIMIT = 5


def watches(context: Context, customer_id: int, now: datetime) -> tuple[WalletWatch, ...]:
    """Alerts and cap of every wallet of a customer, its own first. Raises NotFound."""
    with context.transaction() as tx:
        wallets = read_customer(tx, customer_id).wallets
        return tuple(_watch(tx, customer_id, one.wallet_id, now) for one in wallets)


def set_alerts(
    context: Context,
    customer_id: int,
    now: datetime,
    *,
    wallet_id: int | None = None,
    balance_percent: int | None = None,
    usage_percents: Sequence[int] | None = None,
) -> WalletWatch:
    """When the customer is told, of a wallet (by default its own) and of the packages of its
    subscriptions. `balance_percent` of the balance right after the last top-up, 1 to 99; 0: not
    told. `usage_percents` of a package, 1 to 100 each; none: not told. None leaves it.

    What has fallen below its threshold by now is told at the next crossing only. Raises NotFound,
    InvalidInput.
    """
    if balance_percent is not None and not 0 <= balance_percent <= 99:
        raise InvalidInput("must be 1 to 99 percent, 0 for no alert", field="balance_percent")
    levels = None if usage_percents is None else sorted(set(usage_percents))
    if levels is not None and (
        len(levels) > LEVELS_LIMIT or any(not 1 <= level <= 100 for level in levels)
    ):
        raise InvalidInput(
            f"must be up to {LEVELS_LIMIT} levels of 1 to 100 percent", field="usage_percents"
        )
    with _changing(context, customer_id, wallet_id, now) as (tx, customer, row):
        if balance_percent is not None:
            row.alert_percent = balance_percent or None
            row.alert_below_micros = row.look_below_micros = None
        if levels is not None:
            row.usage_alert_percents = levels
            tx.flush()
            owned = store.subscriptions_of(tx, customer_id)
            ids = [one.subscription_id for one in owned if one.wallet_id == row.wallet_id]
            alerts.pass_over(tx, row, ids, now)
        detail: dict[str, object] = {
            "wallet": row.wallet_id,
            "balance_percent": row.alert_percent,
            "usage_percents": list(row.usage_alert_percents),
        }
        _finish(context, tx, customer, "wallet.alerts", now, detail)
        return _watch(tx, customer_id, row.wallet_id, now)


def set_cap(
    context: Context,
    customer_id: int,
    amount_micros: int | None,
    now: datetime,
    *,
    wallet_id: int | None = None,
) -> WalletWatch:
    """What may be spent from a wallet (by default the customer's own) in a calendar month; None:
    no cap. What was spent this month counts. Raises NotFound, InvalidInput."""
    with _changing(context, customer_id, wallet_id, now) as (tx, customer, row):
        if amount_micros is not None:
            checked_amount(amount_micros, row.currency)
        row.cap_micros = amount_micros
        row.cap_lifted_until = row.cap_floor_micros = row.cap_until = None
        detail: dict[str, object] = {"wallet": row.wallet_id, "cap_micros": amount_micros}
        _finish(context, tx, customer, "wallet.cap", now, detail)
        return _watch(tx, customer_id, row.wallet_id, now)


def lift_cap(
    context: Context, customer_id: int, now: datetime, *, wallet_id: int | None = None
) -> WalletWatch:
    """A wallet's cap holds nobody for the rest of the month. Raises NotFound, Refused (there is no
    cap)."""
    with _changing(context, customer_id, wallet_id, now) as (tx, customer, row):
        if row.cap_micros is None:
            raise Refused("the wallet has no spending cap (rule P14)", field="wallet")
        row.cap_lifted_until = cap_period(now, operator_of(tx).time_zone).until
        detail: dict[str, object] = {
            "wallet": row.wallet_id,
            "until": row.cap_lifted_until.isoformat(),
        }
        _finish(context, tx, customer, "wallet.cap_lift", now, detail)
        return _watch(tx, customer_id, row.wallet_id, now)


@contextmanager
def _changing(
    context: Context, customer_id: int, wallet_id: int | None, now: datetime
) -> Iterator[tuple[Transaction, tables.Customer, tables.Wallet]]:
    with changing_customer(context, customer_id) as (tx, customer):
        own = store.wallets_of(tx, customer_id)[0].wallet_id
        row = spending.wallet(tx, customer_id, own if wallet_id is None else wallet_id)
        if row is None:
            raise NotFound(f"customer {customer_id} has no wallet {wallet_id}", field="wallet")
        yield tx, customer, row


def _finish(
    context: Context,
    tx: Transaction,
    customer: tables.Customer,
    action: str,
    now: datetime,
    detail: dict[str, object],
) -> None:
    # What a cap held back may be bought now.
    renewals.credited(tx, context, customer.customer_id, now)
    audit_customer(context, tx, customer, action, now, detail)


def _watch(tx: Transaction, customer_id: int, wallet_id: int, now: datetime) -> WalletWatch:
    row = spending.wallet(tx, customer_id, wallet_id)
    if row is None:
        raise NotFound(f"customer {customer_id} has no wallet {wallet_id}", field="wallet")
    alert, view = alerts.balance_alert(row), store.wallet_view(row)
    spent = until = None
    if row.cap_micros is not None:
        zone = operator_of(tx).time_zone
        period = cap_period(now, zone)
        spent, until = caps.spent_in(tx, row, period, zone), period.until
    return WalletWatch(
        wallet_id=wallet_id,
        currency=row.currency,
        available_micros=view.available_micros,
        alert_percent=row.alert_percent,
        topped_up_micros=row.topped_up_micros,
        threshold_micros=alert.threshold_micros,
        armed=alert.below_micros is not None,
        usage_alert_percents=tuple(row.usage_alert_percents),
        cap_micros=row.cap_micros,
        spent_micros=spent,
        cap_until=until,
        cap_lifted=caps.is_lifted(row, now),
    )
