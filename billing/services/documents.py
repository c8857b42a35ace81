"""Bills and credit notes as documents: everything that is printed on them, read in one transaction
(rules I1-I4)."""

from __future__ import annotations

from datetime import date, timedelta

from billing.errors import InvalidInput, NotFound
from billing.model.documents import (
    BillDocument,
    CreditDocument,
    DocumentCredit,
    DocumentLine,
    DocumentPayment,
    Party,
    TaxTotal,
)
from billing.rules.cycles import local_day
from billing.rules.documents import credited_totals, tax_totals
from billing.services.context import Context
from billing.services.issuing import operator_of
from billing.services.letterhead import party
from billing.store import credits, invoices, letterheads, tables
from billing.store import documents as store
from billing.store.guard import Transaction


def by_number(context: Context, number: str, *, org_id: int | None = None) -> BillDocument:
    """A bill as it stands now, or a credit note, by its number. Raises NotFound, InvalidInput
    (several organisations have one of this number and `org_id` names none)."""
    with context.transaction() as tx:
        bills = store.bills_numbered(tx, number.strip(), org_id)
        notes = [] if bills else credits.numbered(tx, number.strip(), org_id)
        org_ids = [row.org_id for row in bills] or [row.org_id for row in notes]
        if not org_ids:
            raise NotFound(f"no bill or credit note has the number {number!r}", field="number")
        if len(org_ids) > 1:
            known = ", ".join(map(str, org_ids))
            raise InvalidInput(
                f"several organisations have a bill {number}: name one of {known}", field="org"
            )
        return _credit_document(tx, notes[0]) if notes else _document(tx, bills[0])


def by_id(context: Context, customer_id: int, invoice_id: int) -> BillDocument:
    """A bill as it stands now, by its key. Raises NotFound."""
    with context.transaction() as tx:
        row = store.bill(tx, customer_id, invoice_id)
        if row is None:
            raise NotFound("there is no such bill", field="number")
        return _document(tx, row)


def credit_by_number(context: Context, customer_id: int, number: str) -> CreditDocument:
    """A customer's credit note. Raises NotFound."""
    with context.transaction() as tx:
        found = credits.numbered(tx, number.strip(), customer_id=customer_id)
        if not found:
            raise NotFound("there is no such credit note", field="number")
        return _credit_document(tx, found[0])


def newest(context: Context, org_id: int) -> BillDocument | None:
    """The bill that an organisation issued last; None when it has issued none."""
    with context.transaction() as tx:
        row = store.newest_bill(tx, org_id)
        return None if row is None else _document(tx, row)


def _document(tx: Transaction, row: tables.Invoice) -> BillDocument:
    zone = operator_of(tx).time_zone
    lines, totals = _charged(tx, row)
    seller = _seller(tx, row)
    return BillDocument(
        org_id=row.org_id,
        number=row.number,
        issued_on=local_day(row.issued_at, zone),
        due_on=row.due_on,
        first_day=row.cycle_from,
        last_day=_last_day(row),
        seller=party(seller),
        buyer=_buyer(tx, row),
        customer_id=row.customer_id,
        currency=row.currency,
        lines=lines,
        tax_totals=totals,
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
        written_off_micros=row.written_off_micros,
        e_invoice=seller.e_invoice,
    )


def _credit_document(tx: Transaction, note: tables.CreditNote) -> CreditDocument:
    """A whole bill is taken back line by line, a part of it as a line of each tax rate."""
    zone = operator_of(tx).time_zone
    bill = invoices.get_invoice(tx, note.customer_id, note.invoice_id)
    lines, totals = _charged(tx, bill)
    if note.total_micros != bill.total_micros:
        totals = _credited(tx, note, totals)
        lines = tuple(
            DocumentLine(
                text=f"Part of {bill.number}",
                net_micros=one.net_micros,
                tax_rate_ppm=one.tax_rate_ppm,
                tax_micros=one.tax_micros,
            )
            for one in totals
        )
    seller = _seller(tx, note)
    issued_on = local_day(note.issued_at, zone)
    return CreditDocument(
        org_id=note.org_id,
        number=note.number,
        issued_on=issued_on,
        due_on=issued_on,
        first_day=bill.cycle_from,
        last_day=_last_day(bill),
        seller=party(seller),
        buyer=_buyer(tx, note),
        customer_id=note.customer_id,
        currency=note.currency,
        lines=lines,
        tax_totals=totals,
        rounding_micros=note.rounding_micros,
        total_micros=note.total_micros,
        paid_micros=0,
        payments=(),
        e_invoice=seller.e_invoice,
        bill_number=bill.number,
        billed_on=local_day(bill.issued_at, zone),
        reason=note.reason,
        to_wallet_micros=note.to_wallet_micros,
    )


def _credited(
    tx: Transaction, note: tables.CreditNote, charged: tuple[TaxTotal, ...]
) -> tuple[TaxTotal, ...]:
    """What a note takes back of each rate that its bill charged."""
    if note.rates is None:
        credit = note.net_micros, note.tax_micros
        return credited_totals(charged, credits.before(tx, note), credit, note.currency)
    return tuple(
        TaxTotal(
            tax_rate_ppm=one.tax_rate_ppm, net_micros=one.net_micros, tax_micros=one.tax_micros
        )
        for one in credits.rate_shares(note.rates)
    )


def _charged(
    tx: Transaction, row: tables.Invoice
) -> tuple[tuple[DocumentLine, ...], tuple[TaxTotal, ...]]:
    lines = store.charged_lines(tx, row)
    return lines, tax_totals(lines, row.tax_micros, row.currency)


def _last_day(row: tables.Invoice) -> date | None:
    return None if row.cycle_until is None else row.cycle_until - timedelta(days=1)


def _seller(
    tx: Transaction, row: tables.Invoice | tables.CreditNote
) -> tables.OrganisationLetterhead:
    found = letterheads.seller(tx, row)
    if found is None:
        raise NotFound("the bill's organisation is outside of what you may see")
    return found


def _buyer(tx: Transaction, row: tables.Invoice | tables.CreditNote) -> Party:
    found = letterheads.buyer(tx, row)
    if found is None:
        raise NotFound("the bill's customer is outside of what you may see")
    return party(found)
