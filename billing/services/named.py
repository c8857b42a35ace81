"""What a text that came with money names: bills, prepayment invoices and customers that there are
(rule P1)."""

from __future__ import annotations

from collections.abc import Sequence

from billing.model.bank import Named, NamedKind
from billing.rules.bank_match import customers_named, numbers_named, payment_reference
from billing.store import bank as store
from billing.store import gateways, invoices
from billing.store import prepayments as prepayment_store
from billing.store.guard import Transaction

_ID_LIMIT = 2**63


def of_text(tx: Transaction, org_id: int, text: str) -> list[Named]:
    """Of an organisation and those below it."""
    org_ids = gateways.organisations_served(tx, org_id)
    found: list[Named] = []
    for number in sorted(numbers_named(text)):
        if number.startswith(prepayment_store.SERIES):
            found += _prepayments(tx, number, org_ids)
        else:
            found += _bills(tx, number, org_ids)
    wanted = {one for one in customers_named(text) if one < _ID_LIMIT}
    for customer_id, currency in store.customers_there(tx, wanted, org_ids).items():
        number = payment_reference(customer_id)
        found.append(
            Named(
                kind=NamedKind.CUSTOMER, customer_id=customer_id, number=number, currency=currency
            )
        )
    return found


def _bills(tx: Transaction, number: str, org_ids: Sequence[int]) -> list[Named]:
    return [
        Named(
            kind=NamedKind.BILL,
            customer_id=row.customer_id,
            number=row.number,
            currency=row.currency,
            open_micros=invoices.open_micros(row) or row.written_off_micros,
        )
        for row in invoices.find_invoices(tx, number)
        if row.org_id in org_ids
    ]


def _prepayments(tx: Transaction, number: str, org_ids: Sequence[int]) -> list[Named]:
    return [
        Named(
            kind=NamedKind.PREPAYMENT,
            customer_id=row.customer_id,
            number=row.number,
            currency=row.currency,
            open_micros=0 if row.paid_at or row.cancelled_at else row.amount_micros,
        )
        for row in prepayment_store.numbered(tx, number)
        if row.org_id in org_ids
    ]
