"""State changes become orders to running sessions (rules S, B3, B9, B10, P8, P9, C1).

`reconcile` compares what each running session has with what table S says it should have, and
writes an order for every difference; it can be called any number of times. A session's pool is
known by its Class hint (`tw1:<subscription>:s` is suspended), unless a CoA moved it since; where
the NAS does not echo Class, by the state that was enforced last. A speed that differs from the one
enforced last (another package has begun, rule Q2) is told to what runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from billing.model.account import Account
from billing.model.bills import Parked
from billing.model.decision import Reason
from billing.model.enforcement import BY_SETTINGS, BY_SUBSCRIBER, Goal
from billing.rules.access import next_speed_change, normal_speed
from billing.rules.cycles import day_passed_at
from billing.rules.prepaid import renewal_at
from billing.rules.states import Effect, State, deciding, next_change
from billing.rules.windows import has_windows
from billing.services import alerts, caps, fair_use, notices, promise_book, recharges
from billing.services.context import Context
from billing.services.parking import serve_page
from billing.store import billing_jobs, customers, grants, spending
from billing.store import enforcement as store
from billing.store.accounts import load_accounts
from billing.store.guard import Transaction
from billing.store.tables import CoaIntent, LiveSession, Subscription

JOB = "sweep"
SWEEP_CUSTOMERS = 100
# A customer whose rows cannot be decided must not keep the sweep busy.
FAILED_CUSTOMER_DELAY = timedelta(minutes=1)
# A NAS tells the start of a session in whole seconds.
_START_PRECISION = timedelta(seconds=1)
_NORMAL_RULE = "S8"
_FAIR_USE = "fair-use"
_CHANGES = (
    Goal.REFRESH,
    Goal.SPEED,
    Goal.TARIFF,
    Goal.GRANT,
    Goal.RESTRICT,
    Goal.TIGHTEN,
)
_OPPOSITES: dict[Effect, frozenset[Goal]] = {
    Effect.NORMAL: frozenset({Goal.DISCONNECT, Goal.SUSPEND}),
    Effect.SUSPENDED_POOL: frozenset({Goal.DISCONNECT, Goal.RESTORE, *_CHANGES}),
    Effect.REJECT: frozenset({Goal.SUSPEND, Goal.RESTORE, *_CHANGES}),
}
_USED_UP = frozenset({Reason.TIME_USED_UP, Reason.DATA_USED_UP})
# What is ordered of one session, whatever the state of its subscription: another one took it over
# (rule A7), nothing was left for it to reserve (rule Q4), its subscriber ends it, or it does not
# fit what its subscription may do now.
_OF_ONE_SESSION = frozenset({"taken-over", "allowance-in-use", BY_SUBSCRIBER, BY_SETTINGS})


@dataclass
class _Running:
    """One open session and the orders that it has not carried out yet."""

    session: LiveSession
    waiting: list[CoaIntent] = field(default_factory=list)
    refreshed_at: datetime | None = None
    moved: Goal | None = None
    """Where a CoA put it, which its Class does not show."""
    restricted: bool = False
    """It goes on at the restricted speed of its plan when all is used up (rule Q4)."""

    def has(self, goal: Goal) -> bool:
        return any(intent.goal == goal for intent in self.waiting)


def reconcile(tx: Transaction, context: Context, customer_id: int, now: datetime) -> int:
    """Bring the customer's running sessions in line with its state; returns orders written. What
    the customer is to be told is queued (rules P6, P8), its spending caps are counted anew (rule
    P14), what became of its promise is noted (B19), and a recharge that is due is stored (rule P7).

    The caller holds the customer's row lock and has changed what it wanted to (radius.md F15).
    """
    tx.flush()
    promise_book.settle(tx, customer_id, now)
    watched = spending.watched_wallets(tx, customer_id)
    cap_ends = caps.renew(tx, watched, now)
    rows = {row.subscription_id: row for row in store.subscriptions_of(tx, customer_id)}
    running = _running(tx, customer_id)
    purchases = store.last_purchases(tx, customer_id) if running else {}
    orders = 0
    used_up = set()
    accounts = _accounts(tx, rows, now)
    if any(one.plan is not None and one.plan.pay_as_you_go for one in accounts):
        grants.lift_overspends(tx, customer_id, now)
    for account in accounts:
        row = rows[account.subscription_id]
        state = deciding(account, now)
        bought_at = purchases.get(account.subscription_id)
        changed_speed = row.service_speed not in (None, _speed(account))
        for one in running.get(account.subscription_id, ()):
            goals = _goals(one, row, state, bought_at, changed_speed)
            _withdraw(one, state, now)
            for goal in goals:
                if not one.has(goal):
                    slowed = goal is Goal.SPEED and row.capped_by_octets is not None
                    reason = _FAIR_USE if slowed else state.reason.value
                    store.insert_intent(tx, one.session, goal=goal, reason=reason, now=now)
                    orders += 1
        notices.changed_state(tx, context, account, row, state, now)
        if notices.is_used_up(state):
            used_up.add(row.subscription_id)
        _remember(row, account, state, cap_ends.get(row.wallet_id), now)
    alerts.look(tx, context, watched, rows.values(), used_up, now)
    _look_again(rows, recharges.look(tx, watched, now))
    tx.flush()
    if orders:
        store.notify(tx)
    return orders


def _look_again(rows: dict[int, Subscription], at: dict[int, datetime]) -> None:
    """By the instants of these wallets at the latest."""
    for row in rows.values():
        moment = at.get(row.wallet_id)
        if moment is not None:
            row.service_next_change_at = min(row.service_next_change_at or moment, moment)


def _accounts(tx: Transaction, rows: dict[int, Subscription], now: datetime) -> list[Account]:
    """As they are under the steps of fair use that are in force. Credentials stay sealed: no state
    depends on them."""
    accounts = load_accounts(tx, None, rows, now)
    changed = [fair_use.recap(tx, rows[one.subscription_id], one, now) for one in accounts]
    if not any(changed):
        return accounts
    tx.flush()
    return load_accounts(tx, None, rows, now)


def sweep(context: Context, now: datetime) -> int:
    """Re-evaluate subscriptions whose state time alone has changed (rules B3, B9).

    Each customer in a transaction of its own; who cannot be decided is parked, and looked at again
    a little later. Returns how many were looked at.
    """
    with context.transaction() as tx:
        due = store.due_customers(tx, now, SWEEP_CUSTOMERS)
    bring_in_line(context, JOB, due, now)
    return len(due)


def preview(context: Context, now: datetime) -> Iterator[tuple[Account, State, str]]:
    """Whose state a sweep would change: the account, its state at `now`, and the rule that its
    sessions follow yet. Nothing is written."""
    with context.transaction() as tx:
        due = store.due_customers(tx, now, None)
    for customer_id in due:
        with context.transaction() as tx:
            rows = {row.subscription_id: row for row in store.subscriptions_of(tx, customer_id)}
            for account in load_accounts(tx, None, rows, now):
                state, before = deciding(account, now), rows[account.subscription_id].service_rule
                if state.rule != before:
                    yield account, state, before


def catch_up(context: Context, now: datetime) -> int:
    """Order what runs although its subscription was held back before: a session whose Start came
    after the orders, or that was taken for ended (rule U10) and is heard of again (rule U5).
    Returns how many customers were looked at, SWEEP_CUSTOMERS at most."""
    with context.transaction() as tx:
        missed = store.missed_customers(tx, SWEEP_CUSTOMERS)
    bring_in_line(context, JOB, missed, now)
    return len(missed)


def bring_in_line(context: Context, job: str, customer_ids: Collection[int], now: datetime) -> None:
    """`reconcile` each in a transaction of its own. Whatever is wrong with one customer's rows must
    not end the service of others late: it is parked. Raises Unavailable."""

    def serve(page: Sequence[int]) -> list[int]:
        with context.transaction() as tx:
            for customer_id in page:
                if customers.lock_customer(tx, customer_id) is not None:
                    reconcile(tx, context, customer_id, now)
        return list(page)

    parked: list[Parked] = []
    served: list[int] = []
    for customer_id in customer_ids:
        served += serve_page(context, job, [customer_id], now, serve, parked)
    if customer_ids:
        with context.transaction() as tx:
            billing_jobs.unpark(tx, job, served)
            for one in parked:
                store.postpone_customer(tx, one.customer_id, now, FAILED_CUSTOMER_DELAY)


def next_sweep_at(context: Context) -> datetime | None:
    """The earliest instant at which `sweep` has something to do."""
    with context.transaction() as tx:
        return store.next_due(tx)


def still_wanted(tx: Transaction, order: CoaIntent, now: datetime) -> bool:
    """Whether the subscription's state at `now` does not contradict an order written before."""
    return all(
        not _contradicts(deciding(account, now), order)
        for account in load_accounts(tx, None, [order.subscription_id], now)
    )


def _running(tx: Transaction, customer_id: int) -> dict[int, list[_Running]]:
    sessions = {row.session_id: _Running(row) for row in store.running_sessions(tx, customer_id)}
    for intent in store.intents_of(tx, customer_id, sessions):
        one = sessions[intent.session_id]
        if intent.state in store.OPEN_STATES:
            one.waiting.append(intent)
        if intent.goal == Goal.REFRESH and intent.state != "cancelled":
            one.refreshed_at = intent.created_at
        if intent.moved_by_coa:
            one.moved = Goal(intent.goal)
    for session_id in store.restricted_sessions(tx, customer_id) & sessions.keys():
        sessions[session_id].restricted = True
    found: dict[int, list[_Running]] = {}
    for one in sessions.values():
        found.setdefault(one.session.subscription_id, []).append(one)
    return found


def _goals(
    one: _Running,
    row: Subscription,
    state: State,
    bought_at: datetime | None,
    changed_speed: bool,
) -> list[Goal]:
    """What this session must become; nothing where it is as it should be."""
    if state.effect is Effect.REJECT:
        return [] if one.restricted and state.reason in _USED_UP else [Goal.DISCONNECT]
    suspended = _in_suspended_pool(one, row)
    if state.effect is Effect.SUSPENDED_POOL:
        return [] if suspended else [Goal.SUSPEND]
    if suspended:
        return [Goal.RESTORE]
    limits = [Goal.REFRESH] if _outdated(one, bought_at) else []
    return [*limits, Goal.SPEED] if changed_speed else limits


def _in_suspended_pool(one: _Running, row: Subscription) -> bool:
    if one.moved is not None:
        return one.moved is Goal.SUSPEND
    told = one.session.session_class or ""
    if told.startswith(f"tw1:{row.subscription_id}:n"):
        return False
    if told.startswith(f"tw1:{row.subscription_id}:s"):
        return True
    return row.service_checked_at is not None and row.service_rule != _NORMAL_RULE


def _outdated(one: _Running, bought_at: datetime | None) -> bool:
    """Something was bought while the session ran that its limits do not contain yet (B4)."""
    if bought_at is None or bought_at < one.session.started_at + _START_PRECISION:
        return False
    return one.refreshed_at is None or one.refreshed_at < bought_at


def _withdraw(one: _Running, state: State, now: datetime) -> None:
    """Cancel orders that the new state contradicts; a session no longer to be cut may be cut
    again later."""
    kept = []
    for intent in one.waiting:
        if _contradicts(state, intent):
            intent.state, intent.finished_at = "cancelled", now
        else:
            kept.append(intent)
    one.waiting = kept
    if state.effect is Effect.NORMAL:
        one.session.cut_requested_at = None


def _contradicts(state: State, order: CoaIntent) -> bool:
    return order.reason not in _OF_ONE_SESSION and Goal(order.goal) in _OPPOSITES[state.effect]


def _speed(account: Account) -> str:
    up, down = normal_speed(account)
    return f"{up or ''}/{down or ''}"


def _remember(
    row: Subscription, account: Account, state: State, cap_end: datetime | None, now: datetime
) -> None:
    changed = row.service_rule != state.rule
    row.service_rule = state.rule
    row.service_checked_at = now
    if state.effect is Effect.NORMAL:
        row.service_speed = _speed(account)
    # Never taken back: what is reported late may lie in windows that are gone.
    row.has_tariff_windows = row.has_tariff_windows or has_windows(account)
    full_speed_at = None if row.capped_by_octets is None else fair_use.period_end(account, now)
    if row.renews:
        due_at = renewal_at(account, now)
        if due_at is not None and due_at > now:
            row.renews_at = due_at
        elif due_at is not None and changed:  # it has just ended, or nothing else holds it any more
            row.renews_at = now
    promise_end = None
    if account.promise_until is not None:
        promise_end = day_passed_at(account.promise_until, account.time_zone)
        promise_end = promise_end if promise_end > now else None
    moments = (
        next_change(account, now), next_speed_change(account, now), full_speed_at, cap_end,
        promise_end,
    )  # fmt: skip
    row.service_next_change_at = min((at for at in moments if at is not None), default=None)
