"""Which due bills are issued: postpaid all, recurring prepaid as far as its wallet covers them.

Prepaid is paid at once; whose period has begun uncovered is put on hold, and its next bill begins
on the day that is covered again (rules B7, P10).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from billing.model.bills import BillPayment, IssuedBill
from billing.rules.cycles import cycle_of, day_start, local_day
from billing.rules.prepaid import covered
from billing.services import cycle_packages, enforcement
from billing.services.books import post_usage_of
from billing.services.context import Context
from billing.services.cycle_bills import (
    DUE,
    DueBill,
    Span,
    Standing,
    issue,
    locked,
    settle_due,
    standings,
)
from billing.services.issuing import operator_of
from billing.services.settling import settle
from billing.store import customers, invoices, ledger, messages
from billing.store.guard import Transaction


def issue_due(
    tx: Transaction,
    context: Context,
    customer_ids: Sequence[int],
    now: datetime,
    span: Span = DUE,
    *,
    prepaid_only: bool = False,
) -> list[IssuedBill]:
    """Issue what is due and settle it from free credit; the customers are locked (rules B7, I1).

    Recurring prepaid is looked at whether a bill is due or not, with `prepaid_only` nothing but its
    periods (rule P10).
    """
    tx.flush()
    zone = operator_of(tx).time_zone
    # What was used before today stands on a bill of today, whether the job came to it or not.
    post_usage_of(tx, customer_ids, local_day(now, zone), now)
    found = list(standings(tx, customer_ids, now, zone, span))
    prepaid = [one for one in found if one.profile.recurring_prepaid]
    postpaid = [one for one in found if not one.profile.recurring_prepaid]
    issued: list[IssuedBill] = []
    if not prepaid_only:
        due = [bill for one in postpaid for bill in one.bills]
        due += [bill for one in prepaid for bill in one.bills if not bill.of_cycle]
        issued += issue(tx, due, now, zone)
        settle_due(tx, context, due, now)
        _look_ahead(tx, postpaid, now, zone, {})  # who was prepaid, and on hold, is so no more
    if span.until is None:
        served = [(one.billable, one.profile, one.terms) for one in postpaid]
        cycle_packages.bring(tx, [] if prepaid_only else served, now, zone)
        issued += _pay_covered(tx, context, prepaid, now, zone)
    # Last, as what free credit has paid is not open any more.
    messages.queue_bills(tx, [(bill.customer_id, bill.invoice_id) for bill in issued], now)
    return issued


def issue_on_promise(
    tx: Transaction, context: Context, customer_id: int, until: date, now: datetime
) -> list[IssuedBill]:
    """Bill what prepaid service is on hold for as owed by the local day `until`, instead of paid.

    So a promise lifts S6, and S5 takes its place when it is not kept (rule B19). The customer is
    locked, and reconciled by the caller.
    """
    tx.flush()
    zone = operator_of(tx).time_zone
    found = standings(tx, [customer_id], now, zone)
    held = [one for one in found if one.profile.recurring_prepaid and one.billable.on_hold_since]
    due = [bills[0] for bills in map(_periods, held) if bills]
    issued = issue(tx, due, now, zone, until)
    billed = {one.billable.subscription_id: one.next_first_day for one in due}
    _look_ahead(tx, held, now, zone, billed)
    settle_due(tx, context, due, now)
    messages.queue_bills(tx, [(bill.customer_id, bill.invoice_id) for bill in issued], now)
    return issued


def _pay_covered(
    tx: Transaction,
    context: Context,
    found: Sequence[Standing],
    now: datetime,
    zone: str,
    *,
    again: bool = True,
) -> list[IssuedBill]:
    """The bills of recurring prepaid that its wallets pay, paid (rules P10, P12).

    Who is put on hold for days that are past may have enough for those that are left: with `again`
    that is tried.
    """
    taken: list[DueBill] = []
    wallets = by_wallet(found, prepaid=True)
    owing = invoices.owing(tx, {customer_id for customer_id, _ in wallets})
    for customer_id, wallet_id in wallets:
        if customer_id in owing:  # older bills go first (rule I4)
            settle(tx, locked(tx, customer_id), wallet_id, now)
    spendable_by_wallet = ledger.spendable(tx, {customer_id for customer_id, _ in wallets})
    for wallet, bills in wallets.items():
        spendable = spendable_by_wallet.get(wallet, 0)
        totals = [(one.billable.subscription_id, one.to_pay_micros) for one in bills]
        paid = covered(totals, spendable)
        taken += [one for one, pays in zip(bills, paid, strict=True) if pays]
    issued = issue(tx, taken, now, zone)
    payments = [_payment(*both) for both in zip(taken, issued, strict=True)]
    invoices.pay_whole(tx, [one for one in payments if one.amount_micros], now)
    billed = {one.billable.subscription_id: one.next_first_day for one in taken}
    changed = _look_ahead(tx, found, now, zone, billed)
    today = local_day(now, zone)
    late = {one.billable.customer_id for one in found if one.first_day < today} & changed
    if again and late:
        held = [one for one in standings(tx, sorted(late), now, zone) if one.billable.on_hold_since]
        issued += _pay_covered(tx, context, held, now, zone, again=False)
    for customer_id in sorted(changed):
        enforcement.reconcile(tx, context, customer_id, now)
    return issued


def by_wallet(found: Sequence[Standing], *, prepaid: bool) -> dict[tuple[int, int], list[DueBill]]:
    """The due bills that each wallet (customer and own number) is to pay, in the order of their
    periods; those of recurring prepaid, or the others."""
    chosen = [one for one in found if one.profile.recurring_prepaid is prepaid]
    bills = [bill for one in chosen for bill in (_periods(one) if prepaid else one.bills)]
    wallets: dict[tuple[int, int], list[DueBill]] = {}
    for one in sorted(bills, key=lambda bill: (bill.first_day, bill.billable.subscription_id)):
        wallets.setdefault((one.billable.customer_id, one.billable.wallet_id), []).append(one)
    return wallets


def _periods(one: Standing) -> list[DueBill]:
    """Its bills of cycles: those of usage alone hold nobody back."""
    return [bill for bill in one.bills if bill.of_cycle]


def _payment(due: DueBill, bill: IssuedBill) -> BillPayment:
    """By its wallet, of all that is to be paid of a bill; tax that waited for it is due (I6)."""
    return BillPayment(
        customer_id=bill.customer_id,
        org_id=bill.org_id,
        wallet_id=due.billable.wallet_id,
        invoice_id=bill.invoice_id,
        number=bill.number,
        amount_micros=due.to_pay_micros,
        tax_micros=due.amount.tax.amount_micros - due.tax_due_micros,
        currency=due.terms.currency,
    )


def _look_ahead(
    tx: Transaction,
    found: Sequence[Standing],
    now: datetime,
    zone: str,
    billed: dict[int, date],
) -> set[int]:
    """Put on hold who is in a period that was not covered, and lift it from who is not; write when
    the next period is to be paid. `billed`: up to which day each was just billed. Returns the
    customers whose service that changes."""
    changed: set[int] = set()
    today = local_day(now, zone)
    for one in found:
        row = one.billable
        renewal = _renewal(one, billed.get(row.subscription_id), now, zone)
        if renewal == (row.on_hold_since, row.renews_at):
            continue
        on_hold_since, renews_at = renewal
        lifted = row.on_hold_since is not None and on_hold_since is None
        customers.set_renewal(
            tx,
            (row.customer_id, row.subscription_id),
            on_hold_since=on_hold_since,
            renews_at=renews_at,
            billed_from=today if lifted else None,
        )
        if on_hold_since != row.on_hold_since:
            changed.add(row.customer_id)
    return changed


def _renewal(
    one: Standing, billed_until: date | None, now: datetime, zone: str
) -> tuple[datetime | None, datetime | None]:
    """Since when it is on hold, and when its next period is to be paid."""
    if not one.profile.recurring_prepaid:
        return None, None
    left = [due for due in _periods(one) if due.first_day >= (billed_until or one.first_day)]
    if left and day_start(left[0].first_day, zone) <= now:
        return one.billable.on_hold_since or now, None
    begins = day_start(billed_until or one.first_day, zone)
    if begins <= now:  # nothing to pay for what is left of this one
        today = local_day(now, zone)
        begins = day_start(cycle_of(today, one.profile).next_first_day, zone)
    return None, begins
