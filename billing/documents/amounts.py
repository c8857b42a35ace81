"""Amounts, rates and days as papers show them, in the language of who gets them."""

from __future__ import annotations

from datetime import date

from billing import languages
from billing.model.money import MICROS_PER_UNIT, minor_digits

THIN_SPACE = "\u202f"  # never broken at the end of a line
MINUS = "\u2212"


def amount(amount_micros: int, currency: str, language: str = languages.FALLBACK) -> str:
    """`1 234.50` with thin spaces; decimals beyond the minor unit only where there are any, so that
    what is shown adds up (rule M2)."""
    whole, rest = divmod(abs(amount_micros), MICROS_PER_UNIT)
    decimals = f"{rest:06d}".rstrip("0").ljust(minor_digits(currency), "0")
    text = f"{whole:,}".replace(",", THIN_SPACE)
    if decimals:
        text += languages.decimal_mark(language) + decimals
    return f"{MINUS}{text}" if amount_micros < 0 else text


def rate(tax_rate_ppm: int, language: str = languages.FALLBACK) -> str:
    """`7.5 %`."""
    whole, rest = divmod(tax_rate_ppm, 10_000)
    decimals = f"{rest:04d}".rstrip("0")
    text = f"{whole}{languages.decimal_mark(language)}{decimals}" if decimals else f"{whole}"
    return f"{text}{THIN_SPACE}%"


def day(moment: date, language: str = languages.FALLBACK) -> str:
    """`21 Nov 2026`."""
    return languages.short_day(moment, language)
