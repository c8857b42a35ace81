"""A promise to pay and a last day, from the service to the state (rules B15, B19)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from billing.errors import InvalidInput, Refused
from billing.services import agreements, bills, explain
from billing.services.context import Context
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber

ISSUED = datetime(2026, 3, 10, 8, tzinfo=UTC)
OVERDUE = datetime(2026, 3, 25, 12, tzinfo=UTC)
CUT = replace(MONTHLY, cycle_day=10, automatic_suspend=True, suspended_pool="walled", due_days=10)
KEPT = replace(CUT, automatic_suspend=False)


def _owner(context: Context, make: Factory, profile=CUT) -> Subscriber:
    owner = make.subscriber(ISSUED, profile=profile, plan=MONTH_PLAN)
    bills.issue_bill(
        context,
        owner.subscription_id,
        cycle_from=date(2026, 3, 10),
        cycle_until=date(2026, 4, 10),
        amount_micros=30_000_000,
        now=ISSUED,
    )
    return owner


def _rule(context: Context, owner: Subscriber, at: datetime) -> str:
    return explain.why(context, owner.subscription_id, at).state.rule


@pytest.mark.rule("B19")
def test_a_promise_lifts_the_suspension_until_its_day_is_over(
    context: Context, make: Factory
) -> None:
    owner = _owner(context, make)
    assert _rule(context, owner, OVERDUE) == "S5"
    view = agreements.promise(context, owner.customer_id, date(2026, 3, 28), OVERDUE)
    assert view.promise_until == date(2026, 3, 28)
    assert _rule(context, owner, OVERDUE) == "S8"
    assert _rule(context, owner, datetime(2026, 3, 28, 23, 59, tzinfo=UTC)) == "S8"
    assert _rule(context, owner, datetime(2026, 3, 29, tzinfo=UTC)) == "S5"
    agreements.withdraw(context, owner.customer_id, OVERDUE)
    assert _rule(context, owner, OVERDUE) == "S5"
    # Until the end of today is a promise, too.
    agreements.promise(context, owner.customer_id, OVERDUE.date(), OVERDUE)
    assert _rule(context, owner, OVERDUE) == "S8"


@pytest.mark.rule("B19")
def test_promises_that_make_no_sense_are_refused(context: Context, make: Factory) -> None:
    owner = _owner(context, make)
    with pytest.raises(InvalidInput, match="has passed") as refused:
        agreements.promise(context, owner.customer_id, date(2026, 3, 24), OVERDUE)
    assert refused.value.field == "until"
    with pytest.raises(Refused, match="nothing was promised"):
        agreements.withdraw(context, owner.customer_id, OVERDUE)
    nobody = make.subscriber(ISSUED, profile=CUT, plan=MONTH_PLAN)
    with pytest.raises(Refused, match="nothing to promise"):
        agreements.promise(context, nobody.customer_id, date(2026, 3, 28), OVERDUE)


@pytest.mark.rule("B15")
def test_an_unpaid_bill_ends_service_at_the_agreed_day_whatever_the_profile_says(
    context: Context, make: Factory
) -> None:
    owner = _owner(context, make, KEPT)
    assert _rule(context, owner, OVERDUE) == "S8"
    agreements.discontinue(context, owner.customer_id, date(2026, 3, 24), ISSUED)
    assert _rule(context, owner, OVERDUE) == "S4"
    agreements.discontinue(context, owner.customer_id, None, OVERDUE)
    assert _rule(context, owner, OVERDUE) == "S8"
