"""The daily check of all wallets: what an event has missed is found and done (rule P13).

Customers are read by pages; who is not as the rules say is looked at again in a transaction of its
own. What that changes is counted and named: in a sound installation it is nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.errors import Unavailable
from billing.model.account import Account
from billing.model.bills import Parked
from billing.model.profile import BillingKind
from billing.model.renewals import Renewed, Repair, WalletCheckReport
from billing.rules.prepaid import renewal_at
from billing.rules.states import deciding
from billing.services import enforcement, renewal_run, renewals
from billing.services.context import Context
from billing.store import billing_jobs, customers, spending, tables
from billing.store import enforcement as store
from billing.store.accounts import load_accounts
from billing.store.guard import Transaction

log = logging.getLogger(__name__)

JOB = "check_wallets"
_PAGE = 200


def run(context: Context, now: datetime) -> WalletCheckReport:
    """Walk all wallets and repair what differs. Raises Unavailable."""
    repaired: list[Repair] = []
    parked: list[Parked] = []
    looked_at = 0
    for page in _pages(context):
        looked_at += len(page)
        doubtful = _doubtful(context, page, now)
        with context.transaction() as tx:
            _unpark(tx, [one for one in page if one not in doubtful])
        for customer_id in doubtful:
            found = _look_again(context, customer_id, now, parked)
            if found is not None:
                log.warning("customer %d: %s", customer_id, found.what)
                repaired.append(found)
    return WalletCheckReport(
        at=now, customers=looked_at, repaired=tuple(repaired), parked=tuple(parked)
    )


def preview(context: Context, now: datetime) -> Iterator[Repair]:
    """Who would be looked at again, and why; nothing is written."""
    for page in _pages(context):
        for customer_id, why in _doubtful(context, page, now).items():
            yield Repair(customer_id=customer_id, what=why)


def _pages(context: Context) -> Iterator[list[int]]:
    """Ids of all customers that have a wallet, ascending."""
    after = 0
    while True:
        with context.transaction() as tx:
            page = billing_jobs.wallet_owners(tx, after, _PAGE)
        if not page:
            return
        yield page
        after = page[-1]


def _doubtful(context: Context, page: Sequence[int], now: datetime) -> dict[int, str]:
    """The customers that are not as they should be, or wait for money, and why. One that cannot be
    read is among them, and keeps no other of its page from being read."""
    try:
        return _read(context, page, now)
    except Unavailable:
        raise
    except Exception as error:
        if len(page) == 1:
            return {page[0]: f"cannot be read: {error}"}
    return {number: why for one in page for number, why in _doubtful(context, [one], now).items()}


def _read(context: Context, page: Sequence[int], now: datetime) -> dict[int, str]:
    found: dict[int, str] = {}
    with context.transaction() as tx:
        missed = spending.missed_alerts(tx, page, now)
        rows = {row.subscription_id: row for row in customers.subscriptions_of_all(tx, page)}
        for account in load_accounts(tx, None, rows, now):
            row = rows[account.subscription_id]
            if why := _doubt(account, row, now):
                found.setdefault(account.customer_id, f"{account.username}: {why}")
    for customer_id in missed:
        found.setdefault(customer_id, "nothing was done about what fell below its threshold")
    return found


def _doubt(account: Account, row: tables.Subscription, now: datetime) -> str:
    """In words; empty where all is well."""
    if account.profile.recurring_prepaid and account.plan and account.closed_at is None:
        if row.on_hold_since is not None:
            return "on hold until the wallet covers the period"
        if row.renews_at is None or row.renews_at <= now:
            return "its next period was not looked at"
    if row.renews and account.profile.kind is BillingKind.DAILY and account.closed_at is None:
        due_at = renewal_at(account, now)
        if due_at is not None and due_at <= now:
            return "its package has ended and renews"
        if due_at is not None and row.renews_at != due_at:
            return "its renewal is planned for another time"
    state = deciding(account, now)
    if row.service_checked_at is not None and state.rule != row.service_rule:
        return f"{state.rule} decides, sessions are as {row.service_rule} has them"
    return ""


def _look_again(
    context: Context, customer_id: int, now: datetime, parked: list[Parked]
) -> Repair | None:
    """Do what is to be done for one customer; None: nothing was."""
    try:
        with context.transaction() as tx:
            customers.lock_customers(tx, [customer_id])
            before = _seen(tx, customer_id)
            renewed = renewals.renew(tx, context, customer_id, now)
            orders = enforcement.reconcile(tx, context, customer_id, now)
            _unpark(tx, [customer_id])
            for problem in renewed.problems:
                billing_jobs.park(tx, JOB, customer_id, problem, now)
            tx.flush()
            what = _done(renewed, before, _seen(tx, customer_id), orders)
            renewals.note(tx, context, renewed, now)
    except Unavailable:
        raise
    except Exception as error:
        log.error("the wallets of customer %d cannot be checked", customer_id, exc_info=error)
        problem = str(error) or type(error).__name__
        with context.transaction() as tx:
            billing_jobs.park(tx, JOB, customer_id, problem, now)
        parked.append(Parked(job=JOB, customer_id=customer_id, at=now, problem=problem))
        return None
    parked += [
        Parked(job=JOB, customer_id=customer_id, at=now, problem=problem)
        for problem in renewed.problems
    ]
    return Repair(customer_id=customer_id, what=what) if what else None


def _unpark(tx: Transaction, customer_ids: Sequence[int]) -> None:
    """Nothing is wrong with these, also where a run of renewals has found something before."""
    for job in (JOB, renewal_run.JOB):
        billing_jobs.unpark(tx, job, customer_ids)


@dataclass(frozen=True, slots=True)
class _Seen:
    """`rules`: the state that each subscription's sessions were last brought in line with."""

    rules: dict[str, str]
    told: int
    recharges: int


def _seen(tx: Transaction, customer_id: int) -> _Seen:
    rules = {row.username: row.service_rule for row in store.subscriptions_of(tx, customer_id)}
    return _Seen(rules, *spending.told_and_recharged(tx, customer_id))


def _done(renewed: Renewed, before: _Seen, after: _Seen, orders: int) -> str:
    words = [f"paid {bill.number}" for bill in renewed.bills]
    words += [f"renewed {package.plan_name}" for package in renewed.packages]
    words += [
        f"{username} from {before.rules[username]} to {rule}"
        for username, rule in after.rules.items()
        if before.rules[username] != rule
    ]
    counted = (
        (after.recharges - before.recharges, "recharges begun"),
        (after.told - before.told, "messages to the customer"),
        (orders, "orders to running sessions"),
    )
    words += [f"{number} {what}" for number, what in counted if number]
    return ", ".join(words)
