"""A subscription is put on another plan: now, or when what is paid has ended (rule B17)."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime

from billing.errors import NotFound, Refused
from billing.model.plan_changes import (
    ChangeKind,
    ChangeState,
    PlanChangeReceipt,
    PlanChangeView,
    When,
)
from billing.model.profile import BillingKind, BillingProfile
from billing.rules.plan_changes import realigned
from billing.services.commands import run_once
from billing.services.context import Context
from billing.services.customers import changing, finish
from billing.services.plan_due import carry_out_due
from billing.services.plan_switch import PlanSwitch, bill_ahead_anew, drop_pending, end
from billing.store import customers as customer_store
from billing.store import plan_changes as store
from billing.store import tables
from billing.store.guard import Transaction


def change_plan(
    context: Context,
    subscription_id: int,
    plan_id: int,
    *,
    idempotency_key: str,
    now: datetime,
    when: When | None = None,
) -> PlanChangeReceipt:
    """Put a subscription on another plan (rule B17); a change that waits is replaced.

    What is dearer, or as dear, begins now: unused days are given back and the new plan is charged
    from now on. What is cheaper begins with the next cycle, of daily customers when their packages
    have ended. `when` decides otherwise. Raises NotFound, Conflict (rule M5), Refused: the plan is
    the present one or does not fit the billing profile (B5), the subscription is closed or paused,
    the wallet has too little (P12).
    """
    with changing(context, subscription_id, with_accounts=True) as (tx, row):
        return run_once(
            tx,
            PlanChangeReceipt,
            customer_id=row.customer_id,
            key=idempotency_key,
            content={
                "command": "plan",
                "subscription": subscription_id,
                "plan": plan_id,
                "when": when,
            },
            now=now,
            act=lambda: _switch(context, tx, row, plan_id, when, now),
        )


def quote(
    context: Context,
    subscription_id: int,
    plan_id: int,
    now: datetime,
    *,
    when: When | None = None,
) -> PlanChangeReceipt:
    """What `change_plan` would do and cost at this moment. It is the change itself, undone before
    it is committed, so the two cannot disagree. Raises the same."""
    receipts: list[PlanChangeReceipt] = []
    with suppress(_Undone), changing(context, subscription_id, with_accounts=True) as (tx, row):
        receipts.append(_switch(context, tx, row, plan_id, when, now))
        raise _Undone
    return receipts[0]


def revoke(context: Context, subscription_id: int, now: datetime) -> PlanChangeView:
    """The change that waits comes to nothing; bills of cycles ahead are issued anew. Raises
    NotFound, Refused (none waits)."""
    with changing(context, subscription_id) as (tx, row):
        carry_out_due(context, tx, row.customer_id, now)
        dropped = drop_pending(tx, row, "revoked", now)
        if not dropped:
            raise Refused("no change of plan waits", field="subscription")
        tx.flush()
        bill_ahead_anew(tx, context, row, now)
        view = next(
            one
            for one in store.of_subscription(tx, row.customer_id, subscription_id)
            if one.change_id == dropped[0].change_id
        )
        finish(context, tx, row, "subscription.plan.revoke", now, {"plan": view.to_plan})
        return view


def changes_of(context: Context, subscription_id: int) -> list[PlanChangeView]:
    """The record of a subscription's plan, newest first, with what is to come. Raises NotFound."""
    with context.transaction() as tx:
        row = customer_store.get_subscription(tx, subscription_id)
        if row is None:
            raise NotFound(
                f"no subscription has the number {subscription_id}", field="subscription"
            )
        return store.of_subscription(tx, row.customer_id, subscription_id)


def move_pending(
    tx: Transaction,
    row: tables.Subscription,
    profile: BillingProfile,
    today: date,
    now: datetime,
    *,
    other_plan: bool,
) -> None:
    """What waits for a subscription that is moved to another billing profile (rule B14): with
    `other_plan` it comes to nothing, else it takes effect as it does there."""
    for change in store.pending(tx, row.customer_id, row.subscription_id):
        if other_plan:
            end(change, ChangeState.REVOKED, now, "moved to another profile with another plan")
        elif profile.kind is BillingKind.MONTHLY or change.kind == ChangeKind.CHANGE:
            change.effective_on = realigned(change.effective_on, today, profile)


def _switch(
    context: Context,
    tx: Transaction,
    row: tables.Subscription,
    plan_id: int,
    when: When | None,
    now: datetime,
) -> PlanChangeReceipt:
    carry_out_due(context, tx, row.customer_id, now)
    return PlanSwitch(context, tx, row, plan_id, now).carry_out(when)


class _Undone(Exception):
    """A quote is complete: nothing of it is kept."""
