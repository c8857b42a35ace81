"""Several tax rates on a bill, and what credit notes take back of each (rules I1, I2, I6, M2)."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from access_builders import monthly_profile, plan
from hypothesis import given
from hypothesis import strategies as st

from billing.model.credits import RateShare
from billing.model.documents import TaxTotal
from billing.model.money import Money
from billing.model.plan_text import percent_words, rolling_words, tax_words
from billing.model.profile import TaxPoint
from billing.rules.rates import charged_rates, credited_rates, left_of_rates, sum_of
from billing.rules.taxes import Charge, Taxed, charge_all, charge_rates, rate_of, taxed_as

FULL, REDUCED = 210_000, 75_000
CENT = 10_000


def eur(text: str) -> Money:
    return Money.parse(text, "EUR")


def share(rate: int, net: int, tax: int, rounding: int = 0) -> RateShare:
    """In cents."""
    return RateShare(rate, net * CENT, tax * CENT, rounding * CENT)


@pytest.mark.rule("I1")
def test_each_rate_is_taxed_on_its_sum_and_lines_share_it() -> None:
    prices = [eur(text) for text in ("10.02", "5.00", "10.02", "2.03")]
    rates = [FULL, REDUCED, FULL, REDUCED]
    whole, parts = charge_rates(prices, rates, inclusive=False)
    # 20.04 at 21 % is 4.2084; 7.03 at 7.5 % is 0.52725.
    assert (whole.net, whole.tax, whole.total) == (eur("27.07"), eur("4.74"), eur("31.81"))
    # 2.10 each is 0.01 short of 4.21; 0.38 and 0.15 have 0.53.
    assert parts == (
        Taxed(eur("10.02"), eur("2.11")),
        Taxed(eur("5.00"), eur("0.38")),
        Taxed(eur("10.02"), eur("2.10")),
        Taxed(eur("2.03"), eur("0.15")),
    )


@pytest.mark.rule("I1")
def test_prices_with_tax_stay_what_they_are() -> None:
    prices = [eur("12.10"), eur("10.75"), eur("0.05")]
    whole, parts = charge_rates(prices, [FULL, REDUCED, FULL], inclusive=True)
    assert (whole.total, whole.tax, whole.rounding) == (eur("22.90"), eur("2.86"), eur("0"))
    assert [one.net + one.tax for one in parts] == prices
    assert [str(one.tax) for one in parts] == ["2.10 EUR", "0.75 EUR", "0.01 EUR"]


@pytest.mark.rule("M2")
def test_the_total_of_all_rates_is_rounded_once() -> None:
    whole, _ = charge_rates([eur("1.004"), eur("1.004")], [FULL, REDUCED], inclusive=False)
    assert (whole.net, whole.tax) == (eur("2.008"), eur("0.29"))
    assert (whole.total, whole.rounding) == (eur("2.30"), eur("0.002"))


@pytest.mark.rule("I1")
@given(
    prices=st.lists(st.integers(-(10**6), 10**8), min_size=1, max_size=6),
    rate=st.sampled_from([0, REDUCED, FULL]),
    inclusive=st.booleans(),
)
def test_one_rate_comes_to_what_it_always_did(
    prices: list[int], rate: int, inclusive: bool
) -> None:
    amounts = [Money(one, "EUR") for one in prices]
    whole, parts = charge_rates(amounts, [rate] * len(prices), inclusive=inclusive)
    known, nets = charge_all(amounts, rate, inclusive=inclusive)
    assert whole == known
    assert tuple(one.net for one in parts) == nets
    assert sum(one.tax.amount_micros for one in parts) == known.tax.amount_micros


@pytest.mark.rule("I1")
@pytest.mark.rule("I6")
def test_a_plan_has_its_own_tax_or_the_profiles() -> None:
    profile = monthly_profile(tax_rate_ppm=REDUCED, tax_point=TaxPoint.PAYMENT)
    assert taxed_as(profile, None) == profile
    assert taxed_as(profile, plan()) == profile
    own = plan(tax_rate_ppm=0, tax_point=TaxPoint.ISSUE)
    assert taxed_as(profile, own) == replace(profile, tax_rate_ppm=0, tax_point=TaxPoint.ISSUE)
    assert (rate_of(None, profile), rate_of(0, profile), rate_of(FULL, profile)) == (
        REDUCED,
        0,
        FULL,
    )


def test_what_a_plan_says_of_its_taxes() -> None:
    assert tax_words(plan()) == rolling_words(plan()) == []
    own = plan(tax_rate_ppm=0, tax_point=TaxPoint.ISSUE, rolls_over=True, octets=1)
    assert tax_words(own) == ["tax 0 %", "tax due when bills are issued"]
    assert rolling_words(own) == ["what is unused rolls over"]
    assert tax_words(plan(tax_point=TaxPoint.PAYMENT)) == ["tax due when bills are paid"]
    assert [percent_words(one) for one in (75_000, 210_000, 1, 1_000_000)] == [
        "7.5 %",
        "21 %",
        "0.0001 %",
        "100 %",
    ]


BILL = [share(REDUCED, 1000, 75), share(FULL, 3000, 630, 1)]


@pytest.mark.rule("M2")
def test_the_rounding_of_a_bill_belongs_to_its_largest_rate() -> None:
    totals = [
        TaxTotal(tax_rate_ppm=REDUCED, net_micros=3, tax_micros=1),
        TaxTotal(tax_rate_ppm=FULL, net_micros=2, tax_micros=4),
    ]
    assert charged_rates(totals, 7) == [RateShare(REDUCED, 3, 1, 7), RateShare(FULL, 2, 4, 0)]
    assert charged_rates([], 0) == []
    assert charged_rates(totals, 7)[0].total_micros == 11


@pytest.mark.rule("I2")
def test_what_is_left_of_each_rate() -> None:
    taken = [share(FULL, 100, 21), share(FULL, 10, 2, 1), share(REDUCED, 5, 1)]
    assert left_of_rates(BILL, taken) == [share(REDUCED, 995, 74), share(FULL, 2890, 607)]


@pytest.mark.rule("I2")
def test_a_credit_takes_of_each_rate_by_what_is_left() -> None:
    # 10.00 by 10.75 and 36.31 of 47.06: 2.28 and 7.72.
    assert credited_rates(BILL, eur("10.00")) == [share(REDUCED, 212, 16), share(FULL, 638, 134)]
    assert credited_rates(BILL, eur("47.06")) == BILL
    # No rate gives what it has not.
    left = [share(REDUCED, 0, 0), share(FULL, 100, 21)]
    assert credited_rates(left, eur("1.00")) == [share(FULL, 83, 17)]
    assert credited_rates(left, eur("1.21")) == [share(FULL, 100, 21)]


@pytest.mark.rule("I2")
def test_a_credit_of_days_takes_of_their_rates() -> None:
    of_plan = {FULL: Fraction(12_100_000)}
    assert credited_rates(BILL, eur("12.10"), of_plan) == [share(FULL, 1000, 210)]
    both = {FULL: Fraction(30), REDUCED: Fraction(10)}
    assert credited_rates(BILL, eur("4.00"), both) == [share(REDUCED, 93, 7), share(FULL, 248, 52)]
    # More than the rate has left is taken of the other.
    assert credited_rates(BILL, eur("40.00"), of_plan) == [
        share(REDUCED, 343, 26),
        share(FULL, 3000, 630, 1),
    ]
    assert credited_rates(BILL, eur("12.00"), {REDUCED: Fraction(1)}) == [
        share(REDUCED, 1000, 75),
        share(FULL, 103, 22),
    ]


@pytest.mark.rule("I2")
@pytest.mark.parametrize("amount", ["0", "47.07"])
def test_nothing_and_more_than_is_left_are_refused(amount: str) -> None:
    with pytest.raises(ValueError, match="that is left of all rates"):
        credited_rates(BILL, eur(amount))


@pytest.mark.rule("I2")
def test_a_micro_of_two_is_taken_once() -> None:
    left = [RateShare(REDUCED, 1, 0, 0), RateShare(FULL, 1, 0, 0)]
    assert credited_rates(left, Money(1, "EUR")) == [RateShare(FULL, 1, 0, 0)]


@pytest.mark.rule("I2")
def test_all_rates_together() -> None:
    assert sum_of(BILL, "EUR") == Charge(eur("47.06"), eur("40.00"), eur("7.05"), eur("0.01"))


def test_a_rate_of_less_than_nothing_goes_with_the_last_credit() -> None:
    left = [share(REDUCED, -100, -8), share(FULL, 1000, 210)]
    part = credited_rates(left, eur("5.00"))
    assert [one.tax_rate_ppm for one in part] == [FULL]
    rest = left_of_rates(left, part)
    assert credited_rates(rest, eur("6.02")) == rest


@pytest.mark.rule("I2")
@given(
    charged=st.lists(
        st.tuples(st.integers(0, 10**6), st.integers(0, 10**5)), min_size=2, max_size=4
    ),
    cuts=st.lists(st.integers(1, 999), max_size=4),
    by_first=st.booleans(),
)
def test_credits_that_add_up_take_back_what_each_rate_was_charged(
    charged: list[tuple[int, int]], cuts: list[int], by_first: bool
) -> None:
    bill = [share(place, net, tax) for place, (net, tax) in enumerate(charged)]
    taken: list[RateShare] = []
    weights = {0: Fraction(1)} if by_first else None
    for cut in [*cuts, 1000]:
        left = left_of_rates(bill, taken)
        whole = Money(sum(one.total_micros for one in left), "EUR")
        amount = whole if cut == 1000 else whole.prorated(cut, 1000)
        if not amount.amount_micros:
            continue
        parts = credited_rates(left, amount, weights)
        assert sum_of(parts, "EUR").total == amount
        for one in left_of_rates(left, parts):
            assert min(one.net_micros + one.tax_micros, one.total_micros) >= 0
        taken += parts
    assert all(one.net_micros == one.tax_micros == 0 for one in left_of_rates(bill, taken))
