"""A customer is moved to another billing profile (rules B6, B14, P4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from billing.errors import NotFound, Refused
from billing.model.bills import IssuedBill
from billing.model.commerce import MoneyChannel
from billing.model.credits import CreditNoteView
from billing.model.money import Money
from billing.model.moves import ProfileMove
from billing.model.plan import PlanTerms
from billing.model.profile import BillingKind, BillingProfile
from billing.rules import moves as rules
from billing.rules.cycles import Cycle, day_start, local_day
from billing.rules.plans import sale_problem
from billing.services import alerts, cycle_bills, due_bills, enforcement, initial_top_up, limits
from billing.services.books import post_usage_of
from billing.services.catalog import credit_limit
from billing.services.context import Context
from billing.services.credits import note_credit, take_back
from billing.services.customers import audit_customer, changing_customer, read_customer
from billing.services.issuing import operator_of
from billing.services.plan_changes import move_pending
from billing.services.plan_due import carry_out_due
from billing.services.plan_refunds import Claim, not_served
from billing.services.settling import checked_amount, settle
from billing.store import catalog, dunning, entitlements, invoices, tables
from billing.store import customers as store
from billing.store.guard import Transaction


@dataclass(frozen=True, slots=True)
class _Move:
    """`today` is the operator's local day."""

    old: BillingProfile
    new: BillingProfile
    plan: PlanTerms | None
    today: date
    time_zone: str
    now: datetime


def change_profile(
    context: Context,
    customer_id: int,
    profile_id: int,
    now: datetime,
    *,
    plan_id: int | None = None,
    top_up_micros: int | None = None,
    channel: MoneyChannel = MoneyChannel.CASH,
) -> ProfileMove:
    """Put a customer under another profile, and its subscriptions that have none of their own, on
    `plan_id` where it is given (rules B6, B14).

    Bills past the change are credited; what the old profile has left unbilled is billed, up to
    today where the new one is daily; the new one bills from where the old one's bills end. Who
    becomes prepaid tops up `top_up_micros` by `channel`, at least what was used this month and is
    on no bill (rule P4). Sent twice it acts once: the profile is the customer's already.

    Raises NotFound, InvalidInput, Refused (the profile is the customer's already, a plan does not
    fit it, or the top-up is too little).
    """
    with changing_customer(context, customer_id) as (tx, customer):
        move = _checked(tx, customer, profile_id, plan_id, now)
        rows = [row for row in store.subscriptions_of(tx, customer_id) if row.profile_id is None]
        _check_plans(tx, move, rows)
        # Before receipts are numbered: all take the series in one order.
        invoices.lock_series(tx, customer.org_id)
        carry_out_due(context, tx, customer_id, now)
        credited = _take_top_up(tx, context, move, customer, rows, top_up_micros, channel)
        # What was used until now is the old profile's, on a bill or from the wallet.
        post_usage_of(tx, [customer_id], move.today, now, to_the_end=True)
        issued = _bill_what_is_due(tx, context, move, customer)
        taken_back = [one for row in rows for one in _take_bills_back(tx, move, row)]
        issued += _bill_the_rest(tx, context, move, customer)
        for row in rows:
            _end_packages(tx, move, row)
        customer.profile_id = profile_id
        for row in rows:
            _put_under(tx, move, row)
            other_plan = move.plan is not None
            move_pending(tx, row, move.new, move.today, now, other_plan=other_plan)
        tx.flush()
        dunning.pass_over(tx, customer_id, move.today, now)
        for wallet_id in sorted({row.wallet_id for row in rows}):
            settle(tx, customer, wallet_id, now)
        for wallet_id in credited:
            alerts.note_top_up(tx, customer_id, wallet_id)
        enforcement.reconcile(tx, context, customer_id, now)
        issued += due_bills.issue_due(tx, context, [customer_id], now)
        detail: dict[str, object] = {"from": move.old.name, "to": move.new.name, "plan": plan_id}
        detail["top_up_micros"] = top_up_micros or 0
        audit_customer(context, tx, customer, "customer.profile", now, detail)
        for bill, note in taken_back:
            note_credit(tx, context, bill, note, now)
        cycle_bills.note_issued(tx, context, issued, now)
        return ProfileMove(
            customer=read_customer(tx, customer_id),
            credited=tuple(note for _, note in taken_back),
            issued=tuple(issued),
            topped_up_micros=top_up_micros or 0,
        )


def _checked(
    tx: Transaction,
    customer: tables.Customer,
    profile_id: int,
    plan_id: int | None,
    now: datetime,
) -> _Move:
    old, new = (catalog.get_profile(tx, one) for one in (customer.profile_id, profile_id))
    if new is None or old is None or new.archived_at is not None:
        raise NotFound(f"no billing profile has the number {profile_id}", field="profile")
    if profile_id == customer.profile_id:
        raise Refused(f"the customer's profile is {new.profile.name} already", field="profile")
    limits.check_profile(tx, customer.org_id, new.profile)
    plan = None if plan_id is None else catalog.get_plan(tx, plan_id, now)
    if plan is None and plan_id is not None:
        raise NotFound(f"no plan has the number {plan_id}", field="plan")
    zone = operator_of(tx).time_zone
    return _Move(
        old.profile, new.profile, plan.terms if plan else None, local_day(now, zone), zone, now
    )


def _check_plans(tx: Transaction, move: _Move, rows: list[tables.Subscription]) -> None:
    versions = {row.plan_version_id for row in rows if row.plan_version_id is not None}
    terms = catalog.terms_by_version(tx, versions)
    for row in rows:
        plan = move.plan
        if plan is None and row.plan_version_id is not None:
            plan = terms[row.plan_version_id]
        if plan is not None and (problem := sale_problem(plan, move.new.kind)):
            raise Refused(f"{row.username} is on {plan.plan_name}: {problem}", field="plan")


def _take_top_up(
    tx: Transaction,
    context: Context,
    move: _Move,
    customer: tables.Customer,
    rows: list[tables.Subscription],
    amount_micros: int | None,
    channel: MoneyChannel,
) -> list[int]:
    """The wallets that the initial top-up has credited (rule P4)."""
    own = store.wallets_of(tx, customer.customer_id)[0]
    needed = {own.wallet_id: Money(0, own.currency)}
    if rules.becomes_prepaid(move.old, move.new):
        needed |= initial_top_up.needed_by_wallet(
            tx,
            customer.customer_id,
            rows,
            move.now,
            move.time_zone,
            billed_by_itself=rules.bills_by_itself(move.old),
        )
    amount = None if amount_micros is None else checked_amount(amount_micros, own.currency)
    return initial_top_up.take(tx, customer, needed, amount, channel, context.actor, move.now)


def _bill_what_is_due(
    tx: Transaction, context: Context, move: _Move, customer: tables.Customer
) -> list[IssuedBill]:
    """What the old profile would have billed by now, whether its run has come to it or not."""
    if not rules.bills_by_itself(move.old):
        return []
    return due_bills.issue_due(tx, context, [customer.customer_id], move.now)


def _bill_the_rest(
    tx: Transaction, context: Context, move: _Move, customer: tables.Customer
) -> list[IssuedBill]:
    """Where the new profile bills nothing by itself: the usage that no bill holds, and, under a
    daily one, the days served in arrears."""
    if not rules.bills_by_itself(move.old) or rules.bills_by_itself(move.new):
        return []
    return due_bills.issue_due(
        tx,
        context,
        [customer.customer_id],
        move.now,
        cycle_bills.Span(
            until=move.today + timedelta(days=1),
            final=True,
            usage_only=move.new.kind is BillingKind.MONTHLY,
        ),
    )


def _take_bills_back(
    tx: Transaction, move: _Move, row: tables.Subscription
) -> Iterator[tuple[tables.Invoice, CreditNoteView]]:
    if move.old.kind is not BillingKind.MONTHLY:
        return
    tomorrow = move.today + timedelta(days=1)
    served_on = move.new.kind is BillingKind.MONTHLY
    past = invoices.billed_past(tx, row.customer_id, row.subscription_id, move.today)
    for bill, first_day, next_first_day in past:
        cycle = Cycle(first_day, next_first_day)
        ends = day_start(cycle.next_first_day, move.time_zone)
        package = entitlements.ending_at(tx, row.customer_id, row.subscription_id, ends)
        days = rules.days_given_back(
            cycle,
            move.today,
            move.old,
            move.new,
            packaged=package is not None,
            plan_stays=move.plan is None,
        )
        if not days:
            served_on = served_on or package is not None
            continue
        if package is not None:
            package.ended_at = move.now
        # What was written off of a bill is lost: it stays issued (rule I5).
        void = days == cycle.days and not bill.written_off_micros
        reason = f"moved to {move.new.name}: {days} of {cycle.days} days"
        yield from _take_back(tx, move, bill, reason, next_first_day - timedelta(days=days), void)
    if served_on:
        return
    # Bills whose plan another one took over have the charges of these days still (rule B17).
    for bill in invoices.charged_past(tx, row.customer_id, row.subscription_id, tomorrow):
        yield from _take_back(tx, move, bill, f"moved to {move.new.name}", tomorrow, False)


def _take_back(
    tx: Transaction, move: _Move, bill: tables.Invoice, reason: str, served_until: date, void: bool
) -> Iterator[tuple[tables.Invoice, CreditNoteView]]:
    """A bill's days from `served_until` on; of a cycle that has not begun all that is left."""
    part = served_until != bill.cycle_from
    left = Money(invoices.creditable_micros(bill), bill.currency)
    claim = not_served(tx, bill, served_until) if part else Claim(left)
    if not void:  # who comes back is billed these days again
        bill.plan_until = min(served_until, bill.plan_until or served_until)
        bill.served_until = served_until
    if claim.amount.amount_micros > 0:
        note = take_back(
            tx,
            bill,
            claim.amount,
            reason,
            move.now,
            void=void,
            of_days=part,
            by_rate=claim.by_rate,
        )
        yield bill, note


def _end_packages(tx: Transaction, move: _Move, row: tables.Subscription) -> None:
    """Under a daily profile a package in arrears ends with the last day that is billed, today."""
    if move.new.kind is not BillingKind.DAILY or row.packages_until is None:
        return
    ends = day_start(row.packages_until, move.time_zone)
    package = entitlements.ending_at(tx, row.customer_id, row.subscription_id, ends)
    tomorrow = day_start(move.today + timedelta(days=1), move.time_zone)
    if package is not None and package.valid_from is not None and ends > tomorrow:
        package.valid_until = max(tomorrow, package.valid_from)
        if package.valid_from >= tomorrow:
            package.ended_at = move.now
    row.packages_until = None


def _put_under(tx: Transaction, move: _Move, row: tables.Subscription) -> None:
    row.requires_entitlement = move.new.kind is BillingKind.DAILY
    row.billed_from = rules.billed_from(move.old, move.today, row.billed_from)
    if row.on_hold_since is not None:  # no charges accrued until today (rule P10)
        row.billed_from, row.on_hold_since = move.today, None
    row.renews_at = None
    if move.plan is not None:
        row.plan_version_id = move.plan.plan_version_id
    store.set_credit_limit(tx, row.customer_id, row.wallet_id, credit_limit(move.new))
