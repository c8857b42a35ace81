"""Dunning as people see and set it: schedules of profiles, and what was done about a bill (I5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from billing.errors import InvalidFields, NotFound
from billing.model.dunning import BillDunningView, BillToDun, DunningSchedule
from billing.model.money import Money
from billing.model.views import InvoiceView
from billing.rules import dunning as rules
from billing.rules.cycles import local_day
from billing.rules.dunning_problems import problems as problems_of
from billing.services.bills import bill_numbered
from billing.services.context import Context
from billing.services.dunning_run import open_bill
from billing.services.issuing import operator_of
from billing.store import audit, catalog, invoices
from billing.store import dunning as store
from billing.store.guard import Transaction


def schedule_of(context: Context, profile_id: int) -> DunningSchedule:
    """A billing profile's. Raises NotFound."""
    with context.transaction() as tx:
        return _schedule(tx, profile_id)


def set_schedule(
    context: Context, profile_id: int, schedule: DunningSchedule, now: datetime
) -> DunningSchedule:
    """Replace a profile's schedule. Steps that stay as they were go on; others hold from today on,
    so nothing is charged for days that have passed. Raises NotFound, InvalidFields."""
    with context.transaction() as tx:
        before = _schedule(tx, profile_id)
        profile = catalog.get_profile(tx, profile_id)
        operator = operator_of(tx)
        if profile is None:
            raise NotFound(f"no billing profile has the number {profile_id}", field="profile")
        if problems := problems_of(schedule, profile.profile, operator.currency):
            raise InvalidFields(problems)
        wanted = rules.renewed(before, schedule, local_day(now, operator.time_zone))
        store.replace_schedule(tx, profile_id, wanted)
        audit.append(
            tx,
            at=now,
            org_id=profile.org_id,
            actor=context.actor,
            action="profile.dunning",
            subject=f"profile:{profile_id}",
            detail={"before": _noted(before), "after": _noted(wanted)},
        )
        return wanted


def of_bill(
    context: Context, number: str, now: datetime, *, customer_id: int | None = None
) -> BillDunningView:
    """What was done about a bill, and what comes next and when, if nobody pays. Raises NotFound,
    InvalidInput (several organisations have one of that number and `customer_id` is not given)."""
    with context.transaction() as tx:
        found = bill_numbered(tx, number, customer_id)
        bill = invoices.view(found)
        done = store.events_of(tx, bill.customer_id, bill.invoice_id)
        known = store.bills_to_dun(tx, [bill.customer_id])
        ahead = [one for one in known if one.invoice_id == bill.invoice_id]
        view = BillDunningView(bill=bill, done=tuple(done), next_steps=(), held=_settled(bill))
        return _with_next(tx, view, ahead[0], now) if ahead else view


def _with_next(
    tx: Transaction, view: BillDunningView, bill: BillToDun, now: datetime
) -> BillDunningView:
    schedule = _schedule(tx, bill.profile_id)
    zone = operator_of(tx).time_zone
    decided, today = open_bill(bill, zone), local_day(now, zone)
    held = None
    if not schedule.steps:
        held = "its billing profile has no dunning schedule"
    elif bill.open_micros < schedule.tolerance_micros:
        least = Money(schedule.tolerance_micros, bill.currency)
        held = f"less than {least} is open, which its billing profile tolerates"
    elif (promised := rules.held_until(decided, today)) is not None:
        held = f"a promise to pay holds everything until {promised} (rule B19)"
    return replace(
        view, next_steps=tuple(rules.next_steps(schedule, decided, today)), held=held
    )  # fmt: skip


def _settled(bill: InvoiceView) -> str:
    """Why a bill is not dunned at all."""
    if bill.written_off_micros:
        return "it was written off"
    if not bill.open_micros:
        return "nothing of it is open"
    return "bills of late fees alone are not dunned, nor are customers that are closed"


def _schedule(tx: Transaction, profile_id: int) -> DunningSchedule:
    found = store.schedules(tx, [profile_id]).get(profile_id)
    if found is None:
        raise NotFound(f"no billing profile has the number {profile_id}", field="profile")
    return found


def _noted(schedule: DunningSchedule) -> dict[str, object]:
    return {
        "tolerance_micros": schedule.tolerance_micros,
        "reconnection_fee_micros": schedule.reconnection_fee_micros,
        "steps": {
            str(one.days): {
                "reminds": one.reminds,
                "fee_micros": one.fee_micros,
                "fee_ppm": one.fee_ppm,
                "fee_most_micros": one.fee_most_micros,
            }
            for one in schedule.steps
        },
    }
