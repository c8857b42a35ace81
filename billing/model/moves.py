"""A customer moved to another billing profile (rules B6, B14)."""

from __future__ import annotations

from dataclasses import dataclass

from billing.model.bills import IssuedBill
from billing.model.credits import CreditNoteView
from billing.model.views import CustomerView


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileMove:
    """The customer as it is now, and the money that the move has moved."""

    customer: CustomerView
    credited: tuple[CreditNoteView, ...]
    issued: tuple[IssuedBill, ...]
    topped_up_micros: int = 0
