"""A pause stops validity, or takes its days off the bill, where the plan allows it (rule S3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from billing.errors import InvalidFields, Refused
from billing.model.commerce import MoneyChannel
from billing.model.plan import PlanTerms
from billing.model.profile import BillIn
from billing.model.self_care import SubscriberLogin
from billing.services import (
    bill_run,
    books,
    catalog,
    customers,
    explain,
    holds,
    own_pauses,
    pauses,
    sales,
    self_care,
)
from billing.services.context import Context
from billing.store import ledger, tables
from tests.factories import DAY_PLAN, MONTH_PLAN, MONTHLY, Factory, Subscriber

JOINED = datetime(2026, 3, 10, 8, tzinfo=UTC)
PAUSED = datetime(2026, 3, 12, 9, 30, 15, tzinfo=UTC)
RESUMED = datetime(2026, 3, 20, 18, tzinfo=UTC)
MAY = datetime(2026, 5, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
WEEK = replace(DAY_PLAN, price_micros=7_000_000, validity_minutes=7 * 1440, pause_days=30)
MONTH = replace(MONTH_PLAN, price_micros=31_000_000, pause_days=30)
ON_10TH = replace(MONTHLY, cycle_day=10, automatic_bill=True)
ARREARS = replace(ON_10TH, bill_in=BillIn.ARREARS)
pytestmark = pytest.mark.rule("S3")


@pytest.fixture(autouse=True)
def books_agree(context: Context) -> Iterator[None]:
    yield
    assert books.check_ledger(context, MAY).findings == ()


def daily(context: Context, make: Factory, plan: PlanTerms = WEEK, weeks: int = 1) -> Subscriber:
    who = make.subscriber(JOINED, plan=plan)
    for number in range(weeks):
        sales.sell(
            context,
            who.subscription_id,
            make.plan(JOINED, plan),
            idempotency_key=f"week {number}",
            now=JOINED,
            pay_by=MoneyChannel.CASH,
        )
    return who


def pause(context: Context, who: Subscriber, begin: datetime, end: datetime) -> None:
    holds.pause(context, who.subscription_id, begin)
    holds.resume(context, who.subscription_id, end)


def windows(context: Context, who: Subscriber) -> list[tuple[datetime | None, datetime | None]]:
    with context.transaction() as tx:
        rows = tx.query(tables.Entitlement).filter_by(customer_id=who.customer_id)
        return [(row.valid_from, row.valid_until) for row in rows.order_by("entitlement_id")]


def bills_of(context: Context, who: Subscriber) -> list[tuple[date, int, int]]:
    """First day, total and credited cents."""
    with context.transaction() as tx:
        rows = tx.query(tables.Invoice).filter_by(customer_id=who.customer_id, voided_at=None)
        return sorted(
            (row.cycle_from, row.total_micros // 10**4, row.credited_micros // 10**4)
            for row in rows
        )


def rule(context: Context, who: Subscriber, at: datetime) -> str:
    return explain.why(context, who.subscription_id, at).state.rule


def test_validity_stands_still_to_the_second(context: Context, make: Factory) -> None:
    who = daily(context, make, weeks=2)
    holds.pause(context, who.subscription_id, PAUSED)
    assert rule(context, who, PAUSED) == rule(context, who, RESUMED) == "S3"
    holds.resume(context, who.subscription_id, RESUMED)
    end = JOINED + 7 * DAY + (RESUMED - PAUSED)
    assert windows(context, who) == [(JOINED, end), (end, end + 7 * DAY)]
    assert rule(context, who, RESUMED) == "S8"
    (taken,) = pauses.pauses_of(context, who.subscription_id)
    assert taken.stood_still_seconds == (RESUMED - PAUSED).total_seconds()


def test_a_plan_that_does_not_say_so_runs_on(context: Context, make: Factory) -> None:
    who = daily(context, make, replace(WEEK, pause_days=None))
    pause(context, who, PAUSED, RESUMED)
    assert windows(context, who) == [(JOINED, JOINED + 7 * DAY)]
    assert rule(context, who, RESUMED) == "S7"


def test_all_pauses_of_a_year_count_together(context: Context, make: Factory) -> None:
    who = daily(context, make, replace(WEEK, pause_days=3))
    pause(context, who, JOINED + DAY, JOINED + 3 * DAY)
    pause(context, who, JOINED + 4 * DAY, JOINED + 8 * DAY)
    assert windows(context, who) == [(JOINED, JOINED + 10 * DAY)]
    assert [one.stood_still_seconds for one in pauses.pauses_of(context, who.subscription_id)] == [
        86_400,
        2 * 86_400,
    ]


def test_a_pause_is_forgotten_365_days_after_its_end(context: Context, make: Factory) -> None:
    who = daily(context, make, replace(WEEK, validity_minutes=400 * 1440, pause_days=3))
    for begin, end in ((1, 4), (367, 368), (369, 370)):
        pause(context, who, JOINED + begin * DAY, JOINED + end * DAY)
    taken = pauses.pauses_of(context, who.subscription_id)
    assert [one.stood_still_seconds for one in taken] == [86_400, 0, 3 * 86_400]


def test_a_month_paid_is_credited_by_the_day(context: Context, make: Factory) -> None:
    who = make.subscriber(JOINED, profile=ON_10TH, plan=MONTH)
    sales.topup(
        context,
        who.customer_id,
        31_000_000,
        channel=MoneyChannel.CASH,
        idempotency_key="fund",
        now=JOINED,
    )
    pause(context, who, PAUSED, RESUMED)  # 13 to 19 March: 7 whole days
    assert bills_of(context, who) == [(date(2026, 3, 10), 3100, 700)]
    with context.transaction() as tx:
        assert ledger.balance(tx, who.customer_id, ledger.WALLET) == 7_000_000
    bill_run.run(context, datetime(2026, 4, 1, 1, tzinfo=UTC))
    assert bills_of(context, who)[-1] == (date(2026, 4, 10), 3100, 0)
    with context.transaction() as tx:
        assert ledger.balance(tx, who.customer_id, ledger.WALLET) == 0


def test_in_arrears_the_bill_leaves_the_days_out(context: Context, make: Factory) -> None:
    who = make.subscriber(JOINED, profile=ARREARS, plan=MONTH)
    pause(context, who, PAUSED, RESUMED)
    bill_run.run(context, MAY)
    assert bills_of(context, who) == [(date(2026, 3, 10), 2400, 0)]


def test_a_pause_over_two_cycles_is_taken_off_both(context: Context, make: Factory) -> None:
    who = make.subscriber(JOINED, profile=ON_10TH, plan=MONTH)
    holds.pause(context, who.subscription_id, datetime(2026, 4, 5, 12, tzinfo=UTC))
    bill_run.run(context, datetime(2026, 4, 6, 1, tzinfo=UTC))
    holds.resume(context, who.subscription_id, datetime(2026, 4, 13, 12, tzinfo=UTC))
    assert bills_of(context, who) == [
        (date(2026, 3, 10), 3100, 400),  # 6 to 9 April
        (date(2026, 4, 10), 3100, 310),  # 10 to 12 April, 3 of 30 days
    ]


def test_a_month_of_a_plan_without_pauses_runs_on(context: Context, make: Factory) -> None:
    who = make.subscriber(JOINED, profile=ON_10TH, plan=replace(MONTH, pause_days=None))
    pause(context, who, PAUSED, RESUMED)
    assert bills_of(context, who) == [(date(2026, 3, 10), 3100, 0)]


def test_a_running_session_is_ended(context: Context, make: Factory) -> None:
    who = daily(context, make)
    with make.simulated_nas(JOINED) as nas:
        make.session(who, nas, JOINED + DAY)
    holds.pause(context, who.subscription_id, PAUSED)
    with context.transaction() as tx:
        orders = tx.query(tables.CoaIntent).filter_by(customer_id=who.customer_id)
        assert [(one.goal, one.reason) for one in orders] == [("disconnect", "paused")]


def test_what_is_refused(context: Context, make: Factory) -> None:
    who = daily(context, make)
    holds.pause(context, who.subscription_id, PAUSED)
    with pytest.raises(Refused, match="already"):
        holds.pause(context, who.subscription_id, PAUSED)
    holds.resume(context, who.subscription_id, RESUMED)
    with pytest.raises(Refused, match="neither"):
        holds.resume(context, who.subscription_id, RESUMED)
    with pytest.raises(InvalidFields, match="1 to 366"):
        catalog.add_plan(context, replace(WEEK, plan_name="Endless", pause_days=367), JOINED)


def herself(context: Context, who: Subscriber) -> Context:
    """As its own pages act: within its rows only."""
    org_id = customers.get_customer(context, who.customer_id).org_id
    login = SubscriberLogin(
        customer_id=who.customer_id,
        subscription_id=who.subscription_id,
        org_id=org_id,
        username=who.username,
    )
    return self_care.context_of(context, login)


def test_a_customer_pauses_itself_and_is_credited_what_it_was_told(
    context: Context, make: Factory
) -> None:
    who = make.subscriber(JOINED, profile=ON_10TH, plan=MONTH)
    bill_run.run(context, JOINED)
    own = herself(context, who)
    offer = own_pauses.offer(own, who.subscription_id, PAUSED)
    assert (offer.monthly, offer.allowed_days, offer.left) == (True, 30, 30 * DAY)
    assert (offer.day_micros, offer.refused, offer.good_for) == (1_000_000, None, 0 * DAY)
    own_pauses.pause(own, who.subscription_id, PAUSED)
    assert explain.why(context, who.subscription_id, PAUSED).state.rule == "S3"
    with pytest.raises(Refused, match="paused already"):
        own_pauses.pause(own, who.subscription_id, PAUSED)
    assert own_pauses.offer(own, who.subscription_id, RESUMED).good_for == 7 * DAY
    was = own_pauses.end(own, who.subscription_id, RESUMED)
    assert was.good_for == 7 * DAY
    (ended,) = pauses.pauses_of(context, who.subscription_id)
    assert ended.credited_days == 7
    with pytest.raises(Refused, match="your service is not paused"):
        own_pauses.end(own, who.subscription_id, RESUMED)
    assert own_pauses.offer(own, who.subscription_id, RESUMED).left == 23 * DAY


def test_a_customer_pauses_a_package_for_the_days_that_its_plan_has(
    context: Context, make: Factory
) -> None:
    short = replace(WEEK, pause_days=2)
    who = daily(context, make, short)
    own = herself(context, who)
    own_pauses.pause(own, who.subscription_id, PAUSED)
    assert own_pauses.offer(own, who.subscription_id, PAUSED + DAY).good_for == DAY
    assert own_pauses.end(own, who.subscription_id, RESUMED).good_for == 2 * DAY
    assert windows(context, who) == [(JOINED, JOINED + 9 * DAY)]
    with pytest.raises(Refused, match="the 2 days of pause a year that your plan has are used up"):
        own_pauses.pause(own, who.subscription_id, JOINED + 8 * DAY)
    never = daily(context, make, replace(WEEK, pause_days=None))
    with pytest.raises(Refused, match="no package that can be paused: ask your provider"):
        own_pauses.pause(herself(context, never), never.subscription_id, PAUSED)


@pytest.mark.rule("S2")
def test_a_customer_ends_its_pause_and_not_what_staff_holds(
    context: Context, make: Factory
) -> None:
    who = daily(context, make)
    holds.pause(context, who.subscription_id, PAUSED)
    holds.suspend(context, who.subscription_id, note="abuse", now=PAUSED)
    own_pauses.end(herself(context, who), who.subscription_id, RESUMED)
    assert explain.why(context, who.subscription_id, RESUMED).state.rule == "S2"
