"""What a text that came with money names: bills, prepayment invoices and customers that there are
(rule P1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from billing.model.bank import Named, NamedKind
from billing.rules.bank_match import customers_named, numbers_named, payment_reference
from billing.store import bank as store
from billing.store import invoices
from billing.store import prepayments as prepayment_store
from billing.store.guard import Transaction

_ID_LIMIT = 2**63


def of_text(tx: Transaction, org_ids: Sequence[int], text: str) -> list[Named]:
    """Of these organisations."""
    return of_texts(tx, org_ids, {text: text})[text]


def of_texts(
    tx: Transaction, org_ids: Sequence[int], texts: Mapping[str, str]
) -> dict[str, list[Named]]:
    """The same of many texts, each by its key."""
    numbers = {key: sorted(numbers_named(text)) for key, text in texts.items()}
    payers = {
        key: [one for one in customers_named(text) if one < _ID_LIMIT]
        for key, text in texts.items()
    }
    found = _by_number(tx, {one for some in numbers.values() for one in some}, org_ids)
    wanted = {one for some in payers.values() for one in some}
    there = store.customers_there(tx, wanted, org_ids) if wanted else {}
    return {
        key: [
            *(one for number in numbers[key] for one in found.get(number, ())),
            *(_customer(one, there[one]) for one in sorted(payers[key]) if one in there),
        ]
        for key in texts
    }


def _by_number(
    tx: Transaction, numbers: set[str], org_ids: Sequence[int]
) -> dict[str, list[Named]]:
    asked = sorted(one for one in numbers if one.startswith(prepayment_store.SERIES))
    billed = sorted(numbers.difference(asked))
    found: defaultdict[str, list[Named]] = defaultdict(list)
    for bill in invoices.numbered(tx, billed, org_ids) if billed else ():
        found[bill.number].append(
            Named(
                kind=NamedKind.BILL,
                customer_id=bill.customer_id,
                number=bill.number,
                currency=bill.currency,
                open_micros=invoices.open_micros(bill) or bill.written_off_micros,
            )
        )
    for row in prepayment_store.all_numbered(tx, asked, org_ids) if asked else ():
        found[row.number].append(
            Named(
                kind=NamedKind.PREPAYMENT,
                customer_id=row.customer_id,
                number=row.number,
                currency=row.currency,
                open_micros=0 if row.paid_at or row.cancelled_at else row.amount_micros,
            )
        )
    return found


def _customer(customer_id: int, currency: str) -> Named:
    return Named(
        kind=NamedKind.CUSTOMER,
        customer_id=customer_id,
        number=payment_reference(customer_id),
        currency=currency,
    )
