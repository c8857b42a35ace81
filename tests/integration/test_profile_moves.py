"""A customer moved to another billing profile: bridges, credits, service (rules B6, B14)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from billing.errors import NotFound, Refused
from billing.model.charges import ChargeKind
from billing.model.commerce import MoneyChannel
from billing.model.events import AccessRequest
from billing.model.moves import ProfileMove
from billing.model.profile import BillIn, BillingProfile, Payment
from billing.services import bill_run, bills, books, charges, explain, moves, plan_changes, sales
from billing.services.context import Context
from billing.settings import Settings
from billing.store import ledger, tables
from billing.store.hotpath import HotConnection, load_access
from tests.factories import DAILY, DAY_PLAN, MONTH_PLAN, MONTHLY, Factory, Subscriber

JOINED = datetime(2026, 3, 10, 8, tzinfo=UTC)
CHANGED = datetime(2026, 3, 20, 9, tzinfo=UTC)
ON_10TH = replace(MONTHLY, cycle_day=10, automatic_bill=True)
ON_15TH = replace(ON_10TH, cycle_day=15)
ARREARS = replace(ON_10TH, bill_in=BillIn.ARREARS)
PACKAGED = replace(MONTH_PLAN, octets=10**9)


def owner(make: Factory, profile: BillingProfile = ON_10TH) -> Subscriber:
    """Joined on the first day of a cycle, on a month of 30.00."""
    return make.subscriber(JOINED, profile=profile, plan=MONTH_PLAN)


def move(
    context: Context,
    make: Factory,
    who: Subscriber,
    profile: BillingProfile,
    now: datetime = CHANGED,
    plan_id: int | None = None,
) -> ProfileMove:
    profile_id = make.profile(JOINED, profile)
    return moves.change_profile(context, who.customer_id, profile_id, now, plan_id=plan_id)


def billed(context: Context, who: Subscriber) -> list[tuple[date, date, int, int]]:
    """First day, day after the last, total and credited cents of every bill."""
    with context.transaction() as tx:
        rows = tx.query(tables.Invoice).filter_by(customer_id=who.customer_id)
        return sorted(
            (
                row.cycle_from,
                row.cycle_until,
                row.total_micros // 10**4,
                row.credited_micros // 10**4,
            )
            for row in rows
        )


def cents(micros: int) -> int:
    return micros // 10**4


def wallet_cents(context: Context, who: Subscriber) -> int:
    with context.transaction() as tx:
        return cents(ledger.balance(tx, who.customer_id, ledger.WALLET))


def day(month: int, number: int) -> date:
    return date(2026, month, number)


@pytest.fixture(autouse=True)
def books_agree(context: Context):
    yield
    assert books.check_ledger(context, CHANGED).findings == ()


@pytest.mark.rule("B6")
def test_another_cycle_day_bills_the_bridge(context: Context, make: Factory) -> None:
    who = owner(make)
    move(context, make, who, ON_15TH)
    bill_run.run(context, datetime(2026, 4, 1, 6, tzinfo=UTC))
    assert billed(context, who) == [
        (day(3, 10), day(4, 10), 3000, 0),
        (day(4, 10), day(4, 15), 484, 0),  # 5 of 31 days
        (day(4, 15), day(5, 15), 3000, 0),
    ]


@pytest.mark.rule("B6")
def test_a_bill_past_the_change_is_credited_and_its_package_goes(
    context: Context, make: Factory
) -> None:
    who = make.subscriber(JOINED, profile=ON_10TH, plan=PACKAGED)
    issued_ahead = datetime(2026, 4, 1, 6, tzinfo=UTC)
    bill_run.run(context, issued_ahead)
    done = move(context, make, who, ON_15TH, datetime(2026, 4, 2, 9, tzinfo=UTC))
    assert [note.total_micros for note in done.credited] == [30_000_000]
    assert billed(context, who) == [
        (day(3, 10), day(4, 10), 3000, 0),
        (day(4, 10), day(4, 15), 484, 0),
        (day(4, 10), day(5, 10), 3000, 3000),
        (day(4, 15), day(5, 15), 3000, 0),
    ]
    with context.transaction() as tx:
        packages = tx.query(tables.Entitlement).filter_by(
            customer_id=who.customer_id, ended_at=None
        )
        starts = sorted(row.valid_from for row in packages)
    midnights = [datetime(2026, 4, number, tzinfo=UTC) for number in (10, 15)]
    assert starts == [JOINED, *midnights]


@pytest.mark.rule("B6")
def test_a_profile_that_bills_the_same_cycles_leaves_the_bills_alone(
    context: Context, make: Factory
) -> None:
    who = owner(make)
    bill_run.run(context, datetime(2026, 4, 1, 6, tzinfo=UTC))
    before = billed(context, who)
    done = move(context, make, who, replace(ON_10TH, due_days=20), CHANGED)
    assert (done.credited, done.issued, billed(context, who)) == ((), (), before)


@pytest.mark.rule("B14")
def test_to_daily_the_days_that_are_served_no_more_come_back(
    context: Context, make: Factory
) -> None:
    who = owner(make)
    (bill,) = bills_of(context, who)
    bills.pay(context, bill, idempotency_key="pay", now=JOINED, channel=MoneyChannel.CASH)
    assert explain.why(context, who.subscription_id, CHANGED).state.rule == "S8"
    done = move(context, make, who, DAILY, plan_id=make.plan(JOINED))
    # 21 March to 10 April: 20 of 31 days.
    assert [note.total_micros for note in done.credited] == [19_350_000]
    assert wallet_cents(context, who) == 1935
    assert explain.why(context, who.subscription_id, CHANGED).state.rule == "S7"


@pytest.mark.rule("B14")
@pytest.mark.parametrize(("back_on", "first", "cents"), [(20, 21, 1935), (25, 25, 1548)])
def test_who_comes_back_is_billed_for_the_days_that_were_given_back(
    context: Context, make: Factory, back_on: int, first: int, cents: int
) -> None:
    who = owner(make)
    move(context, make, who, DAILY, plan_id=make.plan(JOINED))
    back_at = CHANGED.replace(day=back_on, hour=10)
    move(context, make, who, ON_10TH, back_at, make.plan(JOINED, MONTH_PLAN))
    assert billed(context, who) == [
        (day(3, 10), day(4, 10), 3000, 1935),
        (day(3, first), day(4, 10), cents, 0),
    ]


@pytest.mark.rule("B9")
@pytest.mark.rule("B14")
@pytest.mark.rule("A1")
def test_days_that_were_given_back_are_not_paid_any_more(
    context: Context, make: Factory, settings: Settings
) -> None:
    """10 March to 10 April is paid, 20 days come back and are spent: from 25 March on another bill
    has to be paid, by its payment date and not by the end of the cycle."""
    who = owner(make)
    (bill,) = bills_of(context, who)
    bills.pay(context, bill, idempotency_key="pay", now=JOINED, channel=MoneyChannel.CASH)
    week = make.plan(JOINED, replace(DAY_PLAN, price_micros=19_350_000, validity_minutes=600))
    move(context, make, who, DAILY, plan_id=week)
    sales.sell(context, who.subscription_id, week, idempotency_key="spent", now=CHANGED)
    move(context, make, who, ON_10TH, CHANGED.replace(day=25), make.plan(JOINED, MONTH_PLAN))
    assert billed(context, who)[1] == (day(3, 25), day(4, 10), 1548, 0)
    cut = datetime(2026, 4, 5, tzinfo=UTC)  # due ten days after the issue, 4 April
    for at, rule in ((cut - timedelta(seconds=1), "S8"), (cut, "S5")):
        assert explain.why(context, who.subscription_id, at).state.rule == rule
    lane = HotConnection(settings.dsn("radius"), statement_timeout_ms=5000, lock_timeout_ms=5000)
    try:
        (row,) = load_access(lane, [AccessRequest(who.username, "127.0.0.1", "")], cut)
    finally:
        lane.close()
    assert row.paid_until == day(3, 21)


@pytest.mark.rule("B9")
@pytest.mark.rule("B17")
def test_days_that_a_change_of_plan_gave_back_stay_paid(context: Context, make: Factory) -> None:
    who = owner(make)
    (bill,) = bills_of(context, who)
    bills.pay(context, bill, idempotency_key="pay", now=JOINED, channel=MoneyChannel.CASH)
    dearer = make.plan(JOINED, replace(MONTH_PLAN, price_micros=45_000_000))
    plan_changes.change_plan(
        context, who.subscription_id, dearer, idempotency_key="dearer", now=CHANGED
    )
    assert billed(context, who)[1][2:] == (2903, 0)
    for at, rule in (((4, 9), "S8"), ((4, 10), "S5")):
        now = datetime(2026, *at, 12, tzinfo=UTC)
        assert explain.why(context, who.subscription_id, now).state.rule == rule


@pytest.mark.rule("B6")
@pytest.mark.rule("B14")
@pytest.mark.rule("I1")
def test_recurring_charges_come_back_by_the_day_and_are_billed_again(
    context: Context, make: Factory
) -> None:
    """The bill of 10 April to 10 May: 30.00, a box for 6.20, an installation for 40.00. Moved to
    daily on the 20th 19 of 30 days come back, 19.00 and 3.93; back on the 25th 15 of 30 days are
    billed, 15.00 and 3.10. The installation was had."""
    who, april = owner(make), datetime(2026, 4, 20, 9, tzinfo=UTC)
    agree(context, who, ChargeKind.RECURRING, 6_200_000, day(4, 10))
    agree(context, who, ChargeKind.ONE_OFF, 40_000_000, day(4, 10))
    bill_run.run(context, datetime(2026, 4, 1, 6, tzinfo=UTC))
    move(context, make, who, DAILY, april, make.plan(JOINED))
    assert billed(context, who)[1] == (day(4, 10), day(5, 10), 7620, 2293)
    move(context, make, who, ON_10TH, april.replace(day=25), make.plan(JOINED, MONTH_PLAN))
    assert billed(context, who)[2] == (day(4, 25), day(5, 10), 1810, 0)
    # From then on as ever, each day once.
    bill_run.run(context, datetime(2026, 5, 1, 6, tzinfo=UTC))
    assert billed(context, who)[3:] == [(day(5, 10), day(6, 10), 3620, 0)]


@pytest.mark.rule("B6")
@pytest.mark.rule("B17")
@pytest.mark.rule("I1")
@pytest.mark.parametrize("moved_on", [15, 20])
def test_charges_on_the_bill_of_an_earlier_plan_come_back_too(
    context: Context, make: Factory, moved_on: int
) -> None:
    """The change of plan on 15 April left the box of the whole cycle on the first bill."""
    who = owner(make)
    agree(context, who, ChargeKind.RECURRING, 6_200_000, day(4, 10))
    bill_run.run(context, datetime(2026, 4, 1, 6, tzinfo=UTC))
    dearer = make.plan(JOINED, replace(MONTH_PLAN, price_micros=45_000_000))
    at = datetime(2026, 4, 15, 9, tzinfo=UTC)
    plan_changes.change_plan(context, who.subscription_id, dearer, idempotency_key="dearer", now=at)
    assert billed(context, who)[1:] == [
        (day(4, 10), day(5, 10), 3620, 2400),  # 24 of 30 days of the plan
        (day(4, 16), day(5, 10), 3600, 0),
    ]
    move(context, make, who, DAILY, at.replace(day=moved_on), make.plan(JOINED))
    days = 24 if moved_on == 15 else 19
    box = round(6_200_000 * days / 30, -4) // 10_000
    assert [row[3] for row in billed(context, who)[1:]] == [2400 + box, days * 150]
    move(context, make, who, ON_10TH, at.replace(day=moved_on, hour=10), dearer)
    assert billed(context, who)[-1][2:] == (days * 150 + box, 0)


@pytest.mark.rule("B6")
def test_charges_stay_with_a_package_that_is_served_to_its_end(
    context: Context, make: Factory
) -> None:
    who = make.subscriber(JOINED, profile=ON_10TH, plan=PACKAGED)
    agree(context, who, ChargeKind.RECURRING, 6_200_000, day(4, 10))
    bill_run.run(context, datetime(2026, 4, 1, 6, tzinfo=UTC))
    at = datetime(2026, 4, 20, 9, tzinfo=UTC)
    assert move(context, make, who, DAILY, at, make.plan(JOINED)).credited == ()
    month = make.plan(JOINED, MONTH_PLAN)
    assert move(context, make, who, ON_10TH, at.replace(day=25), month).issued == ()


@pytest.mark.rule("B14")
def test_to_daily_a_package_that_was_billed_is_served_to_its_end(
    context: Context, make: Factory
) -> None:
    who = make.subscriber(JOINED, profile=ON_10TH, plan=PACKAGED)
    done = move(context, make, who, DAILY, plan_id=make.plan(JOINED))
    assert done.credited == ()
    assert explain.why(context, who.subscription_id, CHANGED).state.rule == "S8"


@pytest.mark.rule("B14")
def test_from_arrears_to_daily_the_days_served_are_billed(context: Context, make: Factory) -> None:
    who = owner(make, ARREARS)
    done = move(context, make, who, DAILY, plan_id=make.plan(JOINED))
    assert len(done.issued) == 1
    assert billed(context, who) == [(day(3, 10), day(3, 21), 1065, 0)]  # 11 of 31 days


@pytest.mark.rule("B14")
@pytest.mark.rule("B11")
def test_from_daily_the_first_bill_begins_on_the_day_of_the_change(
    context: Context, make: Factory
) -> None:
    make.profile(datetime(2026, 1, 1, tzinfo=UTC), ON_10TH)
    who = make.subscriber(datetime(2026, 2, 1, tzinfo=UTC), plan=DAY_PLAN)
    month = make.plan(JOINED, MONTH_PLAN)
    with pytest.raises(Refused, match="is on") as refused:
        move(context, make, who, ON_10TH)
    assert refused.value.field == "plan"
    move(context, make, who, ON_10TH, datetime(2026, 3, 18, 9, tzinfo=UTC), month)
    assert billed(context, who) == [(day(3, 18), day(4, 10), 2226, 0)]


@pytest.mark.rule("P12")
def test_the_credit_limit_is_the_new_profiles(context: Context, make: Factory) -> None:
    who = owner(make)
    limited = replace(ON_10TH, payment=Payment.POSTPAID, credit_limit_micros=50_000_000)
    done = move(context, make, who, limited)
    assert [wallet.credit_limit_micros for wallet in done.customer.wallets] == [50_000_000]


@pytest.mark.rule("B14")
def test_moves_that_make_no_sense_are_refused(context: Context, make: Factory) -> None:
    who = owner(make)
    with pytest.raises(NotFound, match="999"):
        moves.change_profile(context, who.customer_id, 999, CHANGED)
    with pytest.raises(Refused, match="already"):
        move(context, make, who, ON_10TH)


def agree(
    context: Context, who: Subscriber, kind: ChargeKind, price_micros: int, starts_on: date
) -> None:
    charges.add_charge(
        context,
        who.subscription_id,
        kind,
        f"a {kind}",
        JOINED,
        price_micros=price_micros,
        starts_on=starts_on,
    )


def bills_of(context: Context, who: Subscriber) -> list[str]:
    with context.transaction() as tx:
        return [
            row.number for row in tx.query(tables.Invoice).filter_by(customer_id=who.customer_id)
        ]
