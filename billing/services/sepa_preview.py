"""What a run of SEPA direct debits would collect, for who is to confirm it (rules P1, M5)."""

from __future__ import annotations

from datetime import date, datetime

from billing.model.payments import PaymentState
from billing.model.sepa import CollectionView, RunReport, Sequence
from billing.services import sepa_mandates, sepa_run
from billing.services.context import Context
from billing.services.gateways import Gateways
from billing.store import customers, invoices, tables
from billing.store import payments as payment_store
from billing.store import sepa as store
from billing.store.guard import Transaction


def preview(
    context: Context,
    known: Gateways,
    gateway_id: int,
    now: datetime,
    *,
    collect_on: date | None = None,
) -> RunReport:
    """Nothing is written. Raises as `sepa_run.collect`."""
    _, day, due = sepa_run.asked(context, known, gateway_id, now, collect_on)
    found: list[CollectionView] = []
    left_out: list[str] = []
    with context.at_one_instant() as tx:
        for customer_id, invoice_id, method_id in due:
            bill = invoices.get_invoice(tx, customer_id, invoice_id)
            mandate = store.mandate_of_method(tx, customer_id, method_id)
            name = _name(tx, customer_id)
            if mandate is None or not sepa_mandates.is_good(tx, mandate, day):
                left_out.append(f"{name}, {bill.number}: the mandate is revoked or expired")
                continue
            open_micros = invoices.open_micros(bill)
            found.append(_seen(mandate, name, open_micros, number=bill.number))
        for customer_id, attempt_id in store.waiting(tx, gateway_id, sepa_run.FILE_LIMIT):
            row = payment_store.attempt(tx, customer_id, attempt_id)
            if row is None:
                continue
            mandate, problem = sepa_run.usable(tx, row, day)
            name = _name(tx, customer_id)
            if mandate is None or problem:
                left_out.append(f"{name}, {row.text}: {problem}")
                continue
            found.append(_seen(mandate, name, row.amount_micros, attempt_id=attempt_id))
    return RunReport(
        collect_on=day, dry_run=True, file=None, collections=tuple(found), left_out=tuple(left_out)
    )


def _seen(
    mandate: tables.SepaMandate,
    name: str,
    amount_micros: int,
    *,
    attempt_id: int = 0,
    number: str | None = None,
) -> CollectionView:
    """A collection that might be."""
    return CollectionView(
        customer_id=mandate.customer_id,
        customer_name=name,
        attempt_id=attempt_id,
        end_to_end_id="",
        mandate=mandate.reference,
        sequence=Sequence(mandate.sequence),
        amount_micros=amount_micros,
        invoice_number=number,
        state=PaymentState.PENDING,
        returned_for=None,
    )


def _name(tx: Transaction, customer_id: int) -> str:
    found = customers.customer_view(tx, customer_id)
    return "" if found is None else found.name
