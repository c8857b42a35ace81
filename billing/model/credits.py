"""Credit notes as services hand them out (rule I2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNoteView:
    """`to_wallet_micros` of the total had been paid already and went to the wallet."""

    customer_id: int
    number: str
    invoice_number: str
    issued_at: datetime
    reason: str
    total_micros: int
    tax_micros: int
    to_wallet_micros: int
    currency: str
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class RateShare:
    """Of one tax rate, in micros: what a bill charged, or a credit note took back."""

    tax_rate_ppm: int
    net_micros: int
    tax_micros: int
    rounding_micros: int

    @property
    def total_micros(self) -> int:
        return self.net_micros + self.tax_micros + self.rounding_micros
