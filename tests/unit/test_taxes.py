"""What a price comes to with its tax."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.model.money import Money
from billing.rules.taxes import charge


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
