"""What a bill is called in a list (rules B9, I2, I4)."""

from __future__ import annotations

from datetime import date

from billing.model.customer_record import BillState
from billing.model.views import InvoiceView


def bill_state(bill: InvoiceView, today: date) -> BillState:
    """On the local day `today`; the whole of its payment date is still payable."""
    if bill.open_micros > 0:
        return BillState.OVERDUE if bill.due_on < today else BillState.OPEN
    whole = bill.total_micros > 0 and bill.credited_micros == bill.total_micros
    return BillState.CREDITED if whole else BillState.PAID
