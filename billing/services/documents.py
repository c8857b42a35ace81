"""Bills as documents: everything that is printed on them, read in one transaction (rules I1-I4)."""

from __future__ import annotations

from datetime import timedelta

from billing.errors import InvalidInput, NotFound
from billing.model.documents import (
    BillDocument,
    DocumentCredit,
    DocumentLine,
    DocumentPayment,
    Party,
)
from billing.rules.cycles import local_day
from billing.rules.documents import tax_totals
from billing.services.context import Context
from billing.services.issuing import operator_of
from billing.services.letterhead import party
from billing.store import credits, tables
from billing.store import documents as store
from billing.store.guard import Transaction


def by_number(context: Context, number: str, *, org_id: int | None = None) -> BillDocument:
    """A bill as it stands now, by its number. Raises NotFound, InvalidInput (several
    organisations have a bill of this number and `org_id` names none)."""
    with context.transaction() as tx:
        found = store.bills_numbered(tx, number.strip(), org_id)
        if not found:
            raise NotFound(f"no bill has the number {number!r}", field="number")
        if len(found) > 1:
            known = ", ".join(str(row.org_id) for row in found)
            raise InvalidInput(
                f"several organisations have a bill {number}: name one of {known}", field="org"
            )
        return _document(tx, found[0])


def by_id(context: Context, customer_id: int, invoice_id: int) -> BillDocument:
    """A bill as it stands now, by its key. Raises NotFound."""
    with context.transaction() as tx:
        row = store.bill(tx, customer_id, invoice_id)
        if row is None:
            raise NotFound("there is no such bill", field="number")
        return _document(tx, row)


def newest(context: Context, org_id: int) -> BillDocument | None:
    """The bill that an organisation issued last; None when it has issued none."""
    with context.transaction() as tx:
        row = store.newest_bill(tx, org_id)
        return None if row is None else _document(tx, row)


def _document(tx: Transaction, row: tables.Invoice) -> BillDocument:
    zone = operator_of(tx).time_zone
    lines = tuple(
        DocumentLine(text=line.text, net_micros=line.amount_micros, tax_rate_ppm=line.tax_rate_ppm)
        for line in store.lines(tx, row)
    )
    return BillDocument(
        org_id=row.org_id,
        number=row.number,
        issued_on=local_day(row.issued_at, zone),
        due_on=row.due_on,
        first_day=row.cycle_from,
        last_day=None if row.cycle_until is None else row.cycle_until - timedelta(days=1),
        seller=_seller(tx, row.org_id),
        buyer=_buyer(tx, row.customer_id),
        customer_id=row.customer_id,
        currency=row.currency,
        lines=lines,
        tax_totals=tax_totals(lines, row.tax_micros, row.currency),
        rounding_micros=row.rounding_micros,
        total_micros=row.total_micros,
        paid_micros=row.paid_micros,
        payments=tuple(
            DocumentPayment(on=local_day(one.at, zone), amount_micros=one.amount_micros)
            for one in store.payments(tx, row)
        ),
        credits=tuple(
            DocumentCredit(
                number=one.number,
                on=local_day(one.issued_at, zone),
                total_micros=one.total_micros,
            )
            for one in credits.of_invoice(tx, row)
        ),
    )


def _seller(tx: Transaction, org_id: int) -> Party:
    found = store.organisation(tx, org_id)
    if found is None:
        raise NotFound("the bill's organisation is outside of what you may see")
    return party(found)


def _buyer(tx: Transaction, customer_id: int) -> Party:
    found = store.customer(tx, customer_id)
    if found is None:
        raise NotFound("the bill's customer is outside of what you may see")
    return party(found)
