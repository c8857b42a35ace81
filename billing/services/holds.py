"""What staff or customers hold a subscription back by: suspension, pause, closing (rules S1–S3)."""

from __future__ import annotations

from datetime import datetime

from billing.errors import InvalidInput, Refused
from billing.model.account import HoldBehaviour
from billing.model.profile import BillingKind
from billing.services import limits, pauses, renewals
from billing.services.context import Context
from billing.services.credits import note_credit
from billing.services.customers import changing, finish
from billing.services.identity import checked_name
from billing.store import customers as store


def suspend(
    context: Context,
    subscription_id: int,
    *,
    note: str,
    now: datetime,
    until: datetime | None = None,
    behaviour: HoldBehaviour = HoldBehaviour.REJECT,
) -> None:
    """Suspended by staff until `until`, or until staff lifts it (rule S2).

    Raises InvalidInput, NotFound, Refused when the suspended pool is asked for and the billing
    profile has none.
    """
    reason = checked_name(note, "note")
    if until is not None and until <= now:
        raise InvalidInput("lies in the past", field="until")
    with changing(context, subscription_id) as (tx, row):
        profile = store.effective_profile(tx, row)
        if behaviour is HoldBehaviour.SUSPENDED_POOL and profile.suspended_pool is None:
            raise Refused(
                f"the billing profile {profile.name!r} has no suspended pool; set one or reject",
                field="behaviour",
            )
        row.hold_note, row.hold_until, row.hold_behaviour = reason, until, behaviour.value
        detail: dict[str, object] = {"note": reason, "until": until, "behaviour": behaviour.value}
        finish(context, tx, row, "subscription.suspend", now, detail)


def pause(context: Context, subscription_id: int, now: datetime) -> None:
    """Paused by the customer or staff (rule S3); what that is good for is told when it ends."""
    with changing(context, subscription_id) as (tx, row):
        pauses.begin(row, now)
        finish(context, tx, row, "subscription.pause", now, {})


def resume(context: Context, subscription_id: int, now: datetime) -> None:
    """End a staff suspension and a pause; whatever else holds the service stays held (P9). What a
    pause gives back is the plan's to say (rule S3)."""
    with changing(context, subscription_id) as (tx, row):
        held = row.hold_behaviour is not None and (row.hold_until is None or row.hold_until > now)
        if not held and row.paused_at is None:
            raise Refused("the subscription is neither suspended by staff nor paused")
        row.hold_note = row.hold_until = row.hold_behaviour = None
        credited = pauses.end(tx, row, now)
        finish(context, tx, row, "subscription.resume", now, {})
        for bill, note in credited:
            note_credit(tx, context, bill, note, now)


def set_renewal(context: Context, subscription_id: int, now: datetime, *, on: bool) -> None:
    """Whether the last package's plan is bought again from the wallet at its end (rule P10). Where
    nothing runs and the wallet covers it, that is at once.

    Raises NotFound, Refused (a monthly customer's periods are billed by its profile).
    """
    with changing(context, subscription_id) as (tx, row):
        if on and store.effective_profile(tx, row).kind is BillingKind.MONTHLY:
            raise Refused(
                "monthly service is renewed by its bills: a prepaid profile with automatic bills "
                "does so from the wallet (rule P10)",
                field="subscription",
            )
        if on:
            limits.check_renewal(tx, row.org_id, "subscription")
        row.renews, row.renews_at = on, None
        renewals.credited(tx, context, row.customer_id, now)
        detail: dict[str, object] = {"on": on}
        finish(context, tx, row, "subscription.renew", now, detail)


def close(context: Context, subscription_id: int, now: datetime) -> None:
    """Closed for good (rule S1); the user name stays taken, records stay."""
    with changing(context, subscription_id) as (tx, row):
        if row.closed_at is not None:
            raise Refused("the subscription is closed already")
        row.closed_at = now
        finish(context, tx, row, "subscription.close", now, {})


def reopen(context: Context, subscription_id: int, now: datetime) -> None:
    """Undo a closing (rule S1)."""
    with changing(context, subscription_id) as (tx, row):
        if row.closed_at is None:
            raise Refused("the subscription is not closed")
        row.closed_at = None
        finish(context, tx, row, "subscription.reopen", now, {})
