"""Money is exact (M1) and rounds half-up to the currency's minor unit (M2)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.model.money import AMOUNT_LIMIT_MICROS, CurrencyMismatch, Money, minor_digits

AMOUNTS = st.integers(-AMOUNT_LIMIT_MICROS // 2, AMOUNT_LIMIT_MICROS // 2)
CURRENCIES = st.sampled_from(["JPY", "USD", "KWD"])


@pytest.mark.rule("M1")
def test_floats_are_refused() -> None:
    with pytest.raises(TypeError):
        Money(1.5, "USD")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Money(True, "USD")


@pytest.mark.rule("M1")
def test_currencies_do_not_mix() -> None:
    with pytest.raises(CurrencyMismatch, match="USD and EUR"):
        Money(1, "USD") + Money(1, "EUR")
    with pytest.raises(CurrencyMismatch):
        Money(1, "USD") - Money(1, "EUR")


@pytest.mark.rule("M1")
@pytest.mark.parametrize("amount", [AMOUNT_LIMIT_MICROS + 1, -AMOUNT_LIMIT_MICROS - 1, 2**63])
def test_amounts_are_bounded(amount: int) -> None:
    with pytest.raises(ValueError, match="out of bounds"):
        Money(amount, "USD")


@pytest.mark.rule("M1")
@pytest.mark.parametrize("code", ["usd", "US", "DOLLAR", "ÜSD", ""])
def test_a_currency_is_three_capitals(code: str) -> None:
    with pytest.raises(ValueError, match="ISO 4217"):
        Money(1, code)


@pytest.mark.rule("M1")
@pytest.mark.parametrize(
    ("text", "micros"),
    [("30.00", 30_000_000), (" 0.000001 ", 1), ("-1.5", -1_500_000), ("0", 0)],
)
def test_parsing_is_exact(text: str, micros: int) -> None:
    assert Money.parse(text, "USD").amount_micros == micros


@pytest.mark.rule("M1")
@pytest.mark.parametrize("text", ["", "thirty", "1,50", "NaN", "Infinity", "0.0000001", "1e30"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Money.parse(text, "USD")


@pytest.mark.rule("M2")
@pytest.mark.parametrize(
    ("micros", "currency", "text"),
    [
        (22_258_064, "USD", "22.26 USD"),
        (5_000, "USD", "0.01 USD"),
        (4_999, "USD", "0.00 USD"),
        (-5_000, "USD", "-0.01 USD"),
        (1_500_000, "JPY", "2 JPY"),
        (1_234_500, "KWD", "1.235 KWD"),
        (-1_234_567_890_000, "USD", "-1234567.89 USD"),
    ],
)
def test_display_rounds_half_up_to_the_minor_unit(micros: int, currency: str, text: str) -> None:
    assert str(Money(micros, currency)) == text


@pytest.mark.rule("M2")
@given(AMOUNTS, CURRENCIES)
def test_rounding_moves_by_at_most_half_a_minor_unit(micros: int, currency: str) -> None:
    step = 10 ** (6 - minor_digits(currency))
    rounded = Money(micros, currency).rounded().amount_micros
    assert rounded % step == 0
    assert abs(rounded - micros) * 2 <= step
    assert Money(-micros, currency).rounded().amount_micros == -rounded


@pytest.mark.rule("B11")
@given(st.integers(0, 10**12), CURRENCIES, st.integers(1, 31), st.integers(0, 31))
def test_a_share_is_the_exact_fraction_rounded_once(
    micros: int, currency: str, whole: int, part: int
) -> None:
    step = 10 ** (6 - minor_digits(currency))
    share = Money(micros, currency).prorated(part, whole).amount_micros
    assert share % step == 0
    assert abs(Fraction(share) - Fraction(micros * part, whole)) * 2 <= step


@pytest.mark.rule("B11")
def test_a_share_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="whole > 0"):
        Money(1, "USD").prorated(1, 0)
