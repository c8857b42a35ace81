"""A plan gets another price: who is told, who pays it from when (rule B18)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from billing.errors import InvalidInput, Refused
from billing.model.commerce import MoneyChannel
from billing.model.messages import MessageDraft
from billing.model.plan import PlanTerms
from billing.model.plan_changes import ChangeState, RepriceReport, When
from billing.model.profile import BillIn, BillingProfile
from billing.services import (
    bill_run,
    books,
    catalog,
    moves,
    plan_changes,
    plan_runs,
    prices,
    sales,
)
from billing.services.context import Context
from billing.store import messages, tables
from billing.store.guard import Transaction
from tests.factories import DAILY, DAY_PLAN, MONTH_PLAN, MONTHLY, Factory, Subscriber

JOINED = datetime(2026, 3, 10, 8, tzinfo=UTC)
ASKED = datetime(2026, 3, 20, 9, tzinfo=UTC)
ON_10TH = replace(MONTHLY, cycle_day=10, automatic_bill=True)
ARREARS = replace(ON_10TH, bill_in=BillIn.ARREARS)
WEEK = replace(DAY_PLAN, price_micros=7_000_000, validity_minutes=7 * 1440)
_prices = iter(range(1, 100))
pytestmark = pytest.mark.rule("B18")


@pytest.fixture(autouse=True)
def books_agree(context: Context) -> Iterator[None]:
    yield
    assert books.check_ledger(context, ASKED).findings == ()


@pytest.fixture
def home() -> PlanTerms:
    """A month of 30.00 that only this test sells."""
    return replace(MONTH_PLAN, price_micros=30_000_000, speed_up_kbps=1_000 + next(_prices))


@pytest.fixture
def week() -> PlanTerms:
    """A week of 7.00 that only this test sells."""
    return replace(WEEK, speed_up_kbps=1_000 + next(_prices))


def customer(
    context: Context,
    make: Factory,
    plan: PlanTerms,
    profile: BillingProfile = ON_10TH,
    now: datetime = JOINED,
    email: str | None = "ada@example.org",
) -> Subscriber:
    who = make.subscriber(now, profile=profile, plan=plan)
    with context.transaction() as tx:
        tx.get_one(tables.Customer, who.customer_id).email = email
    return who


def reprice(
    context: Context,
    make: Factory,
    plan: PlanTerms,
    cents: int = 3300,
    *,
    from_day: date = date(2026, 4, 1),
    notice_days: int = 30,
    now: datetime = ASKED,
    dry_run: bool = False,
    tell: bool = True,
) -> RepriceReport:
    return prices.reprice(
        context,
        make.plan(JOINED, plan),
        cents * 10**4,
        from_day=from_day,
        notice_days=notice_days,
        now=now,
        dry_run=dry_run,
        tell=tell,
    )


def notices(context: Context, who: Subscriber) -> list[dict[str, object]]:
    with context.transaction() as tx:
        rows = tx.query(tables.Message).filter_by(customer_id=who.customer_id, kind="price_notice")
        return [row.facts for row in rows]


def plan_cents(context: Context, who: Subscriber) -> int:
    with context.transaction() as tx:
        row = tx.scalars(
            select(tables.Subscription).filter_by(subscription_id=who.subscription_id)
        ).one()
        return tx.get_one(tables.PlanVersion, row.plan_version_id).price_micros // 10**4


def bills_of(context: Context, who: Subscriber) -> list[tuple[date, int]]:
    with context.transaction() as tx:
        rows = tx.query(tables.Invoice).filter_by(customer_id=who.customer_id, voided_at=None)
        return sorted((row.cycle_from, row.total_micros // 10**4) for row in rows)


def first_days(context: Context, who: Subscriber) -> list[tuple[date | None, ChangeState]]:
    found = plan_changes.changes_of(context, who.subscription_id)
    return [(one.effective_on, one.state) for one in found]


def run_all(context: Context, *days: datetime) -> None:
    for now in days:
        plan_runs.run(context, now)
        bill_run.run(context, now)


def midnight(month: int, day: int) -> datetime:
    return datetime(2026, month, day, tzinfo=UTC)


def test_the_first_cycle_after_the_notice_costs_it(
    context: Context, make: Factory, home: PlanTerms
) -> None:
    who = customer(context, make, home)
    report = reprice(context, make, home)
    assert (report.customers, report.more_micros, report.silent) == (1, 3_000_000, 0)
    # Told on 20 March, 30 days: 19 April; the next cycle begins on 10 May.
    assert first_days(context, who) == [(date(2026, 5, 10), ChangeState.PENDING)]
    run_all(context, midnight(4, 1), midnight(5, 1))
    assert plan_cents(context, who) == 3000
    assert bills_of(context, who) == [
        (date(2026, 3, 10), 3000),
        (date(2026, 4, 10), 3000),
        (date(2026, 5, 10), 3300),
    ]
    run_all(context, midnight(5, 10), midnight(5, 10))
    assert plan_cents(context, who) == 3300
    assert len(bills_of(context, who)) == 3


def test_each_is_told_once_what_it_costs_and_from_when(
    context: Context, make: Factory, home: PlanTerms
) -> None:
    who = customer(context, make, home)
    reprice(context, make, home)
    run_all(context, ASKED, midnight(4, 1), midnight(6, 1))
    assert notices(context, who) == [
        {
            "username": who.username,
            "plan": catalog.get_plan(context, make.plan(JOINED, home), ASKED).name,
            "old_micros": 30_000_000,
            "new_micros": 33_000_000,
            "currency": "USD",
            "starts_on": "2026-05-10",
        }
    ]


def test_a_dry_run_lists_whom_it_concerns_and_writes_nothing(
    context: Context, make: Factory, home: PlanTerms
) -> None:
    told = customer(context, make, home)
    untold = customer(context, make, home, email=None)
    daily = customer(context, make, replace(WEEK, speed_up_kbps=999), DAILY)
    dry = reprice(context, make, home, dry_run=True)
    assert dry.new_version is None
    assert [(one.username, one.starts_on, one.told) for one in dry.moves] == [
        (told.username, date(2026, 5, 10), True),
        (untold.username, date(2026, 5, 10), False),
    ]
    assert (dry.customers, dry.more_micros, dry.silent) == (2, 6_000_000, 1)
    for one in (told, untold, daily):
        assert (first_days(context, one), notices(context, one)) == ([], [])
    assert len(catalog.plan_versions(context, dry.plan_id, ASKED)) == 1
    wet = reprice(context, make, home)
    assert wet == replace(dry, new_version=2)


def test_telling_may_be_left_to_the_job(context: Context, make: Factory, home: PlanTerms) -> None:
    told = customer(context, make, home)
    assert reprice(context, make, home, tell=False).new_version == 2
    assert (first_days(context, told), notices(context, told)) == ([], [])
    assert plan_runs.run(context, ASKED).announced == 1
    assert len(notices(context, told)) == 1


def test_who_comes_after_that_day_pays_it_at_once(
    context: Context, make: Factory, home: PlanTerms
) -> None:
    customer(context, make, home)
    reprice(context, make, home)
    late = customer(context, make, home, now=midnight(4, 10))
    assert bills_of(context, late) == [(date(2026, 4, 10), 3300)]
    plan_runs.run(context, midnight(4, 11))
    assert (first_days(context, late), notices(context, late)) == ([], [])


def test_who_comes_before_that_day_is_told_by_the_job(
    context: Context, make: Factory, home: PlanTerms
) -> None:
    reprice(context, make, home)
    between = customer(context, make, home, now=midnight(3, 25))
    assert first_days(context, between) == []
    assert plan_runs.run(context, midnight(3, 26)).announced == 1
    assert first_days(context, between) == [(date(2026, 5, 10), ChangeState.PENDING)]
    assert len(notices(context, between)) == 1


def test_what_is_billed_keeps_its_price(context: Context, make: Factory, home: PlanTerms) -> None:
    who = customer(context, make, home)
    bill_run.run(context, midnight(4, 1))
    reprice(context, make, home, from_day=date(2026, 4, 5), notice_days=0, now=midnight(4, 5))
    assert first_days(context, who) == [(date(2026, 5, 10), ChangeState.PENDING)]


def test_in_arrears_the_days_before_are_billed_at_the_old_price(
    context: Context, make: Factory, home: PlanTerms
) -> None:
    who = customer(context, make, home, ARREARS)
    reprice(context, make, home, notice_days=10)
    run_all(context, midnight(4, 10), midnight(5, 1), midnight(6, 1))
    assert plan_cents(context, who) == 3300
    assert bills_of(context, who) == [(date(2026, 3, 10), 3000), (date(2026, 4, 10), 3300)]


def test_a_lower_price_comes_with_the_next_cycle_and_without_a_message(
    context: Context, make: Factory, home: PlanTerms
) -> None:
    who = customer(context, make, home)
    report = reprice(context, make, home, 2500, notice_days=90)
    assert report.more_micros == -5_000_000
    assert first_days(context, who) == [(date(2026, 4, 10), ChangeState.PENDING)]
    assert notices(context, who) == []


def test_a_price_taken_back_in_time_costs_nobody_anything(
    context: Context, make: Factory, home: PlanTerms
) -> None:
    who = customer(context, make, home)
    reprice(context, make, home)
    reprice(context, make, home, 3000, notice_days=0, now=ASKED + timedelta(days=1))
    assert first_days(context, who) == [
        (date(2026, 4, 10), ChangeState.PENDING),
        (date(2026, 5, 10), ChangeState.REVOKED),
    ]
    run_all(context, midnight(4, 1), midnight(4, 10), midnight(5, 10))
    assert {cents for _, cents in bills_of(context, who)} == {3000}


def test_who_has_left_the_plan_keeps_the_other_price(
    context: Context, make: Factory, home: PlanTerms
) -> None:
    who = customer(context, make, home)
    reprice(context, make, home)
    other = make.plan(JOINED, replace(home, price_micros=50_000_000))
    plan_changes.change_plan(
        context, who.subscription_id, other, idempotency_key="other", now=midnight(4, 20)
    )
    run_all(context, midnight(5, 10))
    assert plan_cents(context, who) == 5000
    assert [state for _, state in first_days(context, who)] == [
        ChangeState.DONE,
        ChangeState.REVOKED,
    ]


def test_a_change_to_a_plan_whose_price_rises_is_told_then(
    context: Context, make: Factory, home: PlanTerms
) -> None:
    dear = replace(home, price_micros=50_000_000)
    who = customer(context, make, dear)
    plan_changes.change_plan(
        context,
        who.subscription_id,
        make.plan(JOINED, home),
        idempotency_key="down",
        now=ASKED,
        when=When.NEXT,
    )
    reprice(context, make, home)
    run_all(context, midnight(4, 1), midnight(4, 10), midnight(4, 11))
    assert bills_of(context, who)[-1] == (date(2026, 4, 10), 3000)
    assert [str(one["starts_on"]) for one in notices(context, who)] == ["2026-06-10"]


def test_daily_customers_buy_at_the_old_price_until_the_notice_is_over(
    context: Context, make: Factory, week: PlanTerms
) -> None:
    who = customer(context, make, week, DAILY)
    fresh = customer(context, make, week, DAILY, now=midnight(4, 2))
    reprice(context, make, week, 800)
    assert first_days(context, who) == [(date(2026, 4, 19), ChangeState.PENDING)]

    def price(one: Subscriber, now: datetime) -> int:
        receipt = sales.sell(
            context,
            one.subscription_id,
            make.plan(JOINED, week),
            idempotency_key=f"buy {now}",
            now=now,
            pay_by=MoneyChannel.CASH,
        )
        return receipt.total_micros // 10**4

    assert price(who, midnight(4, 5)) == 700
    assert price(fresh, midnight(4, 5)) == 700
    plan_runs.run(context, midnight(4, 19))
    assert price(who, midnight(4, 19)) == 800


def test_another_profile_moves_the_day(context: Context, make: Factory, home: PlanTerms) -> None:
    who = customer(context, make, home)
    reprice(context, make, home)
    fifteenth = make.profile(JOINED, replace(ON_10TH, cycle_day=15))
    moves.change_profile(context, who.customer_id, fifteenth, midnight(4, 3))
    assert first_days(context, who) == [(date(2026, 5, 15), ChangeState.PENDING)]
    run_all(context, midnight(5, 1), midnight(5, 15))
    assert bills_of(context, who)[-1] == (date(2026, 5, 15), 3300)


def test_what_is_refused(context: Context, make: Factory, home: PlanTerms) -> None:
    with pytest.raises(InvalidInput, match="past"):
        reprice(context, make, home, from_day=date(2026, 3, 19))
    with pytest.raises(InvalidInput, match="0 to 366"):
        reprice(context, make, home, notice_days=367)
    reprice(context, make, home)
    with pytest.raises(Refused, match="version 2 of"):
        reprice(context, make, home)


def test_one_that_fails_is_parked_and_the_others_are_told(
    context: Context, make: Factory, home: PlanTerms, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = [customer(context, make, home) for _ in range(3)]
    queue = messages.queue

    def broken(tx: Transaction, drafts: Sequence[MessageDraft], now: datetime) -> None:
        if any(one.customer_id == who[1].customer_id for one in drafts):
            raise RuntimeError("no message can be made")
        queue(tx, drafts, now)

    with monkeypatch.context() as patched:
        patched.setattr(messages, "queue", broken)
        reprice(context, make, home)
    assert [len(notices(context, one)) for one in who] == [1, 0, 1]
    (parked,) = plan_runs.parked(context)
    assert (parked.customer_id, parked.problem) == (who[1].customer_id, "no message can be made")
    plan_runs.run(context, ASKED)
    assert plan_runs.parked(context) == []
    assert [len(notices(context, one)) for one in who] == [1, 1, 1]


def test_many_are_told_by_pages(
    context: Context, make: Factory, home: PlanTerms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_runs, "_PAGE", 2)
    monkeypatch.setattr(prices, "_PAGE", 2)
    who = [customer(context, make, home) for _ in range(5)]
    assert reprice(context, make, home).customers == 5
    assert [len(notices(context, one)) for one in who] == [1] * 5
