"""Amounts in micros (1/1,000,000 of the currency unit) with an ISO 4217 currency (rules M1, M2)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

MICROS_PER_UNIT = 1_000_000
# Below 2^63 by a factor that leaves room for sums over every wallet of a large operator.
AMOUNT_LIMIT_MICROS = 10**15
# Of what is typed: a short text like 1e999999999 is a number of a gigabyte.
_MOST_DIGITS = 15

_MINOR_DIGITS = {
    **dict.fromkeys(
        (
            "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI",
            "VND", "VUV", "XAF", "XOF", "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}  # fmt: skip


class CurrencyMismatch(ValueError):
    """Amounts of two currencies were mixed (rule M1)."""


def minor_digits(currency: str) -> int:
    """Digits of the currency's minor unit: JPY 0, USD 2, KWD 3."""
    return _MINOR_DIGITS.get(currency, 2)


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount; `amount_micros` may be negative."""

    amount_micros: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount_micros) is not int:
            raise TypeError("amount_micros must be an int, never a float (rule M1)")
        if abs(self.amount_micros) > AMOUNT_LIMIT_MICROS:
            raise ValueError(f"amount out of bounds: {self.amount_micros} micros")
        if len(self.currency) != 3 or not self.currency.isascii() or not self.currency.isupper():
            raise ValueError(f"not an ISO 4217 currency code: {self.currency!r}")

    @classmethod
    def parse(cls, text: str, currency: str) -> Money:
        """`'30.00'` → 30,000,000 micros. Raises ValueError on no number or over six decimals."""
        try:
            number = Decimal(text.strip())
        except InvalidOperation as error:
            raise ValueError(f"not an amount: {text!r} (write it like 30.00)") from error
        if not number.is_finite() or number.adjusted() > _MOST_DIGITS:
            raise ValueError(f"not an amount: {text!r}")
        micros = number * MICROS_PER_UNIT
        if micros != micros.to_integral_value():
            raise ValueError(f"more than six decimals: {text!r}")
        return cls(int(micros), currency)

    def __add__(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(self.amount_micros + other.amount_micros, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(self.amount_micros - other.amount_micros, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount_micros, self.currency)

    def rounded(self) -> Money:
        """Half-up (away from zero) to the minor unit, as invoices and displays need (rule M2)."""
        step = int(MICROS_PER_UNIT / 10 ** minor_digits(self.currency))
        sign = -1 if self.amount_micros < 0 else 1
        return Money(sign * ((abs(self.amount_micros) + step // 2) // step) * step, self.currency)

    def prorated(self, part: int, whole: int) -> Money:
        """This amount × part / whole, rounded half-up to the minor unit (rule B11)."""
        if whole <= 0 or part < 0:
            raise ValueError("a share needs part ≥ 0 and whole > 0")
        numerator, sign = abs(self.amount_micros) * part, -1 if self.amount_micros < 0 else 1
        step = int(MICROS_PER_UNIT / 10 ** minor_digits(self.currency))
        return Money(
            sign * ((2 * numerator + whole * step) // (2 * whole * step)) * step, self.currency
        )

    def __str__(self) -> str:
        digits = minor_digits(self.currency)
        rounded = self.rounded().amount_micros
        sign, rounded = ("-" if rounded < 0 else ""), abs(rounded)
        whole, rest = divmod(rounded, MICROS_PER_UNIT)
        cents = f".{rest // 10 ** (6 - digits):0{digits}d}" if digits else ""
        return f"{sign}{whole}{cents} {self.currency}"

    def _same_currency(self, other: Money) -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} do not mix (rule M1)")
