"""Which usage a bill holds and what its lines and its books say of it (rules I1, M2, P2, P11)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.model.books import UsageOfDay
from billing.model.charges import UnbilledUsage
from billing.model.money import Money
from billing.model.profile import BillIn, BillingProfile, Payment
from billing.rules.bill_run import cycles_to_serve
from billing.rules.credits import credited_usage
from billing.rules.cycles import Cycle
from billing.rules.extras import PricedLine
from billing.rules.taxes import charge_all
from billing.rules.usage_entries import usage_entries
from billing.rules.usage_lines import (
    UsageShare,
    charged,
    fitting,
    left_over,
    usage_lines,
    usage_share,
    usage_until,
)
from tests.factories import MONTHLY

MARCH, APRIL = date(2026, 3, 1), date(2026, 4, 1)
LONG_AGO = date(2020, 1, 1)
PLAIN = replace(MONTHLY, cycle_day=10)
PREPAID = replace(PLAIN, payment=Payment.PREPAID)
NO_TAX_IN = replace(PLAIN, tax_rate_ppm=210_000, tax_inclusive=False)


def usage(micros: int, month: date = MARCH, window: str = "", tax: int = 0) -> UnbilledUsage:
    return UnbilledUsage(
        customer_id=1,
        subscription_id=1,
        month=month,
        tariff_window=window,
        seconds=3_725,
        octets=1_500_000,
        gross_micros=micros,
        tax_micros=tax,
        currency="USD",
        usage_charge_ids=(1, 2),
        billed_this_month=False,
    )


@pytest.mark.rule("I1")
@pytest.mark.parametrize(
    ("bill_in", "first", "until", "before"),
    [
        (BillIn.ADVANCE, date(2026, 4, 10), date(2026, 5, 10), APRIL),
        (BillIn.ADVANCE, APRIL, date(2026, 5, 1), APRIL),
        (BillIn.ADVANCE, date(2026, 4, 30), date(2026, 5, 30), APRIL),
        (BillIn.ARREARS, date(2026, 2, 10), date(2026, 3, 10), APRIL),
        (BillIn.ARREARS, MARCH, APRIL, APRIL),
        (BillIn.ARREARS, date(2026, 2, 28), date(2026, 3, 31), APRIL),
        (BillIn.ARREARS, date(2026, 2, 2), date(2026, 3, 2), APRIL),
    ],
)
def test_a_bill_holds_usage_of_before_the_day_one_of_its_issue(
    bill_in: BillIn, first: date, until: date, before: date
) -> None:
    assert usage_until(replace(PLAIN, bill_in=bill_in), Cycle(first, until)) == before


@pytest.mark.rule("I1")
@pytest.mark.rule("M2")
def test_a_line_a_month_and_window_with_amounts_and_rounded_price() -> None:
    found = usage_lines(
        [
            usage(1_004_999),
            usage(1_005_000, window="peak"),
            usage(4_999),
            usage(9_000_000, APRIL),
        ],
        PLAIN,
        APRIL,
        date(2026, 3, 18),
    )
    assert [(line.text, line.price.amount_micros) for line in found] == [
        ("Usage, 2026-03-18 to 2026-04-01: 1.5 MB, 1:02:05", 1_000_000),
        ("Usage in peak, 2026-03-18 to 2026-04-01: 1.5 MB, 1:02:05", 1_010_000),
    ]


@pytest.mark.rule("I1")
def test_days_of_a_line_end_where_the_bill_ends() -> None:
    (early,) = usage_lines([usage(1_000_000)], PLAIN, date(2026, 3, 21), LONG_AGO)
    (late,) = usage_lines([usage(1_000_000)], PLAIN, date(2026, 5, 1), APRIL)
    assert early.text.startswith("Usage, 2026-03-01 to 2026-03-21:")
    assert late.text.startswith("Usage, 2026-03-01 to 2026-04-01:")


@pytest.mark.rule("M2")
def test_where_prices_are_without_tax_it_is_taken_out_of_usage() -> None:
    (line,) = usage_lines([usage(1_210_000)], NO_TAX_IN, APRIL, LONG_AGO)
    assert line.price == Money(1_000_000, "USD")


@pytest.mark.rule("I1")
def test_a_correction_downwards_waits_for_a_bill_that_bears_it() -> None:
    plan = PricedLine("plan", Money(1_000_000, "USD"))
    for micros, fits in ((-1_000_000, True), (-1_010_000, False)):
        lines = usage_lines([usage(micros)], PLAIN, APRIL, LONG_AGO)
        assert fitting([plan], lines) == (lines if fits else [])


@pytest.mark.rule("I1")
def test_what_a_bill_holds_is_left_for_no_other() -> None:
    pieces = [usage(1_000_000), usage(2_000_000, window="peak"), usage(3_000_000, APRIL)]
    lines = usage_lines(pieces, PLAIN, APRIL, LONG_AGO)
    assert left_over(pieces, lines) == pieces[2:]


@pytest.mark.rule("P11")
@given(
    plan=st.integers(0, 10**8),
    micros=st.lists(st.integers(-(10**6), 10**8), min_size=1, max_size=4),
    ppm=st.sampled_from([0, 77_000, 210_000]),
    inclusive=st.booleans(),
    payment=st.sampled_from(list(Payment)),
)
def test_usage_adds_up_and_prepaid_owes_nothing_new(
    plan: int, micros: list[int], ppm: int, inclusive: bool, payment: Payment
) -> None:
    profile = replace(PLAIN, payment=payment, tax_rate_ppm=ppm, tax_inclusive=inclusive)
    own = PricedLine("plan", Money(plan, "USD").rounded())
    pieces = [usage(one, window=f"w{place}", tax=one // 9) for place, one in enumerate(micros)]
    lines = [own, *fitting([own], usage_lines(pieces, profile, APRIL, LONG_AGO))]
    whole, nets = charge_all([one.price for one in lines], ppm, inclusive=inclusive)
    share = usage_share(lines, nets, profile, whole.total)
    held = [line.usage for line in lines if line.usage is not None]
    if not held:
        assert share == UsageShare()
        return
    assert share.micros == sum(one.gross_micros for one in held)
    assert share.tax_micros == sum(one.tax_micros for one in held)
    assert share.net_micros + nets[0].amount_micros == whole.net.amount_micros
    alone = charge_all([own.price], ppm, inclusive=inclusive)[0].total
    assert share.owed is (payment is Payment.POSTPAID)
    if share.owed:
        assert share.paid_micros == 0
    else:
        assert share.paid_micros == max(0, (whole.total - alone).amount_micros)


@pytest.mark.rule("I1")
def test_usage_has_the_tax_rate_of_its_plan() -> None:
    profile = replace(NO_TAX_IN, tax_rate_ppm=210_000)
    own = replace(usage(1_100_000), tax_rate_ppm=100_000)
    (line,) = usage_lines([own], profile, APRIL, LONG_AGO)
    assert (line.price, line.tax_rate_ppm) == (Money(1_000_000, "USD"), 100_000)
    whole, (taxed,) = charged([line], profile)
    assert (whole.tax, taxed.tax) == (Money(100_000, "USD"), Money(100_000, "USD"))


@pytest.mark.rule("P11")
def test_a_prepaid_bill_of_usage_alone_is_paid() -> None:
    lines = usage_lines([usage(1_234_567)], PREPAID, APRIL, LONG_AGO)
    whole, nets = charge_all([line.price for line in lines], 0, inclusive=True)
    share = usage_share(lines, nets, PREPAID, whole.total)
    assert share == UsageShare(1_234_567, 0, 1_230_000, owed=False, paid_micros=1_230_000)


@pytest.mark.rule("P2")
def test_an_entry_a_wallet_and_day_with_tax_where_it_belongs() -> None:
    def used(micros: int, day: int, *, wallet: int = 1, to_bill: bool = True) -> UsageOfDay:
        return UsageOfDay(
            customer_id=7,
            org_id=3,
            subscription_id=1,
            wallet_id=wallet,
            currency="USD",
            local_day=date(2026, 3, day),
            tariff_window="",
            tax_rate_ppm=210_000,
            to_bill=to_bill,
            seconds=0,
            octets=0,
            gross_micros=micros,
        )

    entries = usage_entries(
        [
            used(1_210_000, 1),
            used(2_420_000, 1, to_bill=False),
            used(121, 2),
            used(121, 2, wallet=2),
        ]
    )
    assert [
        (
            one.wallet_id,
            one.local_day.day,
            one.gross_micros,
            one.tax_micros,
            one.unbilled_tax_micros,
        )
        for one in entries
    ] == [(1, 1, 3_630_000, 420_000, 210_000), (1, 2, 121, 0, 21), (2, 2, 121, 0, 21)]
    assert [tax for _, tax in entries[0].pieces] == [210_000, 420_000]
    assert {(one.customer_id, one.org_id, one.currency) for one in entries} == {(7, 3, "USD")}


@pytest.mark.rule("I2")
@given(
    part=st.integers(0, 100),
    cuts=st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=4),
)
def test_credits_of_a_bill_take_all_of_its_usage_back(
    part: int, cuts: list[tuple[int, bool]]
) -> None:
    net_left = Money(sum(one for one, _ in cuts) * 10_000, "USD")
    left = net_left.prorated(part, 100)
    for cents, of_days in cuts:
        amount = Money(cents * 10_000, "USD")
        taken = credited_usage(net_left, amount, left, of_days=of_days)
        assert 0 <= taken.amount_micros <= min(amount.amount_micros, left.amount_micros)
        left, net_left = left - taken, net_left - amount
        assert left.amount_micros <= net_left.amount_micros
    assert left == Money(0, "USD")


@pytest.mark.rule("I2")
def test_half_of_what_is_left_of_a_bill_is_half_of_its_usage() -> None:
    net_left, net, usage = (Money(one, "USD") for one in (20_000_000, 10_000_000, 8_000_000))
    assert credited_usage(net_left, net, usage, of_days=False) == Money(4_000_000, "USD")


@pytest.mark.rule("B17")
def test_days_given_back_leave_usage_unless_nothing_else_is_left() -> None:
    bill, usage = Money(30_000_000, "USD"), Money(8_000_000, "USD")
    for cents, taken in ((20_00, 0), (22_00, 0), (25_00, 3_00)):
        amount = Money(cents * 10_000, "USD")
        found = credited_usage(bill, amount, usage, of_days=True)
        assert found == Money(taken * 10_000, "USD")


@pytest.mark.rule("I2")
def test_usage_of_less_than_nothing_goes_with_the_last_credit() -> None:
    bill, usage = Money(30_000_000, "USD"), Money(-2_000_000, "USD")
    part, rest = Money(10_000_000, "USD"), Money(20_000_000, "USD")
    assert credited_usage(bill, part, usage, of_days=False) == Money(0, "USD")
    assert credited_usage(rest, rest, usage, of_days=True) == usage


@pytest.mark.rule("B6")
@pytest.mark.parametrize(
    ("today", "found"),
    [
        (date(2026, 4, 8), [(18, 3)]),
        (date(2026, 4, 9), [(18, 3), (10, 4)]),
        (date(2026, 4, 10), [(10, 4)]),
        (date(2026, 6, 20), [(10, 6)]),
        (date(2026, 3, 16), []),
        (date(2026, 3, 17), [(18, 3)]),
    ],
)
def test_cycles_are_served_from_the_day_before(today: date, found: list[tuple[int, int]]) -> None:
    profile: BillingProfile = replace(PLAIN, bill_in=BillIn.ARREARS)
    cycles = cycles_to_serve(profile, date(2026, 3, 18), today)
    assert [(one.first_day.day, one.first_day.month) for one in cycles] == found
