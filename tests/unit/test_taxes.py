"""What a price comes to with its tax."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.model.money import Money
from billing.rules.taxes import charge, charge_all, contained_tax, due_by_payment, due_by_recovery


@pytest.mark.rule("M2")
@pytest.mark.parametrize(
    ("micros", "currency", "ppm", "inclusive", "total", "tax"),
    [
        (30_000_000, "EUR", 210_000, True, 30_000_000, 5_210_000),
        (30_000_000, "EUR", 210_000, False, 36_300_000, 6_300_000),
        (100_000_000, "JPY", 100_000, True, 100_000_000, 9_000_000),
        (1_005_000, "KWD", 0, True, 1_005_000, 0),
        (1_005_000, "USD", 0, True, 1_010_000, 0),
    ],
)
def test_known_charges(
    micros: int, currency: str, ppm: int, inclusive: bool, total: int, tax: int
) -> None:
    found = charge(Money(micros, currency), ppm, inclusive=inclusive)
    assert (found.total.amount_micros, found.tax.amount_micros) == (total, tax)


@pytest.mark.rule("M2")
@pytest.mark.rule("M4")
@given(
    micros=st.integers(0, 10**12),
    currency=st.sampled_from(["USD", "JPY", "KWD"]),
    ppm=st.integers(0, 1_000_000),
    inclusive=st.booleans(),
)
def test_parts_make_up_the_total_exactly(
    micros: int, currency: str, ppm: int, inclusive: bool
) -> None:
    found = charge(Money(micros, currency), ppm, inclusive=inclusive)
    assert found.net + found.tax + found.rounding == found.total
    assert found.total == found.total.rounded()
    assert found.tax == found.tax.rounded()
    assert 0 <= found.tax.amount_micros <= found.total.amount_micros


@pytest.mark.rule("I1")
def test_several_prices_are_taxed_as_their_sum() -> None:
    prices = [Money.parse(text, "EUR") for text in ("10.00", "5.00", "0.05")]
    whole, nets = charge_all(prices, 210_000, inclusive=False)
    assert whole == charge(Money.parse("15.05", "EUR"), 210_000, inclusive=False)
    assert nets == tuple(prices)
    whole, nets = charge_all(prices, 210_000, inclusive=True)
    assert whole == charge(Money.parse("15.05", "EUR"), 210_000, inclusive=True)
    # 2.61 of tax in all, 0.87 and 0.01 of it in the last two.
    assert [str(net) for net in nets] == ["8.27 EUR", "4.13 EUR", "0.04 EUR"]


@pytest.mark.rule("P3")
@pytest.mark.parametrize(
    ("micros", "ppm", "tax"),
    [
        (1_210_000, 210_000, 210_000),
        (-1_210_000, 210_000, -210_000),
        (3, 1_000_000, 2),
        (1, 1_000_000, 1),
        (-1, 1_000_000, -1),
        (2, 500_000, 1),
        (5, 0, 0),
        (0, 210_000, 0),
    ],
)
def test_the_tax_in_usage_is_exact_to_the_micro(micros: int, ppm: int, tax: int) -> None:
    assert contained_tax(Money(micros, "EUR"), ppm) == Money(tax, "EUR")


@pytest.mark.rule("I6")
@pytest.mark.parametrize(
    ("paid", "due"), [(0, 0), (1, 0), (4_030_000, 699_421), (12_099_999, 2_099_999)]
)
def test_tax_is_due_in_proportion_to_what_is_paid(paid: int, due: int) -> None:
    assert due_by_payment(2_100_000, paid, 12_100_000) == due


@pytest.mark.rule("I6")
def test_all_of_the_tax_is_due_with_the_last_of_the_total() -> None:
    assert due_by_payment(2_100_000, 12_100_000, 12_100_000) == 2_100_000
    assert due_by_payment(0, 0, 0) == 0


@pytest.mark.rule("I5")
@pytest.mark.rule("I6")
@pytest.mark.parametrize(
    ("before", "amount", "due"),
    [
        (0, 1_000_000, 173_553),
        (1_000_000, 1_000_000, 173_554),
        (1_000_000, 7_100_000, 1_232_233),
        (0, 8_100_000, 1_405_786),
    ],
)
def test_what_comes_in_of_a_write_off_makes_its_share_due(
    before: int, amount: int, due: int
) -> None:
    """1.405786 of 8.10 was released; the parts add up to it."""
    assert due_by_recovery(1_405_786, 8_100_000, before, amount) == due
