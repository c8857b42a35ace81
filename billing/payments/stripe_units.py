"""The units that Stripe counts amounts in: mostly ISO 4217's minor units, but not always."""

from __future__ import annotations

from billing.model.money import MICROS_PER_UNIT, Money
from billing.model.payments import Unpayable

# As its documentation of currencies lists them.
_WHOLE = frozenset(
    {
        "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF",
        "XOF", "XPF",
    }
)  # fmt: skip
_THOUSANDTHS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
# Two digits that are always zero.
_HUNDREDS = frozenset({"ISK", "UGX"})


def to_units(amount: Money) -> int:
    """Raises Unpayable: an amount that Stripe cannot take."""
    units, rest = divmod(amount.amount_micros, _step(amount.currency))
    if rest or (amount.currency in _HUNDREDS and units % 100):
        raise Unpayable(str(amount))
    if amount.currency in _THOUSANDTHS and units % 10:
        raise Unpayable(f"{amount} does not end in 0")
    return units


def from_units(units: int, currency: str) -> Money:
    code = currency.upper()
    return Money(units * _step(code), code)


def _step(currency: str) -> int:
    if currency in _WHOLE:
        return MICROS_PER_UNIT
    return MICROS_PER_UNIT // (1000 if currency in _THOUSANDTHS else 100)
