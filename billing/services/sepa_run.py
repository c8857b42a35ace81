"""Files of SEPA direct debits: what is due becomes payments, and these one file (rules P1, M5).

Each collection is stored as a payment that waits before it is put into a file, by a short
transaction of its own customer, which also queues the notice; when all are in, the file is written
and sealed. Whatever dies on the way, the next run goes on with the same file: a payment is in one
file, and a bill is begun once.
"""

from __future__ import annotations

from datetime import date, datetime

from billing.errors import InvalidInput
from billing.model.messages import MessageDraft, MessageKind
from billing.model.money import Money
from billing.model.payments import (
    DeclineKind,
    PaymentEvent,
    PaymentKind,
    PaymentPurpose,
    PaymentState,
    ProviderEvent,
    to_minor,
)
from billing.model.sepa import (
    CURRENCY,
    CollectionFile,
    CollectionOrder,
    RunReport,
    Sequence,
)
from billing.payments.protocol import CollectsByFile
from billing.rules.sepa import (
    batches,
    cleaned,
    collection_problem,
    earliest_collection,
    end_to_end_id,
    message_id,
    sequence_after,
)
from billing.services import gateways, sepa_files, sepa_mandates
from billing.services.attempts import store_attempt
from billing.services.bills import wallet_of
from billing.services.context import Context
from billing.services.customers import changing_customer
from billing.services.gateways import Gateways
from billing.services.issuing import operator_of
from billing.services.payment_steps import advance
from billing.services.settling import check_takes_money
from billing.store import invoices, messages, tables
from billing.store import payments as payment_store
from billing.store import sepa as store
from billing.store.guard import Transaction

ACTOR = "direct debit"
FILE_LIMIT = 5_000
"""Collections of a file, by and large."""


def collect(
    context: Context,
    known: Gateways,
    gateway_id: int,
    now: datetime,
    *,
    collect_on: date | None = None,
) -> RunReport:
    """Put what is due by `collect_on` (the earliest day unless given) into a file, with what else
    waits; at most FILE_LIMIT collections: run again for the rest.

    Raises NotFound, Refused (no gateway by file; disabled; a reseller's, rule R1), InvalidInput
    (the day, the gateway's settings).
    """
    gateway, day, due = asked(context, known, gateway_id, now, collect_on)
    for customer_id, invoice_id, method_id in due:
        _begin(context, gateway_id, customer_id, invoice_id, method_id, now)
    with context.transaction() as tx:
        waiting = store.waiting(tx, gateway_id, FILE_LIMIT)
    left_out = [
        problem
        for customer_id, attempt_id in waiting
        if (problem := _put_in(context, gateway, gateway_id, customer_id, attempt_id, day, now))
    ]
    return _finished(context, gateway, gateway_id, day, now, left_out)


def asked(
    context: Context, known: Gateways, gateway_id: int, now: datetime, collect_on: date | None
) -> tuple[CollectsByFile, date, list[tuple[int, int, int]]]:
    """The gateway, the day, and the bills that are due by then and were not begun."""
    with context.transaction() as tx:
        row = gateways.usable(tx, gateway_id)
        check_takes_money(tx, row.org_id)
        gateway = sepa_mandates.by_file(known, tx, context, row)
        day = _day(tx, gateway, collect_on, now)
        return gateway, day, store.due_bills(tx, gateway_id, day)


def _day(tx: Transaction, gateway: CollectsByFile, wanted: date | None, now: datetime) -> date:
    zone = operator_of(tx).time_zone
    if wanted is None:
        return earliest_collection(gateway.creditor, now, zone)
    if problem := collection_problem(wanted, gateway.creditor, now, zone):
        raise InvalidInput(problem, field="collect_on")
    return wanted


def _begin(
    context: Context,
    gateway_id: int,
    customer_id: int,
    invoice_id: int,
    method_id: int,
    now: datetime,
) -> None:
    """A payment of all that is open of a bill, unless somebody else has begun one."""
    with changing_customer(context, customer_id) as (tx, customer):
        bill = invoices.get_invoice(tx, customer_id, invoice_id)
        open_micros = invoices.open_micros(bill)
        if not open_micros or payment_store.bill_is_being_paid(tx, customer_id, invoice_id):
            return
        row = store_attempt(
            tx,
            customer,
            wallet_id=wallet_of(tx, bill),
            gateway_id=gateway_id,
            purpose=PaymentPurpose.BILL,
            kind=PaymentKind.CHARGE,
            amount=Money(open_micros, bill.currency),
            text=f"Payment of {bill.number}",
            requested_by=ACTOR,
            now=now,
            method_id=method_id,
            invoice_id=invoice_id,
        )
        # Nobody is called: it waits for its file.
        row.state, row.due_at = PaymentState.PENDING, None
        tx.flush()


def _put_in(
    context: Context,
    gateway: CollectsByFile,
    gateway_id: int,
    customer_id: int,
    attempt_id: int,
    day: date,
    now: datetime,
) -> str:
    """Put a payment into the gateway's file, and tell the payer. One that may not be collected any
    more ends here: why, in words."""
    with changing_customer(context, customer_id) as (tx, customer):
        row = payment_store.attempt(tx, customer_id, attempt_id)
        if row is None or not PaymentState(row.state).is_open or row.sent_at is not None:
            return ""  # somebody else was here
        mandate, problem = usable(tx, row, day)
        if mandate is None or problem:
            told = ProviderEvent(
                event_id="",
                event=PaymentEvent.DECLINED,
                kind="not collected",
                decline=DeclineKind.HARD,
                reason=problem,
            )
            advance(tx, context, customer, row, told, now)
            return f"{customer.name}, {row.text}: {problem}"
        file = _file(tx, context, gateway_id, day, now)
        line = tables.SepaCollection(
            customer_id=customer_id,
            attempt_id=attempt_id,
            org_id=customer.org_id,
            file_id=file.file_id,
            mandate_id=mandate.mandate_id,
            invoice_id=row.invoice_id,
            sequence=mandate.sequence,
        )
        store.insert(tx, line)
        messages.queue(tx, [_notice(tx, row, mandate, gateway, file.collect_on)], now)
        row.state, row.sent_at, row.due_at = PaymentState.PENDING, now, None
        row.provider_ref = end_to_end_id(file.file_id, attempt_id)
        _used(tx, mandate, file.collect_on, now)
        return ""


def _file(
    tx: Transaction, context: Context, gateway_id: int, day: date, now: datetime
) -> tables.SepaFile:
    """The file that is being filled; another one where it was finished meanwhile."""
    found = store.unfinished(tx, gateway_id)
    if found is None:
        store.lock_gateway(tx, gateway_id)
        found = store.unfinished(tx, gateway_id)
    if found is None:
        found = tables.SepaFile(
            org_id=gateways.found(tx, gateway_id).org_id,
            gateway_id=gateway_id,
            collect_on=day,
            made_at=now,
            made_by=context.actor,
        )
        store.insert(tx, found)
    return found


def _used(tx: Transaction, mandate: tables.SepaMandate, day: date, now: datetime) -> None:
    mandate.used_on = day
    following = sequence_after(Sequence(mandate.sequence))
    if following is None:
        sepa_mandates.end(tx, mandate, "its last collection was made", now)
    else:
        mandate.sequence = following.value
    tx.flush()


def _finished(
    context: Context,
    gateway: CollectsByFile,
    gateway_id: int,
    day: date,
    now: datetime,
    left_out: list[str],
) -> RunReport:
    """The file is written, where there is one: nothing is put into it any more."""
    with context.transaction() as tx:
        row = store.unfinished(tx, gateway_id, lock=True)
        if row is None:
            return RunReport(
                collect_on=day, dry_run=False, file=None, collections=(), left_out=tuple(left_out)
            )
        lines, mandates = store.collected(tx, row.file_id), store.mandates_of_file(tx, row.file_id)
        if row.collect_on < day:
            # Whoever began it has died some time ago: payers are told of the day that it is now.
            row.collect_on = day
            told = [_notice(tx, one, mandates[one.attempt_id], gateway, day) for _, one in lines]
            messages.queue(tx, told, now)
        kinds = batches(Sequence(line.sequence) for line, _ in lines)
        lines.sort(key=lambda one: kinds.index(Sequence(one[0].sequence)))
        wanted = CollectionFile(
            message_id=message_id(row.file_id),
            made_at=row.made_at,
            collect_on=row.collect_on,
            collections=tuple(
                _order(context, line, one, mandates[one.attempt_id]) for line, one in lines
            ),
        )
        body = gateway.file(wanted)
        row.collections = len(lines)
        row.total_micros = sum(one.amount_micros for _, one in lines)
        row.body_sealed = context.box.seal_bytes(body, sepa_files.sealed_for(row.file_id))
        tx.flush()
        detail: dict[str, object] = {
            "collections": row.collections,
            "total_micros": row.total_micros,
        }
        sepa_files.note(tx, context, row.org_id, "sepa.file", row.file_id, now, detail)
        return RunReport(
            collect_on=row.collect_on,
            dry_run=False,
            file=sepa_files.seen(tx, row.file_id),
            collections=sepa_files.collection_views(tx, row.file_id),
            left_out=tuple(left_out),
        )


def usable(
    tx: Transaction, row: tables.PaymentAttempt, day: date
) -> tuple[tables.SepaMandate | None, str]:
    """The mandate of a payment, and why it may not be collected by it, in words."""
    mandate = (
        None
        if row.method_id is None
        else store.mandate_of_method(tx, row.customer_id, row.method_id)
    )
    if mandate is None:
        return None, "its method of payment is no mandate"
    return mandate, _problem(tx, row, mandate, day)


def _problem(
    tx: Transaction, row: tables.PaymentAttempt, mandate: tables.SepaMandate, day: date
) -> str:
    if not sepa_mandates.is_good(tx, mandate, day):
        return f"the mandate {mandate.reference} is revoked or expired"
    if row.currency != CURRENCY:
        return f"only {CURRENCY} is collected"
    if row.invoice_id is not None:
        bill = invoices.get_invoice(tx, row.customer_id, row.invoice_id)
        owed = invoices.open_micros(bill) or bill.written_off_micros
        if owed != row.amount_micros:
            return f"{Money(owed, bill.currency)} of {bill.number} is open by now"
        earlier = store.collection_of_bill(tx, row.customer_id, row.invoice_id)
        if earlier is not None:
            return f"{bill.number} is in the file {message_id(earlier)}"
    return ""


def _order(
    context: Context,
    line: tables.SepaCollection,
    row: tables.PaymentAttempt,
    mandate: tables.SepaMandate,
) -> CollectionOrder:
    sealed_for = sepa_mandates.sealed_for(mandate.gateway_id, mandate.reference)
    return CollectionOrder(
        end_to_end_id=end_to_end_id(line.file_id, row.attempt_id),
        amount_cents=to_minor(Money(row.amount_micros, row.currency)),
        holder=cleaned(mandate.holder) or mandate.reference,
        iban=context.box.open(mandate.iban_sealed, sealed_for),
        bic=mandate.bic,
        mandate=mandate.reference,
        signed_on=mandate.signed_on,
        sequence=Sequence(line.sequence),
        text=cleaned(row.text),
    )


def _notice(
    tx: Transaction,
    row: tables.PaymentAttempt,
    mandate: tables.SepaMandate,
    gateway: CollectsByFile,
    day: date,
) -> MessageDraft:
    """What is to be collected, and when, told before (the pre-notification of the rulebook)."""
    number = None
    if row.invoice_id is not None:
        number = invoices.get_invoice(tx, row.customer_id, row.invoice_id).number
    return MessageDraft(
        customer_id=row.customer_id,
        kind=MessageKind.DEBIT_NOTICE,
        idempotency_key=f"debit:{row.attempt_id}:{day}",
        facts={
            "amount_micros": row.amount_micros,
            "currency": row.currency,
            "collect_on": day.isoformat(),
            "number": number,
            "account": mandate.account,
            "mandate": mandate.reference,
            "creditor": gateway.creditor.name,
            "creditor_id": gateway.creditor.creditor_id,
        },
    )
