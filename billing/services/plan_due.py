"""Changes of plan whose moment has come (rules B17, B18)."""

from __future__ import annotations

from datetime import date, datetime

from billing.errors import Refused
from billing.model.plan_changes import ChangeKind, ChangeState
from billing.model.profile import BillingKind
from billing.rules.cycles import local_day
from billing.rules.plans import sale_problem
from billing.services import enforcement
from billing.services.context import Context
from billing.services.issuing import operator_of
from billing.services.plan_switch import end, gives
from billing.services.sales import sell_within
from billing.store import catalog, customers, entitlements, tables
from billing.store import plan_changes as store
from billing.store.guard import Transaction


def carry_out_due(
    context: Context, tx: Transaction, customer_id: int, now: datetime
) -> dict[str, object]:
    """Carry out what is due of a customer, who is locked, and bring its sessions in line: by the
    job, and before anything else changes its plans. Gives what became of each, by its number."""
    today = local_day(now, operator_of(tx).time_zone)
    due = [one for one in store.pending(tx, customer_id) if _is_due(tx, one, today, now)]
    ended: dict[str, object] = {}
    for change in due:
        problem = _carry_out(context, tx, change, now)
        ended[str(change.change_id)] = problem or change.state
    if ended:
        tx.flush()
        enforcement.reconcile(tx, context, customer_id, now)
    return ended


def _is_due(tx: Transaction, change: tables.PlanChange, today: date, now: datetime) -> bool:
    row = customers.get_subscription(tx, change.subscription_id)
    if row is None or row.paused_at is not None or row.closed_at is not None:
        return False
    if change.effective_on is not None:
        return change.effective_on <= today
    return not entitlements.open_rows(tx, row.customer_id, row.subscription_id, now)


def _carry_out(
    context: Context, tx: Transaction, change: tables.PlanChange, now: datetime
) -> str | None:
    """Returns why it came to nothing, or bought nothing."""
    row = customers.get_subscription(tx, change.subscription_id)
    new = catalog.get_terms(tx, change.to_version_id)
    if row is None or new is None:
        return end(change, ChangeState.REVOKED, now, "the subscription is gone")
    old = None if row.plan_version_id is None else catalog.get_terms(tx, row.plan_version_id)
    profile = customers.effective_profile(tx, row)
    if change.kind == ChangeKind.PRICE and (old is None or old.plan_name != new.plan_name):
        return end(change, ChangeState.REVOKED, now, "it is on another plan")
    if problem := sale_problem(new, profile.kind):
        return end(change, ChangeState.REVOKED, now, problem)
    change.from_version_id = row.plan_version_id
    row.plan_version_id = new.plan_version_id
    problem = None
    if change.kind == ChangeKind.CHANGE and profile.kind is BillingKind.DAILY and gives(new):
        tx.flush()
        try:
            sell_within(context, tx, row, new, now)
        except Refused as error:  # the plan has changed; its package is theirs to pay for
            problem = error.message
    return end(change, ChangeState.DONE, now, problem)
