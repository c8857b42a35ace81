"""Bills that nobody expects to be paid any more are written off (rule I5)."""

from __future__ import annotations

from datetime import datetime

from billing.errors import Refused
from billing.model.dunning import WriteOffView
from billing.model.money import Money
from billing.services import enforcement
from billing.services.bills import bill_numbered
from billing.services.commands import run_once
from billing.services.confirmations import confirmed
from billing.services.context import Context
from billing.services.credits import checked_reason
from billing.services.customers import changing_customer
from billing.services.settling import never_due
from billing.store import audit, invoices, ledger, tables
from billing.store import write_offs as store
from billing.store.guard import Transaction
from billing.store.ledger import Line


def write_off(
    context: Context,
    number: str,
    *,
    reason: str,
    idempotency_key: str,
    now: datetime,
    customer_id: int | None = None,
) -> WriteOffView:
    """Give up what is open of a bill: from what is owed to `bad_debt`, in one entry (rule M4). The
    bill holds nobody back any more and is dunned no more; what was paid of it stays paid, and who
    pays it after all pays back the loss (`bills.pay`).

    `customer_id`: whose bill it is, where several organisations have one of that number.

    Raises InvalidInput (no reason, several have it), NotFound, Refused (nothing is open: it is
    paid, credited or written off already), Unconfirmed, Conflict (the key was
    used for something else).
    """
    reason = checked_reason(reason)
    with context.transaction() as tx:
        found = bill_numbered(tx, number, customer_id)
        owner_id, invoice_id = found.customer_id, found.invoice_id
    with changing_customer(context, owner_id) as (tx, _):
        bill = invoices.get_invoice(tx, owner_id, invoice_id)

        def act() -> WriteOffView:
            amount = Money(invoices.open_micros(bill), bill.currency)
            with confirmed(context, tx, bill.org_id, f"invoice:{invoice_id}", amount, now):
                view = _give_up(tx, bill, reason, now)
                enforcement.reconcile(tx, context, owner_id, now)
                detail: dict[str, object] = {
                    "number": bill.number,
                    "amount_micros": view.amount_micros,
                    "reason": reason,
                }
                audit.append(
                    tx,
                    at=now,
                    org_id=bill.org_id,
                    actor=context.actor,
                    action="bill.write_off",
                    subject=f"invoice:{invoice_id}",
                    detail=detail,
                )
            return view

        return run_once(
            tx,
            WriteOffView,
            customer_id=owner_id,
            key=idempotency_key,
            content={"command": "write-off", "invoice": bill.number, "reason": reason},
            now=now,
            act=act,
        )


def of_customer(context: Context, customer_id: int, *, limit: int = 20) -> list[WriteOffView]:
    """What was given up of a customer's bills, newest first."""
    with context.transaction() as tx:
        return store.of_customer(tx, customer_id, limit)


def _give_up(tx: Transaction, bill: tables.Invoice, reason: str, now: datetime) -> WriteOffView:
    open_micros = invoices.open_micros(bill)
    if not open_micros:
        done = "written off already" if bill.written_off_micros else "paid or credited"
        raise Refused(f"nothing of {bill.number} is open: it was {done}", field="invoice")
    never_due_micros = never_due(tx, bill)
    entry_id = ledger.post(
        tx,
        customer_id=bill.customer_id,
        org_id=bill.org_id,
        kind="write_off",
        memo=f"written off {bill.number}",
        lines=[
            Line(ledger.RECEIVABLE, open_micros),
            Line(ledger.BAD_DEBT, never_due_micros - open_micros),
            Line(ledger.TAX_UNPAID, -never_due_micros),
        ],
        currency=bill.currency,
        now=now,
        corrects_entry_id=bill.entry_id,
    )
    row = tables.WriteOff(
        customer_id=bill.customer_id,
        invoice_id=bill.invoice_id,
        org_id=bill.org_id,
        at=now,
        reason=reason,
        amount_micros=open_micros,
        currency=bill.currency,
        entry_id=entry_id,
    )
    return store.insert(tx, row, bill)
