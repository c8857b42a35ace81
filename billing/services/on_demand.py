"""Bills of a customer when somebody asks for them, not by the clock (rules I5, B7)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from billing.errors import InvalidInput, Refused
from billing.model.bills import IssuedBill
from billing.model.profile import BillIn
from billing.rules.cycles import cycle_of, local_day
from billing.services.context import Context
from billing.services.customers import changing_customer
from billing.services.cycle_bills import Span, note_issued
from billing.services.due_bills import issue_due
from billing.services.issuing import operator_of
from billing.store import billing_jobs, catalog
from billing.store.guard import Transaction

AHEAD_LIMIT = timedelta(days=400)
_ONE_DAY = timedelta(days=1)


def bill_customer(
    context: Context, customer_id: int, now: datetime, until: date | None = None
) -> Sequence[IssuedBill]:
    """Issue what the next bill run would issue by now, or all that is not billed yet up to before
    the local day `until`: whole cycles ahead where bills are in advance, served days, up to today,
    in arrears. Later runs go on from there, so nothing is billed twice; a customer that a run has
    parked stays listed until the next one.

    Raises NotFound, InvalidInput (`until`), Refused (nothing of the customer is billed by itself).
    """
    with changing_customer(context, customer_id) as (tx, _):
        _check(tx, customer_id, now, until)
        issued = issue_due(tx, context, [customer_id], now, Span(until=until))
        note_issued(tx, context, issued, now)
        return issued


def _check(tx: Transaction, customer_id: int, now: datetime, until: date | None) -> None:
    found = billing_jobs.billable(tx, [customer_id])
    if not found:
        raise Refused(
            "its profile issues no bills automatically; give the days and the amount (rule B7)",
            field="customer",
        )
    if until is None:
        return
    tomorrow = local_day(now, operator_of(tx).time_zone) + _ONE_DAY
    if until > tomorrow + AHEAD_LIMIT:
        raise InvalidInput(f"at most {AHEAD_LIMIT.days} days ahead", field="until")
    for profile in catalog.profiles_by_id(tx, {one.profile_id for one in found}).values():
        if profile.bill_in is BillIn.ARREARS:
            if until > tomorrow:
                raise InvalidInput(
                    f"at most {tomorrow}: in arrears, days are billed when they were served",
                    field="until",
                )
        elif (cycle := cycle_of(until, profile)).first_day != until:
            raise InvalidInput(
                f"whole cycles are billed in advance: {cycle.first_day} or {cycle.next_first_day}",
                field="until",
            )
