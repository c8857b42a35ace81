"""The run of renewals: periods and packages that wallets are to pay by now (rule P10).

Who is due is found by an index, so that it may run every minute. Like the bill run it works by
pages, a transaction each; one that fails is parked and tried again an hour later. What is bought
is not due any more, so a run that was killed is taken up where it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

from billing.model.bills import Parked
from billing.model.renewals import RenewalPreview, RenewalReport, Renewed
from billing.rules.prepaid import LEAD, short_micros
from billing.services import enforcement, renewals
from billing.services.context import Context
from billing.services.issuing import operator_of
from billing.services.parking import pages, serve_page
from billing.store import billing_jobs, customers, invoices, ledger, resellers
from billing.store.accounts import load_accounts
from billing.store.guard import Transaction

JOB = "renewals"
_AGAIN_AFTER = timedelta(hours=1)


def run(context: Context, now: datetime) -> RenewalReport:
    """Pay what is due. Raises NotFound (no operator yet), Unavailable."""
    with context.transaction() as tx:
        currency = operator_of(tx).currency
        due = billing_jobs.renewals_due(tx, now)
        # With the accounts above them, that sales wait for: one at a time.
        alone = resellers.customers_among(tx, due)
    parked: list[Parked] = []
    bills = packages = total_micros = 0
    serve = partial(_renew, context, now, parked)
    together = [customer_id for customer_id in due if customer_id not in alone]
    for page in (*pages(together), *([customer_id] for customer_id in sorted(alone))):
        for one in serve_page(context, JOB, page, now, serve, parked):
            bills += len(one.bills)
            packages += len(one.packages)
            total_micros += sum(bill.total_micros for bill in one.bills)
            total_micros += sum(package.total_micros for package in one.packages)
    if parked:
        ids = sorted({one.customer_id for one in parked})
        with context.transaction() as tx:
            customers.lock_customers(tx, ids)
            billing_jobs.put_off_renewals(tx, ids, now, now + _AGAIN_AFTER)
    return RenewalReport(
        at=now,
        customers=len(due),
        bills=bills,
        packages=packages,
        total_micros=total_micros,
        currency=currency,
        parked=tuple(parked),
    )


def preview(context: Context, now: datetime) -> Iterator[RenewalPreview]:
    """What a run at `now` would pay, and who lacks what; nothing is written."""
    with context.transaction() as tx:
        due = billing_jobs.renewals_due(tx, now)
    for customer_id in due:
        with context.transaction() as tx:
            found = _foreseen(tx, customer_id, now)
        yield from found


def parked(context: Context, job: str | None = JOB) -> list[Parked]:
    """Customers that the last runs (of any job: None) could not serve, oldest first."""
    with context.transaction() as tx:
        return billing_jobs.parked(tx, job)


def _renew(
    context: Context, now: datetime, parked: list[Parked], page: Sequence[int]
) -> list[Renewed]:
    """One transaction; who has problems of its own is parked with them."""
    done: dict[int, Renewed] = {}
    with context.transaction() as tx:
        if len(page) == 1:
            resellers.lock_chain_of(tx, page[0])
        customers.lock_customers(tx, page)
        # One buys packages, with receipts, before the next gets a bill: all take the series in one
        # order, or they would wait for each other.
        for org_id in customers.organisations_of(tx, page):
            invoices.lock_series(tx, org_id)
        for customer_id in page:
            done[customer_id] = renewals.renew(
                tx, context, customer_id, now, with_accounts=len(page) == 1
            )
            enforcement.reconcile(tx, context, customer_id, now)
        # Who was not covered waits for a credit, who is closed for nothing.
        billing_jobs.put_off_renewals(tx, page, now, None)
        billing_jobs.unpark(tx, JOB, page)
        for customer_id, one in done.items():
            for problem in one.problems:
                billing_jobs.park(tx, JOB, customer_id, problem, now)
        for one in done.values():
            renewals.note(tx, context, one, now)
    parked += [
        Parked(job=JOB, customer_id=customer_id, at=now, problem=problem)
        for customer_id, one in done.items()
        for problem in one.problems
    ]
    return list(done.values())


def _foreseen(tx: Transaction, customer_id: int, now: datetime) -> list[RenewalPreview]:
    """What is paid first leaves less for what comes after it."""
    rows = customers.subscriptions_of(tx, customer_id)
    accounts = load_accounts(tx, None, [row.subscription_id for row in rows], now)
    upcoming = renewals.foreseen(tx, accounts, now)
    left: dict[int, int] = {}
    found: list[RenewalPreview] = []
    for row in rows:
        one = upcoming.get(row.subscription_id)
        if one is None or (one.begins_at is not None and one.begins_at > now + LEAD):
            continue
        wallet = ledger.wallet(tx, customer_id, row.wallet_id)
        spendable = left.setdefault(row.wallet_id, wallet.spendable_micros)
        short = short_micros(one.total_micros, spendable)
        if not short:
            left[row.wallet_id] -= one.total_micros
        found.append(
            RenewalPreview(
                customer_id=customer_id,
                username=row.username,
                text=one.text if one.problem is None else f"{one.text}: {one.problem}",
                total_micros=one.total_micros,
                currency=wallet.currency,
                short_micros=short,
            )
        )
    return found
