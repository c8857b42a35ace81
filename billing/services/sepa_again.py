"""Direct debits that came back, collected once more by the next file (rules P1, P5).

The next file keeps the notice, the cut-off and the days on which banks settle, as for any. What a
payer's bank has refused twice is no matter for a third try: each debt is collected again once.
"""

from __future__ import annotations

from datetime import datetime

from billing.errors import NotFound, Refused
from billing.model.money import Money
from billing.model.payments import PaymentKind, PaymentPurpose, PaymentState, PaymentView
from billing.rules.sepa import end_to_end_id
from billing.services import gateways, methods, payments
from billing.services.attempts import store_attempt
from billing.services.context import Context
from billing.services.customers import audit_customer, changing_customer
from billing.store import invoices, ledger, tables
from billing.store import payments as payment_store
from billing.store import sepa as store
from billing.store.guard import Transaction


def collect_again(context: Context, attempt_id: int, now: datetime) -> PaymentView:
    """Begin a payment by the same mandate, or the one that has come in its place, which waits for
    the next file: of what is open of the
    bill, or of what the wallet lacks since the money was taken back. The same each time it is asked
    for.

    Raises NotFound, Refused (it did not come back, or did so twice; its mandate is revoked; nothing
    is missing any more).
    """
    with context.transaction() as tx:
        known = store.file_of(tx, attempt_id)
    if known is None:
        raise NotFound(f"no file collects payment {attempt_id}", field="payment")
    with changing_customer(context, known[1]) as (tx, customer):
        row = payment_store.attempt(tx, customer.customer_id, attempt_id)
        line = store.collection(tx, customer.customer_id, attempt_id)
        if row is None or line is None:
            raise NotFound(f"no file collects payment {attempt_id}", field="payment")
        if line.again_id is None:
            line.again_id = _begun(tx, context, customer, row, line, now)
            tx.flush()
        again_id = line.again_id
    return payments.history(context, again_id).payment


def collect_all_again(
    context: Context, file_id: int, now: datetime
) -> tuple[list[PaymentView], list[tuple[int, str]]]:
    """All of a file that came back and was not collected again, each in a transaction of its own;
    and those that cannot be: payment and why."""
    with context.transaction() as tx:
        back = [
            line.attempt_id
            for line, _ in store.collected(tx, file_id)
            if line.returned_at is not None and line.again_id is None
        ]
    begun, left = [], []
    for attempt_id in back:
        try:
            begun.append(collect_again(context, attempt_id, now))
        except (NotFound, Refused) as error:
            left.append((attempt_id, error.message))
    return begun, left


def _begun(
    tx: Transaction,
    context: Context,
    customer: tables.Customer,
    row: tables.PaymentAttempt,
    line: tables.SepaCollection,
    now: datetime,
) -> int:
    name = end_to_end_id(line.file_id, line.attempt_id)
    if line.returned_at is None:
        raise Refused(f"{name} did not come back", field="payment")
    if store.is_again(tx, row.customer_id, row.attempt_id):
        raise Refused(
            f"{name} was collected again already, and came back twice: ask its payer for the money",
            field="payment",
        )
    method_id = _method(tx, row)
    if method_id is None:
        raise Refused(f"the mandate of {name} is revoked: let a new one be signed", field="mandate")
    amount = _missing(tx, row, name)
    # Of money that was credited and taken back the bill, or the request for money, stays paid.
    has_paid = PaymentState(row.state).has_paid
    made = store_attempt(
        tx,
        customer,
        wallet_id=row.wallet_id,
        gateway_id=row.gateway_id,
        purpose=PaymentPurpose.TOP_UP if has_paid else PaymentPurpose(row.purpose),
        kind=PaymentKind.CHARGE,
        amount=amount,
        text=row.text,
        requested_by=context.actor,
        now=now,
        method_id=method_id,
        invoice_id=None if has_paid else row.invoice_id,
        prepayment_id=None if has_paid else row.prepayment_id,
    )
    # Nobody is called: it waits for its file.
    made.state, made.due_at = PaymentState.PENDING, None
    tx.flush()
    detail: dict[str, object] = {
        "payment": made.attempt_id,
        "amount_micros": amount.amount_micros,
        "again": name,
    }
    audit_customer(context, tx, customer, "sepa.again", now, detail)
    return made.attempt_id


def _method(tx: Transaction, row: tables.PaymentAttempt) -> int | None:
    """The mandate that it was collected by, or else one that was signed since. Raises Refused: the
    gateway is disabled."""
    gateways.usable(tx, row.gateway_id)
    own = None if row.method_id is None else methods.known(tx, row.customer_id, row.method_id)
    if own is not None and own.removed_at is None:
        return own.method_id
    return store.good_method(tx, row.customer_id, row.gateway_id)


def _missing(tx: Transaction, row: tables.PaymentAttempt, name: str) -> Money:
    """What is still owed of it. Raises Refused."""
    if PaymentState(row.state).has_paid:
        wallet = ledger.wallet(tx, row.customer_id, row.wallet_id)
        asked = payment_store.on_its_way(tx, row.customer_id, row.wallet_id)
        lacks = Money(max(0, -wallet.available_micros - asked), row.currency).rounded()
        missing = min(row.charged_back_micros, lacks.amount_micros)
        where = "the wallet lacks nothing, or it is asked for already"
    elif row.invoice_id is not None:
        if payment_store.bill_is_being_paid(tx, row.customer_id, row.invoice_id):
            raise Refused(f"the bill of {name} is being paid already", field="payment")
        bill = invoices.get_invoice(tx, row.customer_id, row.invoice_id)
        missing, where = invoices.open_micros(bill), f"nothing of {bill.number} is open"
    elif row.purpose == PaymentPurpose.RECHARGE:
        missing, where = 0, "auto-recharge tries again by itself, or waits for the customer"
    else:
        missing, where = row.amount_micros, ""
    if not missing:
        raise Refused(f"{where}: {name} is not collected again", field="payment")
    return Money(missing, row.currency)
