"""The totals of a bill by tax rate, and how its amounts are written (rules I1, M2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.documents import amounts
from billing.model.documents import DocumentLine, TaxTotal
from billing.model.money import Money
from billing.rules.documents import tax_totals
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
