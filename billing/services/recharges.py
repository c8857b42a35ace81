"""Wallets that are recharged by themselves from a method on file (rule P7).

The meter has the customer looked at when a wallet comes to its threshold (`look_below_micros`), as
it does for alerts; there, under the customer's lock, one recharge is stored, which the worker
charges. However many records cross the threshold at once, there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from billing.model.messages import MessageDraft, MessageKind
from billing.model.money import Money
from billing.model.payments import DeclineKind, PaymentKind, PaymentPurpose
from billing.rules.cycles import day_passed_at, day_start, local_day
from billing.rules.recharge import Judgement, Spent, Terms, Verdict, after_decline, judge
from billing.rules.spending import cap_period
from billing.services.attempts import store_attempt
from billing.services.context import Context
from billing.services.issuing import operator_of
from billing.store import customers, gateways, ledger, messages, tables
from billing.store import recharge as store
from billing.store.customers import wallet_view
from billing.store.guard import Transaction

ACTOR = "auto-recharge"


def look(tx: Transaction, wallets: Sequence[tables.Wallet], now: datetime) -> dict[int, datetime]:
    """Store what is due, and tell the meter below which balance to have the customer looked at
    again. Returns by wallet when that must be at the latest. The customer is locked."""
    found: dict[int, datetime] = {}
    settings = {}
    if wallets:
        settings = {row.wallet_id: row for row in store.of_customer(tx, wallets[0].customer_id)}
    for wallet in wallets:
        below = wallet.alert_below_micros
        row = settings.get(wallet.wallet_id)
        if row is not None:
            judged = _judge(tx, row, wallet, now)
            if judged.look_below_micros is not None:
                below = max(judged.look_below_micros, below or judged.look_below_micros)
            if judged.look_at is not None:
                found[wallet.wallet_id] = judged.look_at
        wallet.look_below_micros = below
    return found


def paid(tx: Transaction, row: tables.PaymentAttempt) -> None:
    """A recharge has come, or what the payer was asked to confirm of one: it goes on."""
    if row.purpose == PaymentPurpose.RECHARGE or row.follows_id is not None:
        setting = store.get(tx, row.customer_id, row.wallet_id)
        if setting is not None:
            resume(setting)
            tx.flush()


def resume(setting: tables.AutoRecharge) -> None:
    """As if nothing had been declined."""
    setting.declines, setting.retry_at = 0, None
    setting.paused_at = setting.paused_for = None


def declined(
    tx: Transaction,
    context: Context,
    customer: tables.Customer,
    row: tables.PaymentAttempt,
    kind: DeclineKind,
    now: datetime,
    *,
    came: Money | None = None,
) -> None:
    """Plan the next try, or pause; the customer is told (rule P7). Who must confirm gets a page to
    pay at, and is told when there is one (`link_made`). `came`: money that the provider took all
    the same, which is not what was asked for and waits in suspense."""
    if row.follows_id is not None and row.redirect_url is None:
        tell(tx, row, now, link=context.portal_url or None, retry_at=None)  # there is no page
    if row.purpose != PaymentPurpose.RECHARGE:
        return
    setting = store.get(tx, row.customer_id, row.wallet_id)
    if setting is None:
        return
    after = after_decline(setting.declines, kind, now)
    setting.declines, setting.retry_at = after.declines, after.retry_at
    if after.retry_at is None:
        setting.paused_at, setting.paused_for = now, row.reason
    tx.flush()
    if kind is DeclineKind.AUTHENTICATION:
        store_attempt(
            tx,
            customer,
            wallet_id=row.wallet_id,
            gateway_id=row.gateway_id,
            purpose=PaymentPurpose.TOP_UP,
            kind=PaymentKind.CHECKOUT,
            amount=Money(row.amount_micros, row.currency),
            text=row.text,
            requested_by=ACTOR,
            now=now,
            return_url=context.portal_url,
            follows_id=row.attempt_id,
        )
        return
    tell(tx, row, now, link=context.portal_url or None, retry_at=after.retry_at, came=came)


def taken_back(
    tx: Transaction, row: tables.PaymentAttempt, now: datetime, *, disputed: bool
) -> None:
    """A payment went back, in whole or in part. Who disputed one is charged no more before the
    customer acts; nor is who got a refund that leaves the wallet so low that it would be charged
    for it at once."""
    setting = store.get(tx, row.customer_id, row.wallet_id)
    if setting is None or setting.paused_at is not None:
        return
    available = ledger.wallet(tx, row.customer_id, row.wallet_id).available_micros
    if disputed or available <= setting.threshold_micros:
        setting.paused_at, setting.retry_at = now, None
        setting.paused_for = "a payment was disputed" if disputed else "a payment was given back"
        tx.flush()


def stop(tx: Transaction, setting: tables.AutoRecharge, wallet: tables.Wallet) -> None:
    """The wallet is not recharged any more, nor looked at for it."""
    store.remove(tx, setting)
    wallet.look_below_micros = wallet.alert_below_micros
    tx.flush()


def link_made(tx: Transaction, row: tables.PaymentAttempt, now: datetime) -> None:
    """The page where the payer confirms is there: send its address, once."""
    if row.follows_id is not None and row.redirect_url:
        tell(tx, row, now, link=row.redirect_url, retry_at=None)


def tell(
    tx: Transaction,
    row: tables.PaymentAttempt,
    now: datetime,
    *,
    link: str | None,
    retry_at: datetime | None,
    came: Money | None = None,
) -> None:
    """That a recharge has failed, once for each."""
    reason = row.reason or "your bank wants you to confirm it"
    facts: dict[str, object] = {
        "amount_micros": row.amount_micros,
        "currency": row.currency,
        "reason": reason,
        "came_micros": None if came is None else came.amount_micros,
        "came_currency": None if came is None else came.currency,
        "recharge_url": link,
        "confirm": row.follows_id is not None and row.redirect_url is not None,
        "retry_on": None
        if retry_at is None
        else local_day(retry_at, operator_of(tx).time_zone).isoformat(),
    }
    draft = MessageDraft(
        customer_id=row.customer_id,
        kind=MessageKind.RECHARGE_FAILED,
        idempotency_key=f"recharge:{row.attempt_id}",
        facts=facts,
    )
    messages.queue(tx, [draft], now)


def terms_of(row: tables.AutoRecharge) -> Terms:
    return Terms(
        threshold_micros=row.threshold_micros,
        amount_micros=row.amount_micros,
        cap_day_micros=row.cap_day_micros,
        cap_month_micros=row.cap_month_micros,
        declines=row.declines,
        retry_at=row.retry_at,
        paused=row.paused_at is not None,
    )


def _judge(
    tx: Transaction, row: tables.AutoRecharge, wallet: tables.Wallet, now: datetime
) -> Judgement:
    pending = store.is_pending(tx, row.customer_id, row.wallet_id)
    available = wallet_view(wallet).available_micros
    spent = _spent(tx, row, now)
    judged = judge(terms_of(row), available, spent, now, pending=pending)
    if judged.verdict is Verdict.ENOUGH and row.declines:
        resume(row)  # somebody has topped it up meanwhile
    if judged.verdict is Verdict.DUE:
        _start(tx, row, wallet, now)
    return judged


def _spent(tx: Transaction, row: tables.AutoRecharge, now: datetime) -> Spent:
    zone = operator_of(tx).time_zone
    month = cap_period(now, zone)
    today = local_day(now, zone)
    begins = day_start(today, zone)
    month_begins = day_start(month.first_day, zone)
    day, whole = store.recharged(tx, row.customer_id, row.wallet_id, begins, month_begins)
    return Spent(
        day_micros=day,
        month_micros=whole,
        day_ends_at=day_passed_at(today, zone),
        month_ends_at=month.until,
    )


def _start(tx: Transaction, row: tables.AutoRecharge, wallet: tables.Wallet, now: datetime) -> None:
    method = gateways.method(tx, row.customer_id, row.method_id)
    customer = customers.lock_customer(tx, row.customer_id)
    if customer is None or customer.closed_at is not None:
        return
    if method is None or method.removed_at is not None:
        row.paused_at, row.paused_for = now, "its method of payment was removed"
        return
    row.retry_at = None
    store_attempt(
        tx,
        customer,
        wallet_id=row.wallet_id,
        gateway_id=method.gateway_id,
        purpose=PaymentPurpose.RECHARGE,
        kind=PaymentKind.CHARGE,
        amount=Money(row.amount_micros, wallet.currency),
        text="Recharge",
        requested_by=ACTOR,
        now=now,
        method_id=method.method_id,
    )
