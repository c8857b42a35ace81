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
