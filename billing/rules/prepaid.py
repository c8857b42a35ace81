"""Recurring prepaid: what a wallet covers, and when the next package is bought (rules P10, B4)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from billing.model.account import Account
from billing.rules.chain import timeline
from billing.rules.cycles import END_OF_TIME

LEAD = timedelta(minutes=5)
"""A package that renews is bought so long before the last one ends, so that what runs goes on."""


def covered(bills: Iterable[tuple[int, int]], spendable_micros: int) -> list[bool]:
    """Which bills a wallet pays: (subscription, total in micros), in the order of their periods.

    Each is paid whole or not at all (rule P12); where one is not, no later one of the same
    subscription is: a period cannot be left out.
    """
    paid: list[bool] = []
    stopped: set[int] = set()
    for subscription_id, total_micros in bills:
        pays = subscription_id not in stopped and total_micros <= spendable_micros
        if pays:
            spendable_micros -= total_micros
        else:
            stopped.add(subscription_id)
        paid.append(pays)
    return paid


def short_micros(total_micros: int, spendable_micros: int) -> int:
    """What a wallet lacks of a total."""
    return max(0, total_micros - spendable_micros)


def packages_end(account: Account, now: datetime) -> datetime:
    """When the last package ends by time alone: `now` where none is left, END_OF_TIME where that is
    not known (it waits for a login, or ends by use only)."""
    windows = timeline(account.entitlements, account.last_ended)
    return max([now, *(window.end for window in windows)])


def renewal_at(account: Account, now: datetime) -> datetime | None:
    """When the follower of the last package is to be bought, `now` where none is left; None: not at
    a known instant. Short packages are not bought more than half of their time ahead."""
    end = packages_end(account, now)
    if end in (now, END_OF_TIME):
        return now if end == now else None
    last = max(timeline(account.entitlements, account.last_ended), key=lambda one: one.end)
    minutes = last.entitlement.validity_minutes
    lead = LEAD if minutes is None else min(LEAD, timedelta(minutes=minutes) / 2)
    return end - lead
