"""Parts of billing that meet on one customer: usage, prepaid, plans, discounts, credit notes,
write-offs, deferred revenue. Amounts are worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from billing.errors import InvalidInput, Refused
from billing.model.charges import ChargeKind
from billing.model.plan_changes import When
from billing.model.profile import TaxPoint
from billing.services import charges, explain, spending
from billing.services.context import Context
from billing.store import billing_jobs, tables
from tests.factories import Factory
from tests.integration.household import (
    APRIL,
    JOINED,
    MAY,
    METERED,
    MONTH,
    POSTPAID,
    PREPAID,
    Isp,
    on,
)
from tests.integration.meter_world import MeterWorld

TAXED = replace(POSTPAID, tax_rate_ppm=210_000, tax_inclusive=False)
FAST = replace(METERED, price_micros=45_000_000, speed_down_kbps=50_000)
PACKED = replace(MONTH, octets=10**9)


@pytest.fixture
def isp(context: Context, world: MeterWorld, make: Factory) -> Isp:
    return Isp(context, world, make)


@pytest.mark.rule("P10", "P11")
def test_usage_that_the_wallet_has_paid_leaves_no_period_uncovered(isp: Isp) -> None:
    who = isp.customer(PREPAID, cents=65_00)
    assert isp.totals(who) == [(31_00, 0)]
    isp.use(who, on(3, 20), 2)
    isp.bill(APRIL)
    # 34.00 less 2.469134 used are 31.530866: the plan's 31.00 is covered, 33.47 is not.
    assert isp.totals(who) == [(31_00, 0), (33_47, 0)]
    assert isp.accounts(who) == {
        "wallet": 530_866,
        "money:cash": -65_000_000,
        "deferred:bill": 62_000_000,
        "revenue:usage": 2_470_000,
        "rounding": -866,
    }
    isp.top_up(who, 10_00, on(4, 2))
    isp.use(who, on(4, 20), 4)  # 4.938268
    isp.bill(MAY)  # 5.592598 do not cover 31.00
    assert len(isp.totals(who)) == 2
    isp.job("bill_run", on(5, 10, 0))
    assert explain.why(isp.context, who.subscription_id, on(5, 11)).state.rule == "S6"
    isp.top_up(who, 20_00, on(5, 20))
    # 20 May to 10 June: 21 of 31 days, and April's usage.
    assert isp.totals(who)[2:] == [(25_94, 0)]
    assert isp.account(who, "wallet") == 25_592_598 - 21_000_000
    assert explain.why(isp.context, who.subscription_id, on(5, 20)).state.rule == "S8"


@pytest.mark.rule("I6", "I5", "I2")
def test_tax_by_payment_with_usage_part_payment_credit_and_write_off(isp: Isp) -> None:
    who = isp.customer(replace(TAXED, tax_point=TaxPoint.PAYMENT))
    assert isp.totals(who) == [(37_51, 37_51)]
    assert isp.account(who, "tax:unpaid") == 6_510_000
    isp.top_up(who, 37_51, JOINED)
    assert (isp.account(who, "tax"), isp.account(who, "tax:unpaid")) == (6_510_000, 0)
    isp.use(who, on(3, 20), 2)
    isp.bill(APRIL)
    # 31.00 and 2.04 (2.040607), 21 % of 33.04 is 6.94.
    assert isp.totals(who) == [(37_51, 0), (39_98, 39_98)]
    assert isp.account(who, "tax:unpaid") == 6_940_000
    isp.top_up(who, 20_00, on(4, 5))
    assert isp.account(who, "tax") == 6_510_000 + 3_471_735  # 20.00 of 39.98
    second = isp.invoices(who)[1].number
    isp.credit(second, on(4, 6), 10_00)
    # 1.74 of 6.94 is credited; of 5.20 are 20.00 of 29.98 paid.
    assert isp.account(who, "tax") == 6_510_000 + 3_468_979
    assert isp.account(who, "tax:unpaid") == 5_200_000 - 3_468_979
    assert isp.write_off(second, on(4, 7)) == 9_98
    found = isp.accounts(who)
    assert found["bad_debt"] == -(9_980_000 - 1_731_021)
    assert "tax:unpaid" not in found and "receivable" not in found and "wallet" not in found
    with pytest.raises(InvalidInput, match=r"only 20\.00"):
        isp.credit(second, on(4, 8), 20_01)
    assert isp.credit(second, on(4, 8)).to_wallet_micros == 20_000_000
    found = isp.accounts(who)
    # Of the second bill nothing is left but what nobody pays: 9.98 of it, and no tax.
    assert (found["wallet"], found["tax"]) == (20_000_000, 6_510_000)


@pytest.mark.rule("B17", "I1", "I6")
def test_a_plan_changes_in_a_cycle_with_usage_charges_and_a_discount(isp: Isp) -> None:
    who = isp.customer(POSTPAID, cents=31_00)
    for kind, words, terms in (
        (
            ChargeKind.RECURRING,
            "Router",
            {"price_micros": 6_000_000, "starts_on": on(4, 10).date()},
        ),
        (ChargeKind.DISCOUNT, "Loyal", {"discount_ppm": 100_000, "starts_on": on(4, 10).date()}),
        (ChargeKind.ONE_OFF, "Visit", {"price_micros": 5_000_000}),
    ):
        charges.add_charge(isp.context, who.subscription_id, kind, words, on(3, 20), **terms)
    isp.use(who, on(3, 21), 2)
    isp.bill(APRIL)
    # 31.00 − 3.10 + 6.00 + 5.00 + 2.47
    assert isp.totals(who) == [(31_00, 0), (41_37, 41_37)]
    isp.top_up(who, 41_37, on(4, 2))
    isp.job("recognise_revenue", on(4, 24))
    assert isp.account(who, "revenue:bill") == 31_000_000 + 5_000_000
    assert isp.account(who, "deferred:bill") == 33_900_000
    # 25 April to 10 May is 15 of 30 days: half of 27.90 back, half of 45.00 − 4.50 charged.
    done = isp.change_plan(who, FAST, on(4, 24))
    assert (done.credited_micros, done.charged_micros) == (13_950_000, 20_250_000)
    assert isp.totals(who)[2:] == [(20_25, 6_30)]
    # What was earned by 24 April of the old days, and the router's fifteen days that stay: 3.00.
    assert isp.account(who, "revenue:bill") == 36_000_000 + 16_950_000
    assert isp.account(who, "deferred:bill") == 3_000_000 + 20_250_000
    isp.use(who, on(4, 25), 3)
    isp.bill(MAY)
    # 45.00 − 4.50 + 6.00 + 3.70
    assert isp.totals(who)[3:] == [(50_20, 50_20)]
    isp.job("recognise_revenue", on(6, 11))
    assert isp.account(who, "deferred:bill") == 0
    assert isp.account(who, "revenue:usage") == 2_470_000 + 3_700_000
    assert isp.account(who, "revenue:bill") == (31_00 + 19_95 + 5_00 + 20_25 + 46_50) * 10_000


@pytest.mark.rule("P10", "B17")
def test_a_plan_that_the_wallet_does_not_pay_cuts_nobody_off(isp: Isp) -> None:
    who = isp.customer(PREPAID, MONTH, cents=31_00)
    before = isp.accounts(who)
    # 20 of 31 days: 20.00 back, 29.03 for 45.00.
    with pytest.raises(Refused, match=r"9\.03 USD more is needed to pay 29\.03 USD"):
        isp.change_plan(who, FAST, on(3, 20))
    assert isp.accounts(who) == before
    isp.top_up(who, 9_03, on(3, 20))
    isp.change_plan(who, FAST, on(3, 20))
    assert isp.totals(who) == [(31_00, 0), (29_03, 0)]
    assert isp.account(who, "wallet") == 0


@pytest.mark.rule("I5", "I6", "I2")
def test_days_that_were_written_off_are_not_given_back(isp: Isp) -> None:
    who = isp.customer(POSTPAID, MONTH, cents=10_00)
    number = isp.invoices(who)[0].number
    assert isp.write_off(number, on(3, 20)) == 21_00
    assert isp.account(who, "deferred:bill") == 31_000_000
    with pytest.raises(Refused, match="written off, so it stays"):
        isp.credit(number, on(3, 20), void=True)
    # Half of what was paid: from the eleven days earned by 20 March nothing, of the rest 5.00.
    isp.credit(number, on(3, 20), 5_00)
    assert isp.account(who, "revenue:bill") == 11_000_000
    assert isp.account(who, "deferred:bill") == 15_000_000
    # Of the 20 days left 20.00 would come back, but only 5.00 was paid and is not credited.
    done = isp.change_plan(who, FAST, on(3, 20))
    assert (done.credited_micros, done.charged_micros) == (5_000_000, 29_030_000)
    assert isp.totals(who)[1:] == [(29_03, 19_03)]
    isp.job("recognise_revenue", on(4, 11))
    assert isp.accounts(who) == {
        "bad_debt": -21_000_000,
        "money:cash": -10_000_000,
        "receivable": -19_030_000,
        "revenue:bill": 21_000_000 + 29_030_000,
    }


@pytest.mark.rule("I5", "B17")
def test_a_bill_ahead_that_was_written_off_stays_when_the_plan_changes(isp: Isp) -> None:
    who = isp.customer(POSTPAID, MONTH, cents=31_00)
    isp.bill(APRIL)
    isp.top_up(who, 10_00, on(4, 2))
    ahead = isp.invoices(who)[1]
    isp.write_off(ahead.number, on(4, 3))
    done = isp.change_plan(who, replace(MONTH, price_micros=20_000_000), on(4, 4), When.NEXT)
    # 10.00 of the old bill goes back and pays half of the new one's.
    assert (done.credited_micros, done.charged_micros) == (10_000_000, 20_000_000)
    assert isp.totals(who) == [(31_00, 0), (31_00, 0), (20_00, 10_00)]
    assert isp.invoices(who)[1].voided_at is None


@pytest.mark.rule("I2", "B5")
def test_a_void_bill_is_billed_again_with_its_usage_and_no_second_package(isp: Isp) -> None:
    plan = replace(
        PACKED, payg_octet_step=METERED.payg_octet_step, payg_octet_step_micros=1_234_567
    )
    who = isp.customer(POSTPAID, plan)
    first = isp.invoices(who)[0].number
    isp.credit(first, on(3, 11), void=True)
    assert isp.accounts(who) == {}
    isp.bill(on(3, 11))
    assert isp.totals(who) == [(31_00, 31_00)]
    assert isp.account(who, "deferred:bill") == 31_000_000
    assert isp.packages(who) == [(JOINED, on(4, 10, 0))]
    isp.use(who, on(3, 12), 1100)  # 1 153 433 600 octets: the package's 10**9, then 147 MiB
    isp.bill(APRIL)
    again = isp.invoices(who)[-1]
    before = isp.accounts(who)
    usage = again.total_micros - 31_000_000
    assert usage == (147 * 1_234_567 + 5_000) // 10_000 * 10_000
    isp.credit(again.number, on(4, 2), void=True)
    assert isp.account(who, "receivable") == -31_000_000
    assert isp.account(who, "wallet") == -147 * 1_234_567
    isp.bill(on(4, 2))
    assert isp.accounts(who) == before
    assert len(isp.packages(who)) == 1  # the first is used up


@pytest.mark.rule("P14", "P2")
def test_a_bill_that_takes_usage_over_leaves_a_cap_what_it_was(isp: Isp) -> None:
    who = isp.customer(POSTPAID)
    isp.use(who, on(3, 20), 2)
    spending.set_cap(isp.context, who.customer_id, 50_000_000, APRIL)

    def wallet() -> tuple[int, int | None]:
        with isp.context.transaction() as tx:
            row = tx.query(tables.Wallet).filter_by(customer_id=who.customer_id).one()
            return row.posted_micros - row.unposted_micros, row.cap_floor_micros

    assert wallet() == (-2_469_134, -52_469_134)
    isp.bill(APRIL)
    assert wallet() == (0, -50_000_000)


@pytest.mark.rule("I5", "P10")
def test_what_was_written_off_is_not_asked_for_by_the_list_of_the_next_run(isp: Isp) -> None:
    who = isp.customer(POSTPAID, MONTH)
    isp.write_off(isp.invoices(who)[0].number, on(3, 20))
    with isp.context.transaction() as tx:
        (found,) = billing_jobs.billable(tx, [who.customer_id])
    assert found.owed_micros == 0
