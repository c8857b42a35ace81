"""What is unused of a package lapses, or goes into the one that follows it (rule B4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from billing.errors import InvalidFields
from billing.model.profile import Payment
from billing.services import catalog, explain, holds, rolling, subscribers
from billing.services.context import Context
from billing.store import tables
from tests.factories import DAILY, MONTHLY, Factory, Subscriber
from tests.integration.household import JOINED, MONTH, WEEK, Isp, on
from tests.integration.meter_world import MIB, MeterWorld, start, stop

MINUTE = timedelta(minutes=1)
LAPSES = replace(WEEK, octets=100 * MIB)
ROLLS = replace(LAPSES, rolls_over=True)
ENDS = JOINED + timedelta(days=7)


@pytest.fixture
def isp(context: Context, world: MeterWorld, make: Factory) -> Isp:
    return Isp(context, world, make)


def bought(isp: Isp, *plans) -> Subscriber:
    """So many packages, the first runs from JOINED on."""
    who = isp.customer(DAILY, plans[0], cents=100_00)
    for plan in plans:
        isp.buy(who, plan, JOINED)
    return who


def report_late(isp: Isp, who: Subscriber, used_at: datetime, now: datetime, mib: int) -> None:
    """A session of a minute that ended at `used_at` and is told `now`."""
    sid = f"late {now}"
    isp.world.charge(start(who.username, used_at - MINUTE, sid=sid), now=now)
    isp.world.charge(stop(who.username, used_at, 60, mib * MIB, 0, sid=sid), now=now)


def rows(isp: Isp, who: Subscriber) -> list[tables.Entitlement]:
    row = tables.Entitlement
    with isp.context.transaction() as tx:
        mine = select(row).where(row.subscription_id == who.subscription_id)
        return list(tx.scalars(mine.order_by(row.entitlement_id)))


def mebibytes(isp: Isp, who: Subscriber) -> list[tuple[int, int, int]]:
    """Total, left and carried of each package."""
    return [
        (row.octets_total // MIB, row.octets_left // MIB, row.carried_octets // MIB)
        for row in rows(isp, who)
    ]


@pytest.mark.rule("B4")
def test_what_is_unused_lapses_unless_the_plan_says_otherwise(isp: Isp) -> None:
    who = bought(isp, LAPSES, LAPSES)
    isp.use(who, on(3, 12), 30)
    isp.job("roll_over", ENDS + MINUTE)
    assert mebibytes(isp, who) == [(100, 70, 0), (100, 100, 0)]


@pytest.mark.rule("B4")
def test_what_is_unused_is_carried_once_when_the_follower_begins(isp: Isp) -> None:
    who = bought(isp, ROLLS, ROLLS)
    isp.use(who, on(3, 12), 30)
    assert isp.job("roll_over", ENDS - MINUTE) == ""
    assert mebibytes(isp, who)[1] == (100, 100, 0)
    would = list(rolling.preview(isp.context, ENDS))
    assert [(one.octets // MIB, one.customer_id) for one in would] == [(70, who.customer_id)]
    assert mebibytes(isp, who)[1] == (100, 100, 0)
    assert isp.job("roll_over", ENDS) == "carried on for 1 packages"
    for at in (ENDS, ENDS + MINUTE, on(3, 20)):
        assert isp.job("roll_over", at) == ""
    assert mebibytes(isp, who) == [(100, 70, 0), (170, 170, 70)]
    isp.use(who, on(3, 18), 150)
    assert mebibytes(isp, who)[1] == (170, 20, 70)
    said = explain.why(isp.context, who.subscription_id, on(3, 18)).lines
    assert any("has 73.4 MB of the one before it (B4)" in line for line in said)
    assert any("goes into what follows it (B4)" in line for line in said)
    shown = subscribers.show(isp.context, who.subscription_id, on(3, 18)).entitlements
    assert [one.carried_octets // MIB for one in shown] == [70, 0]


@pytest.mark.rule("B4")
def test_what_was_carried_is_carried_on(isp: Isp) -> None:
    who = bought(isp, ROLLS, ROLLS, ROLLS)
    for at in (ENDS, ENDS + timedelta(days=7)):
        isp.job("roll_over", at)
    assert mebibytes(isp, who) == [(100, 100, 0), (200, 200, 100), (300, 300, 200)]


@pytest.mark.rule("B4")
def test_a_worker_that_was_down_carries_all_at_once(isp: Isp) -> None:
    who = bought(isp, ROLLS, ROLLS, LAPSES)
    isp.use(who, on(3, 12), 30)
    isp.job("roll_over", ENDS + timedelta(days=8))
    assert mebibytes(isp, who) == [(100, 70, 0), (170, 170, 70), (270, 270, 170)]


@pytest.mark.rule("B4")
@pytest.mark.rule("U6")
def test_use_that_is_told_late_is_of_the_package_of_its_time(isp: Isp) -> None:
    who = bought(isp, ROLLS, ROLLS)
    isp.job("roll_over", ENDS)
    isp.use(who, on(3, 18), 10)
    report_late(isp, who, on(3, 16, 20), on(3, 18, 13), 25)
    assert mebibytes(isp, who) == [(100, 75, 0), (200, 190, 100)]
    isp.job("roll_over", on(3, 18, 13, 1))
    assert mebibytes(isp, who) == [(100, 75, 0), (175, 165, 75)]
    assert isp.job("roll_over", on(3, 18, 13, 2)) == ""


@pytest.mark.rule("B4")
def test_what_was_used_of_it_already_stays_used_and_the_next_begins(isp: Isp) -> None:
    who = bought(isp, ROLLS, LAPSES, LAPSES)
    isp.job("roll_over", ENDS)
    isp.use(who, on(3, 18), 180)
    report_late(isp, who, on(3, 16, 20), on(3, 18, 13), 25)
    at = on(3, 18, 13, 1)
    isp.job("roll_over", at)
    assert mebibytes(isp, who) == [(100, 75, 0), (175, 0, 75), (100, 100, 0)]
    _, second, third = rows(isp, who)
    assert second.ended_at == at
    assert (third.valid_from, third.valid_until) == (at, at + timedelta(days=7))


@pytest.mark.rule("B4")
@pytest.mark.rule("P10")
@pytest.mark.parametrize(("minutes", "left"), [(0, 200), (5, 200), (6, 100)])
def test_only_what_follows_without_a_gap_takes_it_over(isp: Isp, minutes: int, left: int) -> None:
    who = bought(isp, ROLLS)
    at = ENDS + minutes * MINUTE
    isp.buy(who, LAPSES, at)
    isp.job("roll_over", at)
    assert mebibytes(isp, who)[1][1] == left


@pytest.mark.rule("B4")
@pytest.mark.rule("P10")
def test_a_renewal_takes_it_over(isp: Isp) -> None:
    who = bought(isp, ROLLS)
    holds.set_renewal(isp.context, who.subscription_id, JOINED, on=True)
    isp.job("renewals", ENDS - 5 * MINUTE)
    isp.job("roll_over", ENDS)
    assert mebibytes(isp, who) == [(100, 100, 0), (200, 200, 100)]


@pytest.mark.rule("B4")
def test_time_that_is_left_of_used_up_data_is_carried(isp: Isp) -> None:
    both = replace(ROLLS, octets=10 * MIB, seconds=3600)
    who = bought(isp, both, both)
    isp.use(who, on(3, 12), 10)
    isp.job("roll_over", on(3, 12, 12, 1))
    first, second = rows(isp, who)
    assert (first.octets_left, first.seconds_left) == (0, 3540)
    assert (second.octets_left, second.seconds_left) == (10 * MIB, 3600 + 3540)
    assert second.valid_from == on(3, 12)


@pytest.mark.rule("B4")
@pytest.mark.rule("B17")
def test_what_was_given_back_is_not_carried_too(isp: Isp) -> None:
    who = bought(isp, ROLLS)
    isp.change_plan(who, replace(ROLLS, price_micros=14_000_000), on(3, 12, 9))
    isp.job("roll_over", on(3, 12, 9, 1))
    assert mebibytes(isp, who) == [(100, 100, 0), (100, 100, 0)]


@pytest.mark.rule("B4")
@pytest.mark.rule("B6")
@pytest.mark.parametrize("payment", list(Payment))
def test_the_package_of_a_cycle_follows_that_of_the_one_before(isp: Isp, payment: Payment) -> None:
    plan = replace(MONTH, octets=100 * MIB, rolls_over=True)
    billed = replace(MONTHLY, automatic_bill=True, automatic_suspend=False, payment=payment)
    who = isp.customer(billed, plan, cents=100_00)
    for at in (JOINED, on(4, 1, 0, 30)):
        isp.job("renewals", at)
        isp.bill(at)
    isp.use(who, on(3, 20), 40)
    isp.job("roll_over", on(4, 1, 1))
    assert mebibytes(isp, who) == [(100, 60, 0), (160, 160, 60)]


@pytest.mark.rule("B4")
@pytest.mark.rule("S3")
def test_a_pause_moves_the_end_at_which_it_is_carried(isp: Isp) -> None:
    pausable = replace(ROLLS, pause_days=30)
    who = bought(isp, pausable, pausable)
    holds.pause(isp.context, who.subscription_id, on(3, 16, 8))
    isp.job("roll_over", on(3, 18))
    assert mebibytes(isp, who) == [(100, 100, 0), (100, 100, 0)]
    holds.resume(isp.context, who.subscription_id, on(3, 20, 8))
    isp.use(who, on(3, 20), 60)
    isp.job("roll_over", on(3, 21, 7, 59))
    assert mebibytes(isp, who) == [(100, 40, 0), (100, 100, 0)]
    isp.job("roll_over", on(3, 21, 8))
    assert mebibytes(isp, who) == [(100, 40, 0), (140, 140, 40)]


@pytest.mark.rule("B4")
def test_what_runs_is_told_of_its_new_limits(isp: Isp) -> None:
    who = bought(isp, ROLLS, ROLLS)
    isp.world.charge(start(who.username, ENDS - MINUTE, sid="open"), now=ENDS - MINUTE)
    isp.job("sweep", ENDS)
    isp.job("roll_over", ENDS + MINUTE)
    with isp.context.transaction() as tx:
        orders = tx.query(tables.CoaIntent).filter_by(customer_id=who.customer_id)
        assert [one.goal for one in orders] == ["refresh"]


@pytest.mark.rule("B4")
def test_what_is_long_over_is_looked_at_no_more(isp: Isp) -> None:
    who = bought(isp, ROLLS)
    isp.job("roll_over", ENDS + timedelta(days=33))
    assert [row.rolls_over for row in rows(isp, who)] == [True]
    isp.job("roll_over", ENDS + timedelta(days=33, minutes=1))
    assert [row.rolls_over for row in rows(isp, who)] == [False]


@pytest.mark.rule("B4")
def test_a_plan_that_limits_nothing_has_nothing_to_roll_over(context: Context) -> None:
    with pytest.raises(InvalidFields) as refused:
        catalog.add_plan(context, replace(WEEK, plan_name="x", rolls_over=True), datetime.now(UTC))
    assert [field for field, _ in refused.value.problems] == ["rolls_over"]
