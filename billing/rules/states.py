"""The table S: which cause decides a subscription's state (rules S1–S8, B3, B9, B10, B15, P8, P10,
P14).

One predicate a cause, asked in the table's order; the first that holds decides. `causes.py` puts
the same predicates into words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from billing.model.account import Account, HoldBehaviour
from billing.model.decision import Reason
from billing.model.profile import BillingKind
from billing.rules.chain import ended_reason, timeline, usable
from billing.rules.cycles import END_OF_TIME, cut_from, day_passed_at
from billing.rules.wallets import wallet_exhausted


class Effect(StrEnum):
    """What a state means for a login."""

    NORMAL = "normal"
    SUSPENDED_POOL = "suspended_pool"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class State:
    """The rule that decided, why, and what follows; `pool` only with SUSPENDED_POOL."""

    rule: str
    reason: Reason
    effect: Effect
    pool: str | None = None


NORMAL = State("S8", Reason.OK, Effect.NORMAL)
_CLOSED = State("S1", Reason.CLOSED, Effect.REJECT)
_PAUSED = State("S3", Reason.PAUSED, Effect.REJECT)


def deciding(account: Account, now: datetime) -> State:
    """The state at `now`: the first cause of S that holds."""
    if closed(account, now):
        return _CLOSED
    if held(account, now):
        return _hold_state(account)
    if paused(account, now):
        return _PAUSED
    if account.unpaid_bills:
        if discontinued(account, now):
            return _by_kind(account, "S4", Reason.DISCONTINUED)
        if overdue(account, now):
            return _pooled("S5", Reason.OVERDUE, account.profile.suspended_pool)
    if unfunded(account, now):
        broke = account.wallet.funds_at(now) == 0
        return _by_kind(account, "S6", Reason.WALLET_EXHAUSTED if broke else Reason.SPENDING_CAP)
    if uncovered(account, now):
        return _by_kind(account, "S6", Reason.NOT_COVERED)
    if unentitled(account, now):
        reason = ended_reason(account.entitlements, account.last_ended, now)
        plan = account.plan
        return _pooled("S7", reason, None if plan is None else plan.pay_only_pool)
    return NORMAL


def next_change(account: Account, now: datetime) -> datetime | None:
    """The next instant at which time alone changes the state, if nobody uses or pays anything."""
    current = deciding(account, now)
    ahead = {moment for moment in _moments(account) if now < moment < END_OF_TIME}
    for instant in sorted(ahead):
        if deciding(account, instant) != current:
            return instant
    return None


def closed(account: Account, now: datetime) -> bool:
    """S1."""
    return account.closed_at is not None and account.closed_at <= now


def held(account: Account, now: datetime) -> bool:
    """S2: the hold ends by itself at `until`."""
    hold = account.staff_hold
    return hold is not None and (hold.until is None or now < hold.until)


def paused(account: Account, now: datetime) -> bool:
    """S3."""
    return account.paused_at is not None and account.paused_at <= now


def discontinued(account: Account, now: datetime) -> bool:
    """S4: the whole of `discontinue_on` has passed and any bill is unpaid (rule B15)."""
    return (
        account.discontinue_on is not None
        and bool(account.unpaid_bills)
        and now >= day_passed_at(account.discontinue_on, account.time_zone)
    )


def overdue(account: Account, now: datetime) -> bool:
    """S5: rule B9, at the instant of the cut."""
    cut = overdue_cut(account)
    return cut is not None and now >= cut


def overdue_cut(account: Account) -> datetime | None:
    """When rule B9 cuts unless somebody pays; None where it cannot.

    All of it must hold: the paid cycles have ended (none paid: they have), the oldest unpaid
    bill's payment date has passed, a promise to pay (rule B19) has run out. The cut is at the
    first `suspend_at` from then on that is on no no-cut day.
    """
    profile = account.profile
    if not profile.automatic_suspend or not account.unpaid_bills:
        return None
    if profile.kind is not BillingKind.MONTHLY:
        return None
    since = day_passed_at(account.unpaid_bills[0].due_on, account.time_zone)
    if account.paid_until is not None:
        since = max(since, account.paid_until)
    if account.promise_until is not None:
        since = max(since, day_passed_at(account.promise_until, account.time_zone))
    return cut_from(since, profile, account.time_zone)


def unfunded(account: Account, now: datetime) -> bool:
    """S6 by use: pay-as-you-go, nothing bought is left, and the wallet is exhausted (P8) or its
    spending cap is reached (P14). A promise to pay lends the wallet what it says (rule B19)."""
    plan = account.plan
    return (
        plan is not None and plan.pay_as_you_go
        and wallet_exhausted(account.wallet, now)
        and not _supplied(account, now)
    )  # fmt: skip


def uncovered(account: Account, now: datetime) -> bool:
    """S6 by time: recurring prepaid, and the wallet did not cover the period that began (rule P10).

    It is held from when that was tried, not by the clock: who has the money is not cut because the
    run is late. What is foreseen is known to explanations only (`upcoming`).
    """
    if not account.profile.recurring_prepaid:
        return False
    if account.on_hold_since is not None:
        return account.on_hold_since <= now
    upcoming = account.upcoming
    if upcoming is None or upcoming.begins_at is None or now < upcoming.begins_at:
        return False
    return upcoming.total_micros > account.wallet.spendable_micros


def prepaid_short(account: Account, now: datetime) -> bool:
    """S6: either."""
    return unfunded(account, now) or uncovered(account, now)


def unentitled(account: Account, now: datetime) -> bool:
    """S7: nothing bought is left, and neither a wallet nor a monthly bill pays for more.

    A monthly plan without pay-as-you-go runs on (what cuts it is S5). Where no plan was ever
    chosen, nothing was sold: that is refused for monthly customers too.
    """
    plan = account.plan
    if plan is not None and (plan.pay_as_you_go or account.profile.kind is BillingKind.MONTHLY):
        return False
    return not _supplied(account, now)


def _supplied(account: Account, now: datetime) -> bool:
    return usable(account.entitlements, account.last_ended, now)


def _hold_state(account: Account) -> State:
    hold = account.staff_hold
    pooled = hold is not None and hold.behaviour is HoldBehaviour.SUSPENDED_POOL
    return _pooled("S2", Reason.STAFF_SUSPENDED, account.profile.suspended_pool if pooled else None)


def _by_kind(account: Account, rule: str, reason: Reason) -> State:
    """Daily customers cannot connect (rule B3), monthly ones may, into the pool (rule B10)."""
    monthly = account.profile.kind is BillingKind.MONTHLY
    return _pooled(rule, reason, account.profile.suspended_pool if monthly else None)


def _pooled(rule: str, reason: Reason, pool: str | None) -> State:
    """Suspended into `pool`; where there is none, rejected: never into the normal pool."""
    if pool is None:
        return State(rule, reason, Effect.REJECT)
    return State(rule, reason, Effect.SUSPENDED_POOL, pool)


def _moments(account: Account) -> Iterator[datetime]:
    """Every instant at which some predicate above may turn by time alone."""
    hold = account.staff_hold
    discontinue = account.discontinue_on
    cap = account.wallet.cap
    for moment in (
        account.closed_at,
        account.paused_at,
        hold.until if hold is not None else None,
        day_passed_at(discontinue, account.time_zone) if discontinue is not None else None,
        overdue_cut(account),
        cap.until if cap is not None else None,
        account.wallet.promised_until,
        account.upcoming.begins_at if account.upcoming is not None else None,
    ):
        if moment is not None:
            yield moment
    for window in timeline(account.entitlements, account.last_ended):
        if window.start is not None:
            yield window.start
        yield window.end
