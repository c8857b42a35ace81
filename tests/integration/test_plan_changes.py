"""A subscription is put on another plan: what goes back, what is charged, when (rule B17)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from billing.errors import Conflict, NotFound, Refused
from billing.model.charges import ChargeKind
from billing.model.commerce import MoneyChannel
from billing.model.plan import PlanTerms
from billing.model.plan_changes import ChangeState, PlanChangeReceipt, When
from billing.model.profile import BillIn, BillingProfile
from billing.services import (
    bill_run,
    bills,
    books,
    charges,
    credits,
    explain,
    holds,
    moves,
    plan_changes,
    plan_runs,
    sales,
)
from billing.services.context import Context
from billing.store import ledger, tables
from tests.factories import DAILY, DAY_PLAN, MONTH_PLAN, MONTHLY, Factory, Subscriber

JOINED = datetime(2026, 3, 10, 8, tzinfo=UTC)
CHANGED = datetime(2026, 3, 20, 9, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, 6, tzinfo=UTC)
MAY = datetime(2026, 5, 1, 6, tzinfo=UTC)
ON_10TH = replace(MONTHLY, cycle_day=10, automatic_bill=True)
ARREARS = replace(ON_10TH, bill_in=BillIn.ARREARS)
BY_HAND = replace(ON_10TH, automatic_bill=False)
TAXED = replace(ON_10TH, tax_rate_ppm=210_000)
FAST = replace(MONTH_PLAN, price_micros=45_000_000, speed_down_kbps=50_000)
SLOW = replace(MONTH_PLAN, price_micros=20_000_000, speed_down_kbps=5_000)
WEEK = replace(DAY_PLAN, price_micros=7_000_000, validity_minutes=7 * 1440)
FAST_WEEK = replace(WEEK, price_micros=14_000_000, speed_down_kbps=50_000)
SLOW_WEEK = replace(WEEK, price_micros=3_500_000, speed_down_kbps=1_000)
DAILY_TAXED = replace(DAILY, tax_rate_ppm=210_000)
pytestmark = pytest.mark.rule("B17")


@pytest.fixture(autouse=True)
def books_agree(context: Context) -> Iterator[None]:
    yield
    assert books.check_ledger(context, MAY).findings == ()


def monthly(
    make: Factory, profile: BillingProfile = ON_10TH, plan: PlanTerms = MONTH_PLAN
) -> Subscriber:
    return make.subscriber(JOINED, profile=profile, plan=plan)


def change(
    context: Context,
    make: Factory,
    who: Subscriber,
    plan: PlanTerms,
    now: datetime = CHANGED,
    when: When | None = None,
    key: str = "change",
) -> PlanChangeReceipt:
    return plan_changes.change_plan(
        context,
        who.subscription_id,
        make.plan(JOINED, plan),
        idempotency_key=key,
        now=now,
        when=when,
    )


def billed(context: Context, who: Subscriber) -> list[tuple[date, date, int, int]]:
    """First day, day after the last, total and credited cents of every bill, void ones left out."""
    with context.transaction() as tx:
        rows = tx.query(tables.Invoice).filter_by(customer_id=who.customer_id, voided_at=None)
        return sorted(
            (
                row.cycle_from,
                row.cycle_until,
                row.total_micros // 10**4,
                row.credited_micros // 10**4,
            )
            for row in rows
        )


def wallet_cents(context: Context, who: Subscriber) -> int:
    with context.transaction() as tx:
        return ledger.balance(tx, who.customer_id, ledger.WALLET) // 10**4


def plan_of(context: Context, who: Subscriber) -> int:
    """The price of the plan that it is on, in cents."""
    with context.transaction() as tx:
        row = tx.scalars(
            select(tables.Subscription).filter_by(subscription_id=who.subscription_id)
        ).one()
        return tx.get_one(tables.PlanVersion, row.plan_version_id).price_micros // 10**4


def fund(context: Context, who: Subscriber, cents: int, now: datetime = JOINED) -> None:
    sales.topup(
        context,
        who.customer_id,
        cents * 10**4,
        channel=MoneyChannel.CASH,
        idempotency_key=f"fund {now} {cents}",
        now=now,
    )


def buy(
    context: Context, make: Factory, who: Subscriber, plan: PlanTerms, now: datetime, key: str
) -> None:
    sales.sell(
        context,
        who.subscription_id,
        make.plan(JOINED, plan),
        idempotency_key=key,
        now=now,
        pay_by=MoneyChannel.CASH,
    )


def day(month: int, number: int) -> date:
    return date(2026, month, number)


def packages(context: Context, who: Subscriber) -> list[tuple[datetime | None, datetime | None]]:
    """Windows of those not used up, given back or expired."""
    with context.transaction() as tx:
        rows = tx.query(tables.Entitlement).filter_by(customer_id=who.customer_id, ended_at=None)
        return [(row.valid_from, row.valid_until) for row in rows.order_by("entitlement_id").all()]


# monthly, in advance


def test_a_dearer_month_gives_back_the_days_left_and_bills_them_anew(
    context: Context, make: Factory
) -> None:
    who = monthly(make)
    fund(context, who, 3000)
    done = change(context, make, who, FAST)
    assert billed(context, who) == [
        (day(3, 10), day(4, 10), 3000, 1935),  # 20 of 31 days
        (day(3, 21), day(4, 10), 2903, 0),  # of 45.00
    ]
    assert (done.when, done.effective_on) == ("now", day(3, 21))
    assert (done.credited_micros, done.charged_micros) == (19_350_000, 29_030_000)
    assert done.difference_micros == 9_680_000
    assert wallet_cents(context, who) == 0
    assert plan_of(context, who) == 4500
    bill_run.run(context, APRIL)
    assert billed(context, who)[-1] == (day(4, 10), day(5, 10), 4500, 0)


def test_a_quote_is_what_the_change_does_and_changes_nothing(
    context: Context, make: Factory
) -> None:
    who = monthly(make)
    fund(context, who, 3000)
    plan_id = make.plan(JOINED, FAST)
    before = billed(context, who)
    quoted = plan_changes.quote(context, who.subscription_id, plan_id, CHANGED)
    assert billed(context, who) == before
    assert (plan_of(context, who), plan_changes.changes_of(context, who.subscription_id)) == (
        3000,
        [],
    )
    done = change(context, make, who, FAST)
    assert replace(done, change_id=quoted.change_id) == quoted


def test_the_same_key_changes_once(context: Context, make: Factory) -> None:
    who = monthly(make)
    first = change(context, make, who, FAST)
    again = change(context, make, who, FAST)
    assert again == replace(first, repeated=True)
    assert len(billed(context, who)) == 2
    with pytest.raises(Conflict):
        change(context, make, who, SLOW)


def test_a_second_change_gives_back_the_second_plan_only(context: Context, make: Factory) -> None:
    who = monthly(make)
    change(context, make, who, FAST)
    change(
        context,
        make,
        who,
        MONTH_PLAN,
        datetime(2026, 3, 30, 9, tzinfo=UTC),
        When.NOW,
        key="back",
    )
    assert billed(context, who) == [
        (day(3, 10), day(4, 10), 3000, 1935),
        (day(3, 21), day(4, 10), 2903, 1452),  # 10 of 20 days: 14.515
        (day(3, 31), day(4, 10), 968, 0),
    ]


def test_two_changes_of_a_day_leave_the_last(context: Context, make: Factory) -> None:
    who = monthly(make)
    change(context, make, who, FAST)
    change(context, make, who, SLOW, CHANGED + timedelta(hours=1), When.NOW, key="second")
    assert billed(context, who) == [
        (day(3, 10), day(4, 10), 3000, 1935),
        (day(3, 21), day(4, 10), 1290, 0),
    ]


def test_on_the_last_day_of_a_cycle_nothing_is_left(context: Context, make: Factory) -> None:
    who = monthly(make)
    bill_run.run(context, APRIL)
    change(context, make, who, FAST, datetime(2026, 4, 9, 23, tzinfo=UTC))
    assert billed(context, who) == [
        (day(3, 10), day(4, 10), 3000, 0),
        (day(4, 10), day(5, 10), 4500, 0),
    ]


def test_tax_goes_back_with_it(context: Context, make: Factory) -> None:
    who = monthly(make, TAXED)
    change(context, make, who, FAST)
    with context.transaction() as tx:
        note = tx.query(tables.CreditNote).filter_by(customer_id=who.customer_id).one()
    assert (note.total_micros, note.tax_micros) == (19_350_000, 3_360_000)


def test_charges_beside_the_plan_stay_billed_and_its_discount_does_not(
    context: Context, make: Factory
) -> None:
    who = make.subscriber(JOINED, profile=ON_10TH, plan=replace(MONTH_PLAN, price_micros=0))
    for kind, price, ppm in (
        (ChargeKind.RECURRING, 5_000_000, 0),
        (ChargeKind.DISCOUNT, 0, 100_000),
    ):
        charges.add_charge(
            context,
            who.subscription_id,
            kind,
            kind.value,
            JOINED,
            price_micros=price,
            discount_ppm=ppm,
        )
    bill_run.run(context, APRIL)  # the charge from March on; the plan is free
    april = datetime(2026, 4, 10, 9, tzinfo=UTC)
    change(context, make, who, MONTH_PLAN, APRIL, key="first plan")
    change(context, make, who, FAST, april)
    assert billed(context, who) == [
        (day(3, 10), day(4, 10), 500, 0),
        (day(4, 2), day(4, 10), 697, 0),  # 27.00 × 8 of 31
        (day(4, 10), day(5, 10), 3200, 2610),  # 27.00 × 29 of 30
        (day(4, 11), day(5, 10), 3915, 0),  # 40.50 × 29 of 30, and no charge twice
    ]


def test_a_discount_that_ends_within_the_days_is_on_the_new_bill(
    context: Context, make: Factory
) -> None:
    who = monthly(make)
    charges.add_charge(
        context,
        who.subscription_id,
        ChargeKind.DISCOUNT,
        "spring",
        JOINED,
        discount_ppm=500_000,
        starts_on=day(4, 10),
        ends_on=day(4, 25),
    )
    bill_run.run(context, APRIL)
    change(context, make, who, FAST, datetime(2026, 4, 19, 9, tzinfo=UTC))
    assert billed(context, who)[1:] == [
        (day(4, 10), day(5, 10), 2250, 1750),  # 30.00 × 20 of 30, less 7.50 × 5 of 15
        (day(4, 20), day(5, 10), 2625, 0),  # 30.00, less half of 5 of 20 days
    ]


def test_of_a_package_the_smaller_share_counts(context: Context, make: Factory) -> None:
    who = monthly(make, plan=replace(MONTH_PLAN, octets=1000))
    with context.transaction() as tx:
        tx.query(tables.Entitlement).filter_by(customer_id=who.customer_id).one().octets_left = 100
    done = change(context, make, who, replace(FAST, octets=5000))
    assert done.credited_micros == 3_000_000
    assert "10 % of its allowance left" in done.lines[0]
    midnight = datetime(2026, 3, 21, tzinfo=UTC)
    assert packages(context, who) == [(midnight, datetime(2026, 4, 10, tzinfo=UTC))]


def test_what_was_credited_before_is_not_credited_again(context: Context, make: Factory) -> None:
    who = monthly(make)
    with context.transaction() as tx:
        number = tx.query(tables.Invoice).filter_by(customer_id=who.customer_id).one().number
    credits.credit(
        context,
        number,
        reason="good will",
        idempotency_key="good will",
        now=JOINED,
        amount_micros=20_000_000,
    )
    assert change(context, make, who, FAST).credited_micros == 10_000_000


def test_a_bill_that_is_open_is_owed_less(context: Context, make: Factory) -> None:
    who = monthly(make)
    fund(context, who, 1500)
    done = change(context, make, who, FAST)
    # Owed less 15.00, and 4.35 went to the wallet, which pays for the new bill.
    assert wallet_cents(context, who) == 0
    with context.transaction() as tx:
        open_micros = sum(
            row.total_micros - row.paid_micros - row.credited_micros
            for row in tx.query(tables.Invoice).filter_by(customer_id=who.customer_id)
        )
    assert open_micros == 15_000_000 + done.difference_micros


# monthly, in arrears, and by hand


def test_in_arrears_each_plan_is_billed_for_its_days(context: Context, make: Factory) -> None:
    who = monthly(make, ARREARS)
    done = change(context, make, who, FAST)
    assert (done.credited_micros, done.charged_micros, billed(context, who)) == (0, 0, [])
    bill_run.run(context, MAY)
    assert billed(context, who) == [
        (day(3, 10), day(3, 21), 1065, 0),  # 11 of 31 days of 30.00
        (day(3, 21), day(4, 10), 2903, 0),
    ]


def test_who_buys_months_buys_the_rest_at_once(context: Context, make: Factory) -> None:
    who = monthly(make, BY_HAND)
    buy(context, make, who, MONTH_PLAN, JOINED, "month")
    with pytest.raises(Refused, match="more is needed"):
        change(context, make, who, FAST)
    assert billed(context, who) == [(day(3, 10), day(4, 10), 3000, 0)]
    fund(context, who, 968)
    change(context, make, who, FAST)
    assert billed(context, who)[1:] == [(day(3, 21), day(4, 10), 2903, 0)]
    assert wallet_cents(context, who) == 0


def test_who_buys_months_and_wants_less_waits_for_the_first_that_is_not_bought(
    context: Context, make: Factory
) -> None:
    who = monthly(make, BY_HAND)
    for key in ("march", "april"):
        buy(context, make, who, MONTH_PLAN, JOINED, key)
    assert change(context, make, who, SLOW).effective_on == day(5, 10)


def test_a_free_plan_is_left_without_billing_the_past(context: Context, make: Factory) -> None:
    who = monthly(make, plan=replace(MONTH_PLAN, price_micros=0))
    change(context, make, who, FAST)
    assert billed(context, who) == [(day(3, 21), day(4, 10), 2903, 0)]


# what is cheaper


def test_a_cheaper_month_begins_with_the_next_cycle(context: Context, make: Factory) -> None:
    who = monthly(make)
    done = change(context, make, who, SLOW)
    assert (done.when, done.effective_on, done.difference_micros) == ("next", day(4, 10), 0)
    assert plan_of(context, who) == 3000
    bill_run.run(context, APRIL)
    assert billed(context, who) == [
        (day(3, 10), day(4, 10), 3000, 0),
        (day(4, 10), day(5, 10), 2000, 0),
    ]
    before, at = datetime(2026, 4, 9, 23, 59, tzinfo=UTC), datetime(2026, 4, 10, tzinfo=UTC)
    plan_runs.run(context, before)
    assert plan_of(context, who) == 3000
    assert plan_runs.run(context, at).changed == 1
    assert plan_of(context, who) == 2000
    assert plan_runs.run(context, at).changed == 0
    (record,) = plan_changes.changes_of(context, who.subscription_id)
    assert (record.state, record.finished_at) == (ChangeState.DONE, at)


def test_a_bill_ahead_is_issued_anew_and_again_when_it_is_revoked(
    context: Context, make: Factory
) -> None:
    who = monthly(make)
    bill_run.run(context, APRIL)
    asked = datetime(2026, 4, 5, 9, tzinfo=UTC)
    done = change(context, make, who, SLOW, asked)
    assert done.difference_micros == -10_000_000
    assert billed(context, who)[1:] == [(day(4, 10), day(5, 10), 2000, 0)]
    plan_changes.revoke(context, who.subscription_id, asked)
    assert billed(context, who)[1:] == [(day(4, 10), day(5, 10), 3000, 0)]
    plan_runs.run(context, MAY)
    assert plan_of(context, who) == 3000
    with pytest.raises(Refused, match="no change"):
        plan_changes.revoke(context, who.subscription_id, asked)


@pytest.mark.parametrize("first", ["bills", "plans"])
def test_after_weeks_of_downtime_the_order_of_the_jobs_does_not_matter(
    context: Context, make: Factory, first: str
) -> None:
    who = monthly(make, ARREARS)
    change(context, make, who, SLOW)
    june = datetime(2026, 6, 1, 1, tzinfo=UTC)
    for job in (bill_run, plan_runs) if first == "bills" else (plan_runs, bill_run):
        job.run(context, june)
    assert billed(context, who) == [
        (day(3, 10), day(4, 10), 3000, 0),
        (day(4, 10), day(5, 10), 2000, 0),
    ]
    assert plan_of(context, who) == 2000


def test_a_change_that_waits_is_replaced_by_another(context: Context, make: Factory) -> None:
    who = monthly(make)
    change(context, make, who, SLOW)
    change(context, make, who, FAST, key="better")
    states = [one.state for one in plan_changes.changes_of(context, who.subscription_id)]
    assert states == [ChangeState.DONE, ChangeState.REVOKED]
    plan_runs.run(context, MAY)
    assert plan_of(context, who) == 4500


def test_what_is_due_is_carried_out_before_another_change(context: Context, make: Factory) -> None:
    """The job was down on 10 April: the days up to the second change are the cheaper plan's."""
    who = monthly(make, ARREARS)
    change(context, make, who, SLOW)
    change(context, make, who, FAST, datetime(2026, 4, 19, 9, tzinfo=UTC), key="up")
    bill_run.run(context, datetime(2026, 6, 1, 1, tzinfo=UTC))
    assert billed(context, who) == [
        (day(3, 10), day(4, 10), 3000, 0),
        (day(4, 10), day(4, 20), 667, 0),
        (day(4, 20), day(5, 10), 3000, 0),
    ]


def test_staff_may_force_either(context: Context, make: Factory) -> None:
    who = monthly(make)
    assert change(context, make, who, SLOW, when=When.NOW).effective_on == day(3, 21)
    assert billed(context, who)[1:] == [(day(3, 21), day(4, 10), 1290, 0)]
    later = change(context, make, who, FAST, when=When.NEXT, key="later")
    assert (later.when, later.effective_on) == ("next", day(4, 10))


# daily


def test_a_dearer_package_gives_back_whole_days_and_is_bought_from_the_wallet(
    context: Context, make: Factory
) -> None:
    who = make.subscriber(JOINED, profile=DAILY_TAXED, plan=WEEK)
    buy(context, make, who, WEEK, JOINED, "first")
    buy(context, make, who, WEEK, JOINED, "second")
    later = JOINED + timedelta(days=2, hours=1)
    fund(context, who, 500, later)
    done = change(context, make, who, FAST_WEEK, later)
    # 4 of 7 days of the first, all of the second, which had not begun.
    assert (done.credited_micros, done.charged_micros) == (11_000_000, 14_000_000)
    assert wallet_cents(context, who) == 500 + 1100 - 1400
    assert packages(context, who) == [(later, later + timedelta(days=7))]
    assert plan_of(context, who) == 1400
    with context.transaction() as tx:
        taxes = ledger.balance(tx, who.customer_id, ledger.TAX)
        # 3.00 of the first is kept, which is earned; 14.00 of the new one is to be (rule I6).
        kept = ledger.balance(tx, who.customer_id, ledger.REVENUE_PACKAGE)
        deferred = ledger.balance(tx, who.customer_id, ledger.DEFERRED_PACKAGE)
    assert (kept, deferred) == (2_480_000, 11_570_000)
    assert taxes + kept + deferred == 17_000_000
    assert abs(taxes - 17_000_000 * 21 // 121) <= 20_000


def test_without_enough_money_nothing_is_changed(context: Context, make: Factory) -> None:
    who = make.subscriber(JOINED, plan=WEEK)
    buy(context, make, who, WEEK, JOINED, "first")
    before = packages(context, who)
    with pytest.raises(Refused, match=r"8\.00 USD more is needed"):
        change(context, make, who, FAST_WEEK, JOINED + timedelta(minutes=1))
    assert (packages(context, who), wallet_cents(context, who)) == (before, 0)


def test_nothing_is_given_back_for_what_was_not_paid(context: Context, make: Factory) -> None:
    who = make.subscriber(JOINED, plan=WEEK)
    make.package(who, JOINED, valid_for=timedelta(days=30))
    fund(context, who, 1400)
    done = change(context, make, who, FAST_WEEK)
    assert (done.credited_micros, wallet_cents(context, who)) == (0, 0)
    assert "nothing was paid" in done.lines[0]


def test_a_cheaper_package_waits_for_the_expiry_and_is_bought_then(
    context: Context, make: Factory
) -> None:
    who = make.subscriber(JOINED, plan=WEEK)
    buy(context, make, who, WEEK, JOINED, "first")
    fund(context, who, 350)
    done = change(context, make, who, SLOW_WEEK, JOINED + timedelta(days=1))
    assert (done.when, done.effective_on, done.difference_micros) == ("next", None, 0)
    expiry = JOINED + timedelta(days=7)
    plan_runs.run(context, expiry - timedelta(seconds=1))
    assert plan_of(context, who) == 700
    for _ in range(2):
        plan_runs.run(context, expiry)
    assert packages(context, who)[-1] == (expiry, expiry + timedelta(days=7))
    assert (plan_of(context, who), wallet_cents(context, who)) == (350, 0)


def test_a_cheaper_package_begins_when_the_one_before_is_used_up(
    context: Context, make: Factory
) -> None:
    who = make.subscriber(JOINED, plan=replace(WEEK, octets=10**6))
    buy(context, make, who, replace(WEEK, octets=10**6), JOINED, "first")
    used_up = JOINED + timedelta(days=3)
    change(context, make, who, SLOW_WEEK, JOINED + timedelta(days=1))
    plan_runs.run(context, used_up)
    assert plan_of(context, who) == 700
    with context.transaction() as tx:
        row = tx.query(tables.Entitlement).filter_by(customer_id=who.customer_id).one()
        row.octets_left, row.ended_at = 0, used_up
    fund(context, who, 350, used_up)
    plan_runs.run(context, used_up)
    assert packages(context, who) == [(used_up, used_up + timedelta(days=7))]


def test_without_money_at_the_expiry_the_plan_is_changed_and_the_customer_expired(
    context: Context, make: Factory
) -> None:
    who = make.subscriber(JOINED, plan=WEEK)
    buy(context, make, who, WEEK, JOINED, "first")
    change(context, make, who, SLOW_WEEK, JOINED + timedelta(days=1))
    expiry = JOINED + timedelta(days=7)
    assert plan_runs.run(context, expiry).changed == 1
    (record,) = plan_changes.changes_of(context, who.subscription_id)
    assert record.state is ChangeState.DONE
    assert record.problem is not None
    assert "3.50 USD more is needed" in record.problem
    assert plan_of(context, who) == 350
    assert explain.why(context, who.subscription_id, expiry).state.rule == "S7"


def test_who_has_no_package_changes_at_once(context: Context, make: Factory) -> None:
    who = make.subscriber(JOINED, plan=WEEK)
    fund(context, who, 350)
    assert change(context, make, who, SLOW_WEEK).when == "now"
    assert packages(context, who) == [(CHANGED, CHANGED + timedelta(days=7))]


# what is refused, and what else happens


def test_what_is_refused(context: Context, make: Factory) -> None:
    who = monthly(make)
    with pytest.raises(Refused, match="already"):
        change(context, make, who, MONTH_PLAN)
    with pytest.raises(Refused, match="B5"):
        change(context, make, who, WEEK, key="week")
    with pytest.raises(NotFound):
        plan_changes.change_plan(
            context, who.subscription_id, 10**9, idempotency_key="none", now=CHANGED
        )
    holds.pause(context, who.subscription_id, CHANGED)
    with pytest.raises(Refused, match="paused"):
        change(context, make, who, FAST, key="paused")
    holds.close(context, who.subscription_id, CHANGED)
    with pytest.raises(Refused, match="closed"):
        change(context, make, who, FAST, key="closed")


def test_a_move_to_another_profile_credits_no_day_twice(context: Context, make: Factory) -> None:
    who = monthly(make)
    change(context, make, who, FAST)
    moves.change_profile(
        context,
        who.customer_id,
        make.profile(JOINED, DAILY),
        datetime(2026, 3, 30, 9, tzinfo=UTC),
        plan_id=make.plan(JOINED, WEEK),
    )
    assert billed(context, who) == [
        (day(3, 10), day(4, 10), 3000, 1935),
        (day(3, 21), day(4, 10), 2903, 1452),
    ]


def test_voiding_the_bill_of_the_new_plan_bills_its_days_again(
    context: Context, make: Factory
) -> None:
    who = monthly(make)
    number = change(context, make, who, FAST).documents[-1]
    credits.credit(context, number, reason="wrong", idempotency_key="void", now=CHANGED, void=True)
    bill_run.run(context, CHANGED)
    assert billed(context, who) == [
        (day(3, 10), day(4, 10), 3000, 1935),
        (day(3, 21), day(4, 10), 2903, 0),
    ]


def test_bills_that_are_paid_stay_so(context: Context, make: Factory) -> None:
    who = monthly(make)
    fund(context, who, 3968)
    number = change(context, make, who, FAST).documents[-1]
    with pytest.raises(Refused, match="nothing"):
        bills.pay(context, number, idempotency_key="again", now=CHANGED)
