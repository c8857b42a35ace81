"""Recurring prepaid is paid from its wallet: monthly periods, and daily packages that renew (P10).

`renew` does what is due and covered, and may be called any number of times. It is called by the
job, by the daily check, and by whatever brings a wallet money, in that transaction (`credited`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from billing.errors import NotFound, Refused
from billing.model.account import Account, Upcoming
from billing.model.bills import IssuedBill
from billing.model.money import Money
from billing.model.plan import PlanTerms
from billing.model.plan_changes import ChangeKind
from billing.model.profile import BillingKind
from billing.model.renewals import Renewed
from billing.model.views import SaleReceipt
from billing.rules import states
from billing.rules.cycles import day_start
from billing.rules.plans import sale_problem
from billing.rules.prepaid import packages_end, renewal_at, short_micros
from billing.rules.taxes import Charge, charge, rate_of, taxed_as
from billing.services import (
    caps,
    cycle_bills,
    due_bills,
    enforcement,
    limits,
    receipts,
    self_service,
)
from billing.services.commands import run_once
from billing.services.context import Context
from billing.services.cycle_bills import Span, standings
from billing.services.deferrals import account_of_sale
from billing.services.issuing import operator_of
from billing.services.packages import Window, daily_window, place, receipt_of
from billing.services.settling import spend
from billing.store import audit, catalog, customers, entitlements, ledger, plan_changes, tables
from billing.store.accounts import load_accounts
from billing.store.guard import Transaction

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Next:
    """The package that a subscription's wallet is asked for next; `last_id` is the one it follows,
    0 where none was ever bought."""

    last_id: int
    plan_id: int
    terms: PlanTerms
    amount: Charge
    problem: str | None


def credited(tx: Transaction, context: Context, customer_id: int, now: datetime) -> None:
    """A wallet of the customer has got money: buy what it covers now, and bring service back (rules
    P9, P10). In the place of `enforcement.reconcile`; the customer is locked, bills are settled.

    What cannot be bought for another reason than money does not keep the money out: the jobs park
    it.
    """
    tx.flush()
    try:
        with tx.begin_nested():
            renewed = renew(tx, context, customer_id, now)
    except (NotFound, Refused) as error:
        renewed = Renewed(problems=(error.message,))
    for problem in renewed.problems:
        log.warning("customer %d is not renewed: %s", customer_id, problem)
    enforcement.reconcile(tx, context, customer_id, now)
    note(tx, context, renewed, now)


def renew(
    tx: Transaction,
    context: Context,
    customer_id: int,
    now: datetime,
    *,
    with_accounts: bool = False,
) -> Renewed:
    """Pay from the customer's wallets what is due of its recurring prepaid services, as far as they
    cover it (rules P10, P12); the customer is locked, and reconciled afterwards by the caller.
    What a reseller's customer buys moves the accounts above, which are locked before it (F15):
    where they are not (`with_accounts`), the job is left to do it, within a minute.

    Raises Refused, NotFound (a monthly plan in another currency than its wallet, no wallet).
    """
    tx.flush()
    rows = customers.subscriptions_of(tx, customer_id)
    profiles = {row.subscription_id: customers.effective_profile(tx, row) for row in rows}
    bills: list[IssuedBill] = []
    wanting = [row for row in rows if row.renews or profiles[row.subscription_id].recurring_prepaid]
    of_reseller = limits.months_problem(tx, rows[0].org_id) if wanting else None
    if of_reseller is not None:
        by_itself = limits.renewal_problem(tx, rows[0].org_id)
        own = [
            row
            for row in wanting
            if profiles[row.subscription_id].recurring_prepaid or (row.renews and by_itself)
        ]
        if own:
            return Renewed(problems=tuple(f"{row.username}: {of_reseller}" for row in own))
    elif any(profile.recurring_prepaid for profile in profiles.values()):
        bills = due_bills.issue_due(tx, context, [customer_id], now, prepaid_only=True)
    packages: list[SaleReceipt] = []
    problems: list[str] = []
    for row in rows:
        if row.renews and profiles[row.subscription_id].kind is BillingKind.DAILY:
            may_buy = with_accounts or of_reseller is None
            done = _renew_package(tx, context, row, now, may_buy=may_buy)
            if isinstance(done, str):
                problems.append(f"{row.username}: {done}")
            elif done is not None:
                packages.append(done)
    return Renewed(bills=tuple(bills), packages=tuple(packages), problems=tuple(problems))


def note(tx: Transaction, context: Context, renewed: Renewed, now: datetime) -> None:
    """The lines of the audit log; last in a transaction."""
    cycle_bills.note_issued(tx, context, renewed.bills, now)
    for receipt in renewed.packages:
        row = customers.get_subscription(tx, receipt.subscription_id)
        if row is not None:
            audit.append(
                tx,
                at=now,
                org_id=row.org_id,
                actor=context.actor,
                action="package.renew",
                subject=f"subscription:{receipt.subscription_id}",
                detail={
                    "plan": receipt.plan_name,
                    "entitlement": receipt.entitlement_id,
                    "total_micros": receipt.total_micros,
                },
            )


def foreseen(tx: Transaction, accounts: Sequence[Account], now: datetime) -> dict[int, Upcoming]:
    """What each of these subscriptions buys next from its wallet, by its number; those that buy
    nothing by themselves are left out (rules P10, B16)."""
    found: dict[int, Upcoming] = {}
    wanted = {one.subscription_id: one for one in accounts}
    for customer_id in sorted({o.customer_id for o in accounts if o.profile.recurring_prepaid}):
        try:
            periods = _periods(tx, customer_id, now)
        except (NotFound, Refused) as error:
            trouble = Upcoming(text="the next period", begins_at=None, total_micros=0,
                               problem=error.message)  # fmt: skip
            own = [one for one in accounts if one.customer_id == customer_id]
            periods = {o.subscription_id: trouble for o in own if o.profile.recurring_prepaid}
        found |= {number: one for number, one in periods.items() if number in wanted}
    for number, account in wanted.items():
        row = customers.get_subscription(tx, number)
        if row is None or not row.renews or account.profile.kind is not BillingKind.DAILY:
            continue
        following = _next(tx, row, now)
        if following is not None:
            end = packages_end(account, now)
            found[number] = Upcoming(
                text=f"{following.terms.plan_name} again",
                begins_at=None if end == now else end,
                total_micros=following.amount.total.amount_micros,
                problem=following.problem,
            )
    return found


def _periods(tx: Transaction, customer_id: int, now: datetime) -> dict[int, Upcoming]:
    """The first period without a bill of each monthly prepaid subscription."""
    zone = operator_of(tx).time_zone
    found: dict[int, Upcoming] = {}
    for standing in standings(tx, [customer_id], now, zone, Span(ahead=True)):
        if standing.profile.recurring_prepaid and standing.bills:
            bill, known = standing.bills[0], standing.billable
            found[known.subscription_id] = Upcoming(
                text=f"{bill.first_day} to {bill.next_first_day}",
                begins_at=None if known.on_hold_since else day_start(bill.first_day, zone),
                total_micros=bill.amount.total.amount_micros,
            )
    return found


def _renew_package(
    tx: Transaction, context: Context, row: tables.Subscription, now: datetime, *, may_buy: bool
) -> SaleReceipt | str | None:
    """Buy the last package's plan again where its end has come; who lacks the money waits for a
    credit, whom the spending cap holds for the next month. Text: why it cannot be bought at all."""
    (account,) = load_accounts(tx, None, [row.subscription_id], now)
    due_at = renewal_at(account, now)
    if due_at is None or now < due_at:
        row.renews_at = due_at
        return None
    row.renews_at = None if may_buy else now
    if not may_buy or _stands_still(account, now) or _plan_waits(tx, row):
        return None
    following = _next(tx, row, now)
    if following is None:
        return None
    if following.problem is not None:
        return following.problem
    wallet = ledger.wallet(tx, row.customer_id, row.wallet_id)
    total_micros = following.amount.total.amount_micros
    if short_micros(total_micros, wallet.spendable_micros):
        return None
    cap = caps.left(tx, row.customer_id, row.wallet_id, now)
    if cap is not None and total_micros > cap.left_micros:
        row.renews_at = cap.until  # or when it is raised or lifted (rule P14)
        return None
    receipt = run_once(
        tx,
        SaleReceipt,
        customer_id=row.customer_id,
        key=f"renewal:{row.subscription_id}:{following.last_id}",
        content={
            "command": "renew",
            "subscription": row.subscription_id,
            "after": following.last_id,
        },
        now=now,
        act=lambda: _buy(tx, context, row, following, now),
    )
    (account,) = load_accounts(tx, None, [row.subscription_id], now)
    row.renews_at = renewal_at(account, now)
    return receipt


def _stands_still(account: Account, now: datetime) -> bool:
    """Whether another cause holds the service back, so that a package would lapse unused."""
    held = states.closed(account, now) or states.held(account, now) or states.paused(account, now)
    return held or states.discontinued(account, now)


def _plan_waits(tx: Transaction, row: tables.Subscription) -> bool:
    """Whether another plan begins when its packages end, which buys its own (rule B17)."""
    waiting = plan_changes.pending(tx, row.customer_id, row.subscription_id)
    return any(one.kind == ChangeKind.CHANGE and one.effective_on is None for one in waiting)


def _next(tx: Transaction, row: tables.Subscription, now: datetime) -> _Next | None:
    """The plan of the last package, as it is sold now; where none was ever bought, or the plan was
    changed since, the one that the subscription is on. None where there is neither."""
    last = entitlements.last_bought(tx, row.customer_id, row.subscription_id)
    version_id = row.plan_version_id
    if last is not None and not plan_changes.changed_since(tx, row, last.purchased_at):
        version_id = last.plan_version_id
    known = None if version_id is None else catalog.plan_of_version(tx, version_id, now)
    if known is None:
        return None
    own = self_service.price_list(tx, row.org_id)
    terms = own.priced(known.plan_id, known.terms)
    profile = customers.effective_profile(tx, row)
    wallet = ledger.wallet(tx, row.customer_id, row.wallet_id)
    problem = sale_problem(terms, profile.kind)
    if known.archived_at is not None or not own.sells(known.plan_id):
        problem = f"{terms.plan_name} is not sold any more, so it cannot be renewed"
    elif terms.currency != wallet.currency:
        problem = f"{terms.plan_name} costs {terms.currency} and the wallet is in {wallet.currency}"
    price = Money(terms.price_micros, terms.currency)
    rate_ppm = rate_of(terms.tax_rate_ppm, profile)
    amount = charge(price, rate_ppm, inclusive=profile.tax_inclusive)
    last_id = 0 if last is None else last.entitlement_id
    return _Next(last_id, known.plan_id, terms, amount, problem)


def _buy(
    tx: Transaction, context: Context, row: tables.Subscription, following: _Next, now: datetime
) -> SaleReceipt:
    """The package follows what still runs (rule B4), else begins now."""
    amount, terms = following.amount, following.terms
    customer = customers.lock_customer(tx, row.customer_id)
    if customer is None:  # it was locked a moment ago
        raise NotFound(f"no customer has the number {row.customer_id}", field="customer")
    entry_id = None
    if amount.total.amount_micros:
        memo = f"{terms.plan_name}, renewed"
        account = account_of_sale(terms)
        wallet_id = row.wallet_id
        entry_id = spend(tx, customer, wallet_id, amount, memo=memo, now=now, account=account)
    already = entitlements.open_rows(tx, row.customer_id, row.subscription_id, now)
    window = daily_window(terms, already, start_now=False, now=now)
    if already:
        window = Window(follows=True, valid_from=None, valid_until=None)
    package = place(tx, row, terms, window, already, (amount, entry_id), now)
    receipt = receipt_of(tx, row, terms, package, (amount, entry_id))
    profile = taxed_as(customers.effective_profile(tx, row), terms)
    number = receipts.of_sale(tx, customer, receipt, profile, channel=None, now=now)
    self_service.earn(tx, context, following.plan_id, receipt, now)
    return replace(receipt, receipt_number=number)
