"""The totals of a bill by tax rate, and how its amounts are written (rules I1, M2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.documents import amounts
from billing.model.documents import DocumentLine, TaxTotal
from billing.model.money import Money
from billing.rules.documents import credited_totals, tax_totals
from billing.rules.taxes import charge

VAT, REDUCED = 210_000, 75_000


def line(net_micros: int, tax_rate_ppm: int) -> DocumentLine:
    return DocumentLine(text="Home 50", net_micros=net_micros, tax_rate_ppm=tax_rate_ppm)


@pytest.mark.rule("I1")
def test_lines_of_a_rate_are_one_total() -> None:
    lines = [line(10_000_000, VAT), line(4_000_000, REDUCED), line(5_000_000, VAT)]
    assert tax_totals(lines, 3_450_000, "EUR") == (
        TaxTotal(tax_rate_ppm=REDUCED, net_micros=4_000_000, tax_micros=300_000),
        TaxTotal(tax_rate_ppm=VAT, net_micros=15_000_000, tax_micros=3_150_000),
    )


def test_without_lines_there_are_no_totals() -> None:
    assert tax_totals([], 0, "EUR") == ()


@given(
    st.lists(
        st.tuples(st.integers(-(10**10), 10**10), st.sampled_from([0, REDUCED, VAT])), min_size=1
    ),
    st.integers(0, 10**9),
)
@pytest.mark.rule("I1")
def test_totals_add_up_to_the_bill(lines: list[tuple[int, int]], tax_micros: int) -> None:
    totals = tax_totals([line(*one) for one in lines], tax_micros, "EUR")
    assert sum(one.tax_micros for one in totals) == tax_micros
    assert sum(one.net_micros for one in totals) == sum(net for net, _ in lines)
    assert [one.tax_rate_ppm for one in totals] == sorted({rate for _, rate in lines})


@given(st.integers(0, 10**12), st.booleans())
def test_one_rate_has_the_tax_that_was_charged(price_micros: int, inclusive: bool) -> None:
    made = charge(Money(price_micros, "EUR"), VAT, inclusive=inclusive)
    lines = [line(made.net.amount_micros, VAT)]
    (total,) = tax_totals(lines, made.tax.amount_micros, "EUR")
    assert total.tax_micros == made.tax.amount_micros


def total(tax_rate_ppm: int, net_micros: int, tax_micros: int) -> TaxTotal:
    return TaxTotal(tax_rate_ppm=tax_rate_ppm, net_micros=net_micros, tax_micros=tax_micros)


@pytest.mark.rule("I2")
def test_a_part_is_taken_back_of_each_rate_by_its_share() -> None:
    bill = (total(REDUCED, 4_000_000, 300_000), total(VAT, 16_000_000, 3_360_000))
    assert credited_totals(bill, (0, 0), (10_000_000, 1_830_000), "EUR") == (
        total(REDUCED, 2_000_000, 150_000),
        total(VAT, 8_000_000, 1_680_000),
    )
    rest = credited_totals(bill, (10_000_000, 1_830_000), (10_000_000, 1_830_000), "EUR")
    assert rest == (total(REDUCED, 2_000_000, 150_000), total(VAT, 8_000_000, 1_680_000))


@pytest.mark.rule("I2")
def test_shares_are_minor_units_and_the_last_rate_has_what_is_left() -> None:
    bill = (total(0, 10_000_000, 0), total(REDUCED, 10_000_000, 750_000), total(VAT, 10_000_000, 1))
    parts = credited_totals(bill, (0, 0), (10_000_000, 100_000), "EUR")
    assert parts == (
        total(0, 3_330_000, 0),
        total(REDUCED, 3_330_000, 100_000),
        total(VAT, 3_340_000, 0),
    )


def test_one_rate_is_taken_back_as_it_is_and_a_discount_with_it() -> None:
    assert credited_totals((total(VAT, 24_793_388, 5_206_612),), (0, 0), (8_264_463, 1), "EUR") == (
        total(VAT, 8_264_463, 1),
    )
    bill = (total(0, -2_000_000, 0), total(VAT, 12_000_000, 2_520_000))
    assert credited_totals(bill, (0, 0), (5_000_000, 1_260_000), "EUR") == (
        total(0, -1_000_000, 0),
        total(VAT, 6_000_000, 1_260_000),
    )
    assert credited_totals((total(0, -9, 0), total(VAT, 4, 5)), (0, 0), (3, 3), "EUR") == (
        total(VAT, 3, 3),
    )


@given(
    st.lists(st.tuples(st.integers(1, 10**10), st.integers(0, 10**9)), min_size=1, max_size=4),
    st.lists(st.integers(1, 999), max_size=4),
)
@pytest.mark.rule("I2")
def test_notes_that_take_back_all_take_back_what_each_rate_was_charged(
    charged: list[tuple[int, int]], cuts: list[int]
) -> None:
    bill = tuple(total(10_000 * place, *one) for place, one in enumerate(charged))
    whole = sum(one.net_micros for one in bill), sum(one.tax_micros for one in bill)
    ends = [tuple(amount * cut // 1000 for amount in whole) for cut in sorted(cuts)] + [whole]
    taken = {one.tax_rate_ppm: (0, 0) for one in bill}
    before = (0, 0)
    for end in ends:
        note = end[0] - before[0], end[1] - before[1]
        parts = credited_totals(bill, before, note, "EUR")
        assert sum(one.net_micros for one in parts) == note[0]
        assert sum(one.tax_micros for one in parts) == note[1]
        for one in parts:
            net, tax = taken[one.tax_rate_ppm]
            taken[one.tax_rate_ppm] = net + one.net_micros, tax + one.tax_micros
        before = end[0], end[1]
    assert taken == {one.tax_rate_ppm: (one.net_micros, one.tax_micros) for one in bill}


@pytest.mark.parametrize(
    ("amount_micros", "currency", "text"),
    [
        (0, "USD", "0.00"),
        (1_234_567_890_000, "USD", "1\u202f234\u202f567.89"),
        (-5_000, "USD", "\u22120.005"),
        (12_000_000, "JPY", "12"),
        (1_500_000, "KWD", "1.500"),
    ],
)
def test_amounts(amount_micros: int, currency: str, text: str) -> None:
    assert amounts.amount(amount_micros, currency) == text


def test_rates() -> None:
    assert [amounts.rate(one) for one in (0, REDUCED, VAT)] == [
        "0\u202f%",
        "7.5\u202f%",
        "21\u202f%",
    ]
