"""What a plan and its taxes say in words, in English."""

from __future__ import annotations

from decimal import Decimal

from billing.model.plan import PlanTerms
from billing.model.profile import TaxPoint


def percent_words(ppm: int) -> str:
    """`7.5 %`, from parts per million."""
    return f"{Decimal(ppm) / 10_000:f} %"


def rolling_words(terms: PlanTerms) -> list[str]:
    """What becomes of the unused (rule B4)."""
    return ["what is unused rolls over"] if terms.rolls_over else []


def tax_words(terms: PlanTerms) -> list[str]:
    """What a plan has of taxes of its own (rules I1, I6)."""
    paid = terms.tax_point is TaxPoint.PAYMENT
    return [
        *([f"tax {percent_words(terms.tax_rate_ppm)}"] if terms.tax_rate_ppm is not None else []),
        *([f"tax due when bills are {'paid' if paid else 'issued'}"] if terms.tax_point else []),
    ]
