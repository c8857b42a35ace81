"""Credit notes: numbered without gaps, never changed (rule I2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.model.credits import CreditNoteView, RateShare
from billing.store import invoices, ledger, letterheads, tables


def insert(
    tx: Session, note: tables.CreditNote, bill: tables.Invoice, now: datetime, *, void: bool
) -> None:
    """Number and write the note; the bill's figures follow. The customer is locked."""
    (note.number,) = invoices.numbers(tx, bill.org_id, 1, invoices.CREDIT_SERIES)
    letterheads.keep(tx, [bill.org_id], [bill.customer_id])
    note.seller_letterhead_id, note.buyer_letterhead_id = letterheads.newest_ids(
        tx, bill.org_id, bill.customer_id
    )
    tx.add(note)
    bill.credited_micros += note.total_micros
    bill.paid_micros -= note.to_wallet_micros
    if bill.paid_at is None and not invoices.open_micros(bill):
        bill.paid_at = now
    if void:
        bill.voided_at = now
    if note.to_wallet_micros:
        invoices.allocate(tx, bill, -note.to_wallet_micros, note.entry_id, now)
    tx.flush()


def of_invoice(tx: Session, bill: tables.Invoice) -> Sequence[CreditNoteView]:
    """A bill's credit notes, oldest first."""
    note = tables.CreditNote
    found = select(note).where(
        note.customer_id == bill.customer_id, note.invoice_id == bill.invoice_id
    )
    return [view(row, bill) for row in tx.scalars(found.order_by(note.credit_note_id))]


def usage_micros(tx: Session, bill: tables.Invoice) -> int:
    """What credit notes have taken back of the usage on a bill, without tax, in micros."""
    note, posting = tables.CreditNote, tables.Posting
    found = (
        select(func.coalesce(func.sum(-posting.amount_micros), 0))
        .join(
            note,
            (note.customer_id == posting.customer_id) & (note.entry_id == posting.entry_id),
        )
        .where(
            note.customer_id == bill.customer_id,
            note.invoice_id == bill.invoice_id,
            posting.account == ledger.REVENUE_USAGE,
        )
    )
    return int(tx.scalar(found) or 0)


def net_micros(tx: Session, bill: tables.Invoice) -> int:
    """What credit notes have taken back of a bill without its tax, in micros."""
    note = tables.CreditNote
    found = select(func.coalesce(func.sum(note.net_micros), 0)).where(
        note.customer_id == bill.customer_id, note.invoice_id == bill.invoice_id
    )
    return int(tx.scalar(found) or 0)


def rates_taken(tx: Session, bill: tables.Invoice) -> list[RateShare]:
    """What credit notes have taken back of a bill's tax rates, where it has several (rule I1)."""
    note = tables.CreditNote
    found = select(note.rates).where(
        note.customer_id == bill.customer_id, note.invoice_id == bill.invoice_id
    )
    return [share for rates in tx.scalars(found) for share in rate_shares(rates)]


def rate_shares(rates: list[dict[str, int]] | None) -> list[RateShare]:
    """As a note keeps them."""
    return [RateShare(**one) for one in rates or ()]


def numbered(
    tx: Session, number: str, org_id: int | None = None, *, customer_id: int | None = None
) -> list[tables.CreditNote]:
    """Credit notes of this number, of one organisation or customer, or of all."""
    note = tables.CreditNote
    found = select(note).where(note.number == number)
    if org_id is not None:
        found = found.where(note.org_id == org_id)
    if customer_id is not None:
        found = found.where(note.customer_id == customer_id)
    return list(tx.scalars(found.order_by(note.org_id)))


def before(tx: Session, row: tables.CreditNote) -> tuple[int, int]:
    """Net and tax that earlier credit notes took back of the same bill."""
    note = tables.CreditNote
    found = tx.execute(
        select(func.sum(note.net_micros), func.sum(note.tax_micros)).where(
            note.customer_id == row.customer_id,
            note.invoice_id == row.invoice_id,
            note.credit_note_id < row.credit_note_id,
        )
    ).one()
    return int(found[0] or 0), int(found[1] or 0)


def view(row: tables.CreditNote, bill: tables.Invoice) -> CreditNoteView:
    """The note as services hand it out."""
    return CreditNoteView(
        customer_id=row.customer_id,
        number=row.number,
        invoice_number=bill.number,
        issued_at=row.issued_at,
        reason=row.reason,
        total_micros=row.total_micros,
        tax_micros=row.tax_micros,
        to_wallet_micros=row.to_wallet_micros,
        currency=row.currency,
    )
