"""What a bill is called in a list (rules B9, I2)."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from billing.model.customer_record import BillState
from billing.model.views import InvoiceView
from billing.rules.bill_states import bill_state

DUE = date(2026, 3, 20)


def _bill(total: int, paid: int = 0, credited: int = 0, written_off: int = 0) -> InvoiceView:
    return InvoiceView(
        invoice_id=1,
        customer_id=1,
        subscription_id=1,
        number="INV-1",
        issued_at=datetime(2026, 3, 10, tzinfo=UTC),
        due_on=DUE,
        cycle_from=None,
        cycle_until=None,
        total_micros=total,
        paid_micros=paid,
        credited_micros=credited,
        written_off_micros=written_off,
        currency="USD",
        paid_at=None,
    )


@pytest.mark.rule("B9")
def test_the_whole_of_the_payment_date_is_payable() -> None:
    assert bill_state(_bill(30), DUE) is BillState.OPEN
    assert bill_state(_bill(30), date(2026, 3, 21)) is BillState.OVERDUE
    assert bill_state(_bill(30, paid=29), date(2026, 3, 21)) is BillState.OVERDUE


@pytest.mark.rule("I2", "I4")
def test_what_is_settled_is_paid_or_credited() -> None:
    late = date(2026, 4, 1)
    assert bill_state(_bill(30, paid=30), late) is BillState.PAID
    assert bill_state(_bill(30, paid=10, credited=20), late) is BillState.PAID
    assert bill_state(_bill(30, credited=30), late) is BillState.CREDITED
    assert bill_state(_bill(30, credited=29), late) is BillState.OVERDUE
    assert bill_state(_bill(30, paid=10, written_off=20), late) is BillState.WRITTEN_OFF
    assert bill_state(_bill(30, paid=10, written_off=19), late) is BillState.OVERDUE
    assert bill_state(_bill(1, credited=1), late) is BillState.CREDITED
    assert bill_state(_bill(0), late) is BillState.PAID
