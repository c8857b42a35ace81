"""Daily packages where renewal, plans, pauses, caps, receipts and deferred revenue meet."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.errors import Refused
from billing.model.plan import Sharing
from billing.model.plan_changes import When
from billing.services import explain, holds, moves, receipts, spending
from billing.services.context import Context
from tests.factories import DAILY, Factory, Subscriber
from tests.integration.household import JOINED, MAY, MONTH, POSTPAID, WEEK, Isp, on
from tests.integration.meter_world import MeterWorld

FAST_WEEK = replace(WEEK, price_micros=14_000_000, speed_down_kbps=50_000)
SLOW_WEEK = replace(WEEK, price_micros=3_500_000, speed_down_kbps=1_000)
PAUSABLE = replace(WEEK, pause_days=30)
LEAD = timedelta(minutes=5)


@pytest.fixture
def isp(context: Context, world: MeterWorld, make: Factory) -> Isp:
    return Isp(context, world, make)


def weekly(isp: Isp, cents: int, plan=WEEK, *, renews: bool = False, profile=DAILY) -> Subscriber:
    who = isp.customer(profile, plan, cents=cents)
    isp.buy(who, plan, JOINED)
    if renews:
        holds.set_renewal(isp.context, who.subscription_id, JOINED, on=True)
    return who


def rule(isp: Isp, who: Subscriber, at) -> str:
    return explain.why(isp.context, who.subscription_id, at).state.rule


@pytest.mark.rule("B17", "I6")
def test_a_package_that_is_deferred_is_given_back_and_the_kept_part_is_earned(isp: Isp) -> None:
    who = weekly(isp, 21_00)
    assert isp.account(who, "deferred:package") == 7_000_000
    # Four whole days of seven are left; of what is kept, 3.00, all is earned now.
    done = isp.change_plan(who, FAST_WEEK, on(3, 12, 9))
    assert (done.credited_micros, done.charged_micros) == (4_000_000, 14_000_000)
    assert isp.accounts(who) == {
        "wallet": 4_000_000,
        "money:cash": -21_000_000,
        "revenue:package": 3_000_000,
        "deferred:package": 14_000_000,
    }
    isp.job("recognise_revenue", on(3, 25))
    assert isp.account(who, "deferred:package") == 0
    assert isp.account(who, "revenue:package") == 17_000_000


@pytest.mark.rule("B17", "Q4")
def test_a_strict_package_without_sessions_is_given_back_too(isp: Isp) -> None:
    strict = replace(
        WEEK,
        octets=10**9,
        sharing=Sharing.STRICT,
        slice_octets=10**8,
    )
    who = weekly(isp, 21_00, strict)
    done = isp.change_plan(who, FAST_WEEK, on(3, 12, 9))
    assert (done.credited_micros, done.charged_micros) == (4_000_000, 14_000_000)
    assert isp.account(who, "wallet") == 4_000_000


@pytest.mark.rule("P10", "I6")
def test_a_renewed_package_is_deferred_and_has_a_receipt(isp: Isp) -> None:
    # 6.995 and 21 % of it, 1.47: 8.465, which is 8.47, so 0.005 is rounding.
    taxed = replace(DAILY, tax_rate_ppm=210_000, tax_inclusive=False)
    odd = replace(WEEK, price_micros=6_995_000)
    who = weekly(isp, 16_94, odd, renews=True, profile=taxed)
    isp.job("renewals", on(3, 17, 7, 55))
    first, second = (
        one
        for one in receipts.of_customer(isp.context, who.customer_id)
        if one.kind.value == "sale"
    )
    assert (first.net_micros, first.tax_micros, first.rounding_micros, first.total_micros) == (
        second.net_micros,
        second.tax_micros,
        second.rounding_micros,
        second.total_micros,
    )
    assert first.total_micros == 8_470_000
    assert isp.account(who, "deferred:package") == 2 * first.net_micros
    assert isp.account(who, "wallet") == 0


@pytest.mark.rule("S3", "P10", "I6")
def test_a_pause_moves_the_end_the_renewal_and_what_is_earned(isp: Isp) -> None:
    who = weekly(isp, 14_00, PAUSABLE, renews=True)
    holds.pause(isp.context, who.subscription_id, on(3, 12, 8))
    isp.job("renewals", on(3, 13))
    holds.resume(isp.context, who.subscription_id, on(3, 15, 8))
    assert isp.packages(who) == [(JOINED, on(3, 20, 8))]
    isp.job("renewals", on(3, 17, 8))
    isp.job("recognise_revenue", on(3, 18))
    assert isp.account(who, "deferred:package") == 7_000_000
    isp.job("renewals", on(3, 20, 7, 55))
    assert len(isp.packages(who)) == 2
    isp.job("recognise_revenue", on(3, 21))
    assert isp.account(who, "revenue:package") == 7_000_000
    assert isp.account(who, "deferred:package") == 7_000_000
    isp.job("recognise_revenue", on(3, 29))
    assert isp.accounts(who) == {"money:cash": -14_000_000, "revenue:package": 14_000_000}


@pytest.mark.rule("B17", "P10")
def test_a_plan_that_waits_is_not_kept_waiting_by_renewals(isp: Isp) -> None:
    who = weekly(isp, 14_00, PAUSABLE, renews=True)
    isp.change_plan(who, SLOW_WEEK, on(3, 11), When.NEXT)
    holds.pause(isp.context, who.subscription_id, on(3, 12, 8))
    holds.resume(isp.context, who.subscription_id, on(3, 15, 8))
    for at in (on(3, 20, 7, 55), on(3, 20, 8)):
        isp.job("renewals", at)
        isp.job("plan_changes", at)
    assert isp.account(who, "wallet") == 14_000_000 - 7_000_000 - 3_500_000
    isp.job("renewals", on(3, 27, 7, 55))
    assert isp.account(who, "wallet") == 0  # the new plan again
    assert rule(isp, who, on(3, 30)) == "S8"


@pytest.mark.rule("B17", "P10")
def test_a_new_plan_that_was_not_paid_renews_with_the_next_money(isp: Isp) -> None:
    who = weekly(isp, 8_00, renews=True)
    isp.change_plan(who, replace(FAST_WEEK), on(3, 11), When.NEXT)
    isp.job("plan_changes", on(3, 17, 8))
    assert rule(isp, who, on(3, 17, 9)) == "S7"
    isp.top_up(who, 7_00, on(3, 18))  # enough for the old plan, and not for the new one's 14.00
    assert rule(isp, who, on(3, 18)) == "S7"
    isp.top_up(who, 6_00, on(3, 19))
    assert isp.account(who, "wallet") == 0
    assert isp.packages(who)[-1] == (on(3, 19), on(3, 26))


@pytest.mark.rule("P14", "P10")
def test_a_cap_holds_a_renewal_back_until_the_month_ends(isp: Isp) -> None:
    who = weekly(isp, 40_00, renews=True)
    spending.set_cap(isp.context, who.customer_id, 10_000_000, JOINED)
    assert isp.job("renewals", on(3, 17, 7, 55)) == ""
    assert isp.account(who, "wallet") == 33_000_000
    assert rule(isp, who, on(3, 18)) == "S7"
    isp.job("check_wallets", on(3, 20))
    isp.job("renewals", on(4, 1, 0))
    assert isp.account(who, "wallet") == 26_000_000
    assert isp.packages(who)[-1] == (on(4, 1, 0), on(4, 8, 0))


@pytest.mark.rule("P14", "P10")
@pytest.mark.parametrize("lifted", [True, False])
def test_a_cap_that_is_lifted_or_raised_lets_the_renewal_go(isp: Isp, lifted: bool) -> None:
    who = weekly(isp, 40_00, renews=True)
    spending.set_cap(isp.context, who.customer_id, 10_000_000, JOINED)
    isp.job("renewals", on(3, 17, 7, 55))
    if lifted:
        spending.lift_cap(isp.context, who.customer_id, on(3, 18))
    else:
        spending.set_cap(isp.context, who.customer_id, 14_000_000, on(3, 18))
    assert isp.account(who, "wallet") == 26_000_000
    assert isp.packages(who)[-1][0] == on(3, 18)


@pytest.mark.rule("P14", "B17")
def test_what_a_change_gives_back_is_not_spent_of_the_cap(isp: Isp) -> None:
    who = weekly(isp, 40_00)
    spending.set_cap(isp.context, who.customer_id, 17_000_000, JOINED)
    # 7.00 − 4.00 + 14.00 are the 17.00 of the cap.
    isp.change_plan(who, FAST_WEEK, on(3, 12, 9))
    assert spending.watches(isp.context, who.customer_id, on(3, 12))[0].spent_micros == 17_000_000
    with pytest.raises(Refused, match="spending cap"):
        isp.buy(who, SLOW_WEEK, on(3, 13))
    # What was bought in March and is given back in April makes no room in April.
    spending.set_cap(isp.context, who.customer_id, 30_000_000, on(3, 17))
    isp.buy(who, WEEK, on(3, 30))
    isp.change_plan(who, SLOW_WEEK, on(4, 1, 9), When.NOW)
    assert spending.watches(isp.context, who.customer_id, on(4, 1))[0].spent_micros == 3_500_000


@pytest.mark.rule("B14", "B17")
def test_a_month_that_is_served_on_under_a_daily_profile_is_given_back(isp: Isp) -> None:
    packed = replace(MONTH, octets=10**9)
    who = isp.customer(replace(POSTPAID, credit_limit_micros=0), packed, cents=31_00)
    daily = isp.make.profile(JOINED, DAILY)
    moves.change_profile(
        isp.context, who.customer_id, daily, on(3, 20), plan_id=isp.make.plan(JOINED, WEEK)
    )
    isp.check(on(3, 20))
    assert isp.account(who, "wallet") == 0
    # 31 March to 10 April are 10 of 31 days.
    done = isp.change_plan(who, SLOW_WEEK, on(3, 30), When.NOW)
    assert (done.credited_micros, done.charged_micros) == (10_000_000, 3_500_000)
    assert isp.account(who, "deferred:bill") == 0
    assert isp.account(who, "wallet") == 6_500_000
    isp.change_plan(who, WEEK, on(3, 30, 13), When.NOW)
    assert isp.account(who, "wallet") == 10_000_000 - 3_500_000 + 3_000_000 - 7_000_000
    isp.check(MAY)
