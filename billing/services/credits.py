"""Bills are corrected by credit notes (rule I2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from fractions import Fraction

from billing.errors import InvalidInput, Refused
from billing.model.credits import CreditNoteView, RateShare
from billing.model.messages import MessageDraft, MessageKind
from billing.model.money import Money
from billing.rules.credits import credited, credited_usage
from billing.rules.documents import tax_totals
from billing.rules.moves import bills_by_itself
from billing.rules.rates import (
    charged_rates,
    credited_rates,
    left_of_rates,
    sum_of,
)
from billing.rules.taxes import Charge
from billing.services import deferrals, enforcement, limits, renewals
from billing.services.bills import bill_numbered, wallet_of
from billing.services.commands import run_once
from billing.services.confirmations import confirmed
from billing.services.context import Context
from billing.services.customers import changing_customer
from billing.services.settling import becomes_due, checked_amount, settle
from billing.store import audit, documents, invoices, ledger, messages, tables
from billing.store import credits as store
from billing.store import customers as store_customers
from billing.store import usage as used
from billing.store.guard import Transaction
from billing.store.ledger import Line

REASON_MOST = 500


def credit(
    context: Context,
    number: str,
    *,
    reason: str,
    idempotency_key: str,
    now: datetime,
    amount_micros: int | None = None,
    void: bool = False,
    customer_id: int | None = None,
) -> CreditNoteView:
    """Take a bill back, by default all that is not credited yet. What is still open of it is owed
    no more; what had been paid goes to the wallet as free credit, which settles other open bills
    (rule I4). With `void` it is taken back as if never issued: the next run bills its days, its
    charges and its usage again, which is uninvoiced until then.

    Raises InvalidInput (no reason, more than is left of the bill, a part to void, a number that
    several organisations use without `customer_id`), NotFound,
    Refused (nothing is left, a bill to void is not its subscription's last), Unconfirmed,
    Conflict (the key was used for something else).
    """
    reason = checked_reason(reason)
    with context.transaction() as tx:
        found = bill_numbered(tx, number, customer_id)
        customer_id, invoice_id = found.customer_id, found.invoice_id
    with changing_customer(context, customer_id) as (tx, customer):
        bill = invoices.get_invoice(tx, customer_id, invoice_id)

        def act() -> CreditNoteView:
            invoices.lock_series(tx, bill.org_id)  # what it frees may issue a bill (rule P10)
            amount = _checked_credit(bill, amount_micros)
            if void:
                _check_void(tx, bill, amount)
            with confirmed(context, tx, bill.org_id, f"invoice:{invoice_id}", amount, now):
                note = take_back(tx, bill, amount, reason, now, void=void)
                settle(tx, customer, wallet_of(tx, bill), now)
                if void:  # what is wrong can be put right before the next run bills it again
                    enforcement.reconcile(tx, context, customer_id, now)
                else:
                    renewals.credited(tx, context, customer_id, now)
                note_credit(tx, context, bill, note, now)
            return note

        return run_once(
            tx,
            CreditNoteView,
            customer_id=customer_id,
            key=idempotency_key,
            content={
                "command": "credit",
                "invoice": bill.number,
                "amount": amount_micros,
                "reason": reason,
                "void": void,
            },
            now=now,
            act=act,
        )


def credit_notes(context: Context, number: str) -> Sequence[CreditNoteView]:
    """A bill's credit notes, oldest first. Raises NotFound."""
    with context.transaction() as tx:
        return store.of_invoice(tx, bill_numbered(tx, number))


def take_back(
    tx: Transaction,
    bill: tables.Invoice,
    amount: Money,
    reason: str,
    now: datetime,
    *,
    void: bool,
    of_days: bool = False,
    by_rate: Mapping[int, Fraction] | None = None,
) -> CreditNoteView:
    """Credit a part of a bill that is not credited yet, the last one if it is to be `void`, and
    tell the customer, who is locked (rules I2, M4). `of_days`: for days that are not served, so
    that usage stays earned; `by_rate`: what these ask for at each tax rate, in micros with the tax.
    Raises Refused (R1)."""
    limits.check_credit(tx, bill)
    parts, rates = _parts(tx, bill, amount, by_rate)
    net_left = Money(invoices.net_micros(bill) - store.net_micros(tx, bill), bill.currency)
    usage_left = Money(
        invoices.usage_net_micros(tx, bill) - store.usage_micros(tx, bill), bill.currency
    )
    usage = credited_usage(net_left, parts.net, usage_left, of_days=of_days)
    owed_micros = min(amount.amount_micros, invoices.open_micros(bill))
    to_wallet_micros = amount.amount_micros - owed_micros
    given = deferrals.give_back_bill(tx, bill, (parts.net - usage).amount_micros, now)
    entry_id = ledger.post(
        tx,
        customer_id=bill.customer_id,
        org_id=bill.org_id,
        kind="credit",
        memo=f"credited {bill.number}",
        lines=[
            *given.lines,
            Line(ledger.REVENUE_USAGE, -usage.amount_micros),
            *becomes_due(tx, bill, paid_micros=-to_wallet_micros, credited=parts),
            Line(ledger.ROUNDING, -parts.rounding.amount_micros),
            Line(ledger.RECEIVABLE, owed_micros),
            Line(ledger.WALLET, to_wallet_micros, wallet_of(tx, bill)),
        ],
        currency=bill.currency,
        now=now,
        corrects_entry_id=bill.entry_id,
    )
    deferrals.note_bill(tx, bill, given, entry_id, now)
    note = tables.CreditNote(
        customer_id=bill.customer_id,
        org_id=bill.org_id,
        invoice_id=bill.invoice_id,
        issued_at=now,
        reason=reason,
        net_micros=parts.net.amount_micros,
        tax_micros=parts.tax.amount_micros,
        rounding_micros=parts.rounding.amount_micros,
        total_micros=amount.amount_micros,
        to_wallet_micros=to_wallet_micros,
        currency=bill.currency,
        entry_id=entry_id,
        rates=rates and [asdict(one) for one in rates],
    )
    store.insert(tx, note, bill, now, void=void)
    if void:
        _release_usage(tx, bill, now)
    view = store.view(note, bill)
    messages.queue(tx, [_message(view, note.credit_note_id)], now)
    return view


def _parts(
    tx: Transaction, bill: tables.Invoice, amount: Money, by_rate: Mapping[int, Fraction] | None
) -> tuple[Charge, list[RateShare] | None]:
    """Net, tax and rounding of a credit; by tax rate where the bill has several (rule I1)."""
    charged = rates_of(tx, bill)
    if len(charged) < 2:
        before = Money(bill.credited_micros, bill.currency)
        return credited(_charged(bill), before, amount), None
    parts = credited_rates(
        left_of_rates(charged, store.rates_taken(tx, bill)),
        amount,
        by_rate,
    )
    return sum_of(parts, bill.currency), parts


def rates_of(tx: Transaction, bill: tables.Invoice) -> list[RateShare]:
    """What a bill charged by tax rate (rule I1)."""
    lines = documents.charged_lines(tx, bill)
    totals = tax_totals(lines, bill.tax_micros, bill.currency)
    return charged_rates(totals, bill.rounding_micros)


def _release_usage(tx: Transaction, bill: tables.Invoice, now: datetime) -> None:
    """The usage on a void bill is as it was before: charged to the wallet, on no bill (rule P2).
    Where no bill will come any more the wallet has paid it for good."""
    subscription = store_customers.get_subscription(tx, bill.subscription_id or 0)
    if subscription is None:
        return
    profile = store_customers.effective_profile(tx, subscription)
    to_bill = bills_by_itself(profile)
    gross_micros, tax_micros = used.release(tx, bill, to_bill=to_bill)
    # What the bill gave back to the wallet, or what of it the wallet had paid: see issue_bills.sql.
    wallet_micros = gross_micros
    if bill.entry_id is not None and not ledger.moved(tx, bill, ledger.WALLET):
        wallet_micros = invoices.allocated_by(tx, bill, bill.entry_id)
    if not gross_micros and not tax_micros:
        return
    ledger.post(
        tx,
        customer_id=bill.customer_id,
        org_id=bill.org_id,
        kind="release",
        memo=f"usage of {bill.number}",
        lines=[
            Line(ledger.WALLET, -wallet_micros, wallet_of(tx, bill)),
            Line(ledger.ROUNDING, wallet_micros - gross_micros),
            Line(ledger.REVENUE_USAGE, gross_micros - tax_micros),
            Line(ledger.TAX_UNBILLED if to_bill else ledger.TAX, tax_micros),
        ],
        currency=bill.currency,
        now=now,
        corrects_entry_id=bill.entry_id,
    )


def note_credit(
    tx: Transaction, context: Context, bill: tables.Invoice, note: CreditNoteView, now: datetime
) -> None:
    """The audit log's line; last in a transaction."""
    audit.append(
        tx,
        at=now,
        org_id=bill.org_id,
        actor=context.actor,
        action="bill.credit",
        subject=f"invoice:{bill.invoice_id}",
        detail={
            "number": note.number,
            "total_micros": note.total_micros,
            "to_wallet_micros": note.to_wallet_micros,
            "reason": note.reason,
            "void": bill.voided_at is not None,
        },
    )


def _message(note: CreditNoteView, credit_note_id: int) -> MessageDraft:
    return MessageDraft(
        customer_id=note.customer_id,
        kind=MessageKind.CREDIT_NOTE,
        idempotency_key=f"credit_note:{credit_note_id}",
        facts={
            "number": note.number,
            "invoice_number": note.invoice_number,
            "currency": note.currency,
            "total_micros": note.total_micros,
            "to_wallet_micros": note.to_wallet_micros,
            "reason": note.reason,
        },
    )


def _charged(bill: tables.Invoice) -> Charge:
    total, tax, rounding = (
        Money(micros, bill.currency)
        for micros in (bill.total_micros, bill.tax_micros, bill.rounding_micros)
    )
    return Charge(total, total - tax - rounding, tax, rounding)


def _checked_credit(bill: tables.Invoice, amount_micros: int | None) -> Money:
    left = Money(invoices.creditable_micros(bill), bill.currency)
    if not left.amount_micros:
        raise Refused(f"all of {bill.number} has been credited or written off", field="invoice")
    if amount_micros is None:
        return left
    amount = checked_amount(amount_micros, bill.currency)
    if amount.amount_micros > left.amount_micros:
        raise InvalidInput(f"only {left} of {bill.number} can be credited", field="amount")
    return amount


def _check_void(tx: Transaction, bill: tables.Invoice, amount: Money) -> None:
    if bill.written_off_micros:
        raise Refused(f"{bill.number} was written off, so it stays issued", field="void")
    if bill.credited_micros + amount.amount_micros < bill.total_micros:
        raise InvalidInput("only a whole bill can be void", field="void")
    # Bills go on where the last one ends: the days of another one would stay unbilled.
    last = invoices.last_of_cycles(tx, bill.customer_id, bill.subscription_id)
    if bill.cycle_until is not None and last is not None and last != bill.number:
        raise Refused(f"only the last bill can be void; void {last} first", field="void")


def checked_reason(reason: str) -> str:
    """Why a bill is corrected. Raises InvalidInput where it is empty or too long."""
    reason = reason.strip()
    if not reason or len(reason) > REASON_MOST:
        raise InvalidInput(f"must say why, in 1 to {REASON_MOST} characters", field="reason")
    return reason
