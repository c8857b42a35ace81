"""Spending caps are compiled for the meter, month by month, and kept by purchases (rule P14)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.errors import Refused
from billing.model.money import Money
from billing.rules.cycles import day_start
from billing.rules.spending import Period, cap_floor, cap_period
from billing.rules.words import instant_words
from billing.services.issuing import operator_of
from billing.store import spending, tables
from billing.store.guard import Transaction


@dataclass(frozen=True, slots=True)
class CapLeft:
    """What a cap leaves until the month ends; below zero where usage has passed it."""

    cap_micros: int
    left_micros: int
    until: datetime


def renew(tx: Transaction, wallets: Sequence[tables.Wallet], now: datetime) -> dict[int, datetime]:
    """Count anew what the caps of these wallets leave, and tell the meter; returns by wallet when
    that must be done next, at the latest. The customer is locked."""
    capped = [row for row in wallets if row.cap_micros is not None]
    if not capped:
        return {}
    zone = operator_of(tx).time_zone
    period = cap_period(now, zone)
    for row in capped:
        row.cap_until = period.until
        row.cap_floor_micros = None
        if row.cap_micros is not None and not is_lifted(row, now):
            spent = spent_in(tx, row, period, zone)
            balance = row.posted_micros - row.unposted_micros
            row.cap_floor_micros = cap_floor(balance, row.cap_micros, spent)
    tx.flush()
    return {row.wallet_id: period.until for row in capped}


def check(tx: Transaction, customer_id: int, wallet_id: int, amount: Money, now: datetime) -> None:
    """Raises Refused when a purchase costs more than the wallet's cap leaves."""
    found = left(tx, customer_id, wallet_id, now)
    if found is None or amount.amount_micros <= found.left_micros:
        return
    cap = Money(found.cap_micros, amount.currency)
    rest = Money(max(0, found.left_micros), amount.currency)
    until = instant_words(found.until, operator_of(tx).time_zone)
    raise Refused(
        f"the spending cap of {cap} leaves {rest} until {until}, and {amount} is needed:"
        " raise or lift it (rule P14)",
        field="wallet",
    )


def left(tx: Transaction, customer_id: int, wallet_id: int, now: datetime) -> CapLeft | None:
    """What purchases may still take from the wallet; None where no cap holds."""
    row = spending.wallet(tx, customer_id, wallet_id)
    if row is None or row.cap_micros is None or is_lifted(row, now):
        return None
    zone = operator_of(tx).time_zone
    period = cap_period(now, zone)
    left_micros = row.cap_micros - spent_in(tx, row, period, zone)
    return CapLeft(row.cap_micros, left_micros, period.until)


def spent_in(tx: Transaction, row: tables.Wallet, period: Period, time_zone: str) -> int:
    """What was spent from the wallet in a month so far, in micros."""
    since = day_start(period.first_day, time_zone)
    return spending.spent_micros(tx, row.customer_id, row.wallet_id, period.first_day, since)


def is_lifted(row: tables.Wallet, now: datetime) -> bool:
    """Whether somebody has lifted the cap for the present month."""
    return row.cap_lifted_until is not None and now < row.cap_lifted_until
