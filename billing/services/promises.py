"""What was promised, and what customers may promise to pay themselves (rule B19)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from billing.errors import Refused
from billing.model.money import Money
from billing.model.promises import (
    Asked,
    PromiseLimits,
    PromiseOffer,
    PromiseView,
)
from billing.rules import promises as rules
from billing.rules import states
from billing.rules.cycles import day_start, local_day
from billing.services import promise_book
from billing.services.context import Context
from billing.services.customers import read_customer
from billing.services.issuing import operator_of
from billing.store import customers, tables
from billing.store import promises as store
from billing.store.accounts import load_accounts
from billing.store.catalog import profile_of
from billing.store.guard import Transaction


def of_customer(context: Context, customer_id: int) -> Sequence[PromiseView]:
    """Every promise and what became of it, newest first. Raises NotFound."""
    with context.transaction() as tx:
        read_customer(tx, customer_id)
        return store.of_customer(tx, customer_id)


def offer(context: Context, customer_id: int, wallet_id: int, now: datetime) -> PromiseOffer:
    """What a customer may promise itself now, of its bills and one wallet. Raises NotFound."""
    with context.transaction() as tx:
        read_customer(tx, customer_id)
        row = promise_book.wallet(tx, customer_id, wallet_id)
        today = local_day(now, operator_of(tx).time_zone)
        limits = _limits(tx, customer_id)
        asked = _measured(
            tx, customer_id, limits, until=today, credit=Money(0, row.currency), now=now
        )
        held = _held(tx, customer_id, wallet_id, now)
        standing = store.standing(tx, customer_id)
        return PromiseOffer(
            limits=limits,
            standing=None if standing is None else store.view(standing),
            open_micros=asked.open_micros,
            currency=row.currency,
            wanted=bool(asked.open_micros) or any(held),
            used_up=held[0],
            credit_micros=max(0, limits.amount_micros - asked.open_micros),
            latest=rules.latest_day(limits, today),
            left=max(0, limits.count - len(asked.made)),
            refused=rules.barred(limits, asked),
        )


def check_own(
    tx: Transaction, customer_id: int, wallet_id: int, until: date, credit: Money, now: datetime
) -> None:
    """Raises Refused where a customer may not promise this itself, or its wallet needs none."""
    limits = _limits(tx, customer_id)
    asked = _measured(tx, customer_id, limits, until=until, credit=credit, now=now)
    if (problem := rules.refusal(limits, asked)) is not None:
        field, reason = problem
        raise Refused(reason, field=field)
    if credit.amount_micros and not _held(tx, customer_id, wallet_id, now)[0]:
        raise Refused("your wallet is not used up: leave this empty", field="credit")


def _limits(tx: Transaction, customer_id: int) -> PromiseLimits:
    row = tx.get_one(tables.Customer, customer_id)
    return rules.limits_of(profile_of(tx.get_one(tables.BillingProfile, row.profile_id)))


def _measured(
    tx: Transaction,
    customer_id: int,
    limits: PromiseLimits,
    *,
    until: date,
    credit: Money,
    now: datetime,
) -> Asked:
    zone = operator_of(tx).time_zone
    today = local_day(now, zone)
    since = day_start(rules.counted_from(limits, today), zone)
    standing = store.standing(tx, customer_id)
    return Asked(
        until=until,
        open_micros=promise_book.open_micros(tx, customer_id),
        credit_micros=credit.amount_micros,
        currency=credit.currency,
        today=today,
        made=tuple(local_day(at, zone) for at in store.made_by_customer(tx, customer_id, since)),
        standing_until=None if standing is None or standing.ends_at <= now else standing.until,
    )


def _held(tx: Transaction, customer_id: int, wallet_id: int, now: datetime) -> tuple[bool, bool]:
    """Whether a service is off as this wallet is used up (P8), and whether one of the customer's is
    not covered (P10)."""
    rows = {one.subscription_id: one for one in customers.subscriptions_of(tx, customer_id)}
    used_up = uncovered = False
    for account in load_accounts(tx, None, rows, now):
        mine = rows[account.subscription_id].wallet_id == wallet_id
        broke = account.wallet.funds_at(now) == 0
        used_up = used_up or (mine and broke and states.unfunded(account, now))
        uncovered = uncovered or account.on_hold_since is not None
    return used_up, uncovered
