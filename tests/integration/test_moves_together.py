"""Fees and charges that wait, moves to another profile, and statements over all of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from billing.errors import Refused
from billing.model.charges import ChargeKind
from billing.model.commerce import MoneyChannel
from billing.model.dunning import DunningSchedule, DunningStep
from billing.services import charges, dunning, holds, moves, statements
from billing.services.context import Context
from tests.factories import DAILY, Factory, Subscriber
from tests.integration.household import (
    APRIL,
    JOINED,
    JUNE,
    MAY,
    METERED,
    MONTH,
    POSTPAID,
    PREPAID,
    WEEK,
    Isp,
    on,
)
from tests.integration.meter_world import MeterWorld

FEE = DunningSchedule(steps=(DunningStep(days=7, reminds=True, fee_micros=5_000_000),))


@pytest.fixture
def isp(context: Context, world: MeterWorld, make: Factory) -> Isp:
    return Isp(context, world, make)


def visit(isp: Isp, who: Subscriber, at) -> None:
    """5.00 once, for the next bill."""
    charges.add_charge(
        isp.context, who.subscription_id, ChargeKind.ONE_OFF, "Visit", at, price_micros=5_000_000
    )


def move(isp: Isp, who: Subscriber, profile, at, plan=None, cents: int | None = None):
    done = moves.change_profile(
        isp.context,
        who.customer_id,
        isp.make.profile(JOINED, profile),
        at,
        plan_id=None if plan is None else isp.make.plan(JOINED, plan),
        top_up_micros=None if cents is None else cents * 10_000,
        channel=MoneyChannel.CASH,
    )
    isp.check(at)
    return done


@pytest.mark.rule("I5", "I2")
@pytest.mark.parametrize("void", [True, False])
def test_a_late_fee_goes_with_its_bill_and_comes_again_where_that_is_void(
    isp: Isp, void: bool
) -> None:
    profile = replace(POSTPAID, due_days=10, automatic_suspend=False, credit_limit_micros=0)
    dunning.set_schedule(isp.context, isp.make.profile(JOINED, profile), FEE, JOINED)
    who = isp.customer(profile, MONTH)
    isp.job("dunning", on(3, 27))  # due on the 20th
    isp.bill(APRIL)
    assert isp.totals(who) == [(31_00, 31_00), (36_00, 36_00)]
    isp.credit(isp.invoices(who)[1].number, on(4, 2), void=void)
    assert isp.account(who, "receivable") == -31_000_000
    isp.bill(on(4, 3))
    isp.job("dunning", on(4, 3))
    again = [(36_00, 36_00)] if void else [(36_00, 0)]
    assert isp.totals(who) == [(31_00, 31_00), *again]
    isp.bill(MAY)
    # The second bill's fee, where that bill is still due: it was, on 13 April.
    assert isp.totals(who)[2:] == [(31_00, 31_00)]


@pytest.mark.rule("P4", "B14", "I1")
def test_to_prepaid_a_charge_that_waits_is_on_the_first_prepaid_bill(isp: Isp) -> None:
    who = isp.customer(POSTPAID, METERED, cents=31_00)
    isp.use(who, on(3, 15), 2)
    visit(isp, who, on(3, 20))
    with pytest.raises(Refused, match=r"top up 2\.47"):
        move(isp, who, PREPAID, on(3, 21))
    move(isp, who, PREPAID, on(3, 21), cents=50_00)
    assert isp.account(who, "wallet") == 50_000_000 - 2_469_134
    isp.bill(APRIL)
    # 31.00 + 5.00 are paid now; of 2.47 the wallet had paid 2.469134 before.
    assert isp.totals(who) == [(31_00, 0), (38_47, 0)]
    assert isp.account(who, "wallet") == 50_000_000 - 2_469_134 - 36_000_000
    assert isp.account(who, "receivable") == 0


@pytest.mark.rule("B14", "I1")
@pytest.mark.parametrize("to", ["daily", "by hand"])
def test_a_charge_that_waits_is_billed_where_no_bill_comes_by_itself_any_more(
    isp: Isp, to: str
) -> None:
    who = isp.customer(POSTPAID, METERED, cents=31_00)
    isp.use(who, on(3, 15), 2)
    visit(isp, who, on(3, 20))
    if to == "daily":
        move(isp, who, DAILY, on(3, 20), plan=WEEK, cents=2_47)
        # 20 of 31 days come back and pay the bill of 7.47, with the top-up.
        assert isp.totals(who) == [(31_00, 0), (7_47, 0)]
        assert isp.account(who, "wallet") == 20_000_000 + 2_470_000 - 7_470_000
    else:
        move(isp, who, replace(POSTPAID, automatic_bill=False), on(3, 20))
        assert isp.totals(who) == [(31_00, 0), (7_47, 7_47)]


@pytest.mark.rule("I1", "S1")
def test_a_charge_that_waits_is_billed_when_the_service_is_closed(isp: Isp) -> None:
    who, other = isp.customer(POSTPAID, MONTH, cents=31_00), isp.customer(POSTPAID, MONTH)
    visit(isp, who, on(3, 20))
    for one in (who, other):
        holds.close(isp.context, one.subscription_id, on(3, 25))
    for at in (on(3, 26), APRIL, on(4, 2), MAY):
        isp.bill(at)
    assert isp.totals(who) == [(31_00, 0), (5_00, 5_00)]
    assert isp.totals(other) == [(31_00, 31_00)]


@pytest.mark.rule("B14", "B6")
def test_who_was_daily_for_some_days_is_billed_the_month_again(isp: Isp) -> None:
    who = isp.customer(POSTPAID, MONTH, cents=31_00)
    move(isp, who, DAILY, on(3, 20), plan=WEEK)
    assert isp.account(who, "wallet") == 20_000_000
    # Not given back a second time by a change of the daily plan.
    done = isp.change_plan(who, replace(WEEK, price_micros=8_000_000), on(3, 21))
    assert (done.credited_micros, done.charged_micros) == (0, 8_000_000)
    move(isp, who, POSTPAID, on(3, 31), plan=MONTH)
    # 31 March to 10 April: 10 of 31 days.
    assert isp.totals(who)[1:2] == [(10_00, 0)]
    assert isp.account(who, "wallet") == 20_000_000 - 8_000_000 - 10_000_000


@pytest.mark.rule("M4", "I4")
def test_a_statement_is_wallet_and_bills_whatever_happened(isp: Isp) -> None:
    who = isp.customer(POSTPAID, METERED)
    steps = [
        lambda: isp.use(who, on(3, 15), 2),
        lambda: isp.top_up(who, 20_00, on(3, 18)),
        lambda: visit(isp, who, on(3, 20)),
        lambda: isp.change_plan(who, replace(METERED, price_micros=45_000_000), on(3, 25)),
        lambda: isp.bill(APRIL),
        lambda: isp.credit(isp.invoices(who)[1].number, on(4, 3), 3_00),
        lambda: holds.pause(isp.context, who.subscription_id, on(4, 4)),
        lambda: holds.resume(isp.context, who.subscription_id, on(4, 7)),
        lambda: isp.write_off(isp.invoices(who)[1].number, on(4, 9)),
        lambda: isp.use(who, on(4, 20), 5),
        lambda: isp.credit(isp.invoices(who)[2].number, on(4, 21), void=True),
        lambda: isp.bill(on(4, 21)),
        lambda: move(isp, who, DAILY, on(4, 25), plan=WEEK, cents=90_00),
        lambda: isp.buy(who, WEEK, on(4, 26)),
        lambda: isp.job("recognise_revenue", JUNE),
    ]
    for step in steps:
        step()
        isp.check(JUNE)
        found = statements.statement(
            isp.context, who.customer_id, date(2026, 3, 1), date(2026, 6, 30)
        )
        balance = isp.account(who, "wallet") + isp.account(who, "receivable")
        assert found.account.closing_micros == balance
        assert found.open_micros == -isp.account(who, "receivable")
    assert isp.account(who, "deferred:bill") == 0
