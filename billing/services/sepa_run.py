"""Files of SEPA direct debits: what is due becomes payments, and these one file (rules P1, M5).

Each collection is stored as a payment that waits before a file is made, and is in a file by the
transaction that writes the file down, sealed, with its notice to the payer. Whatever dies on the
way, the next run goes on: a payment is in one file, and a bill is begun once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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
)
from billing.model.sepa import Sequence as Kind
from billing.payments.protocol import CollectsByFile
from billing.rules.sepa import (
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
from billing.store import customers, invoices, messages, tables
from billing.store import payments as payment_store
from billing.store import sepa as store
from billing.store.guard import Transaction

ACTOR = "direct debit"
FILE_LIMIT = 1_000
"""Collections of a file: the customers in it are locked while it is made."""
_BATCHES = {kind: place for place, kind in enumerate(Kind)}


@dataclass(frozen=True, slots=True)
class _Chosen:
    customer: tables.Customer
    attempt: tables.PaymentAttempt
    mandate: tables.SepaMandate


def collect(
    context: Context,
    known: Gateways,
    gateway_id: int,
    now: datetime,
    *,
    collect_on: date | None = None,
    dry_run: bool = False,
) -> RunReport:
    """Put what is due by `collect_on` (the earliest day unless given) into a file, with the
    recharges that wait; at most FILE_LIMIT collections: run again for the rest. `dry_run`: only
    say what would be.

    Raises NotFound, Refused (no gateway by file; disabled; a reseller's, rule R1), InvalidInput
    (the day, the gateway's settings).
    """
    with _really_or_not(context, dry_run) as joined:
        with joined.transaction() as tx:
            row = gateways.usable(tx, gateway_id)
            check_takes_money(tx, row.org_id)
            gateway = sepa_mandates.by_file(known, tx, joined, row)
            day = _day(tx, gateway, collect_on, now)
            due = store.due_bills(tx, gateway_id, day)
        for customer_id, invoice_id, method_id in due:
            _begin(joined, gateway_id, customer_id, invoice_id, method_id, now)
        return _write(joined, gateway, gateway_id, day, now, dry_run=dry_run)


@contextmanager
def _really_or_not(context: Context, dry_run: bool) -> Iterator[Context]:
    if not dry_run:
        yield context
        return
    with context.rehearsed() as rehearsed:
        yield rehearsed


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


def _write(
    context: Context,
    gateway: CollectsByFile,
    gateway_id: int,
    day: date,
    now: datetime,
    *,
    dry_run: bool,
) -> RunReport:
    with context.transaction() as tx:
        store.lock_gateway(tx, gateway_id)
        found = store.waiting(tx, gateway_id, FILE_LIMIT)
        customers.lock_customers(tx, [customer_id for customer_id, _ in found])
        left_out: list[str] = []
        chosen = [
            one
            for customer_id, attempt_id in found
            if (one := _chosen(tx, context, customer_id, attempt_id, day, now, left_out))
        ]
        if not chosen:
            return RunReport(
                collect_on=day, dry_run=dry_run, file=None, collections=(), left_out=tuple(left_out)
            )
        file_id = _store_file(tx, context, gateway, gateway_id, chosen, day, now)
        return RunReport(
            collect_on=day,
            dry_run=dry_run,
            file=sepa_files.seen(tx, file_id),
            collections=sepa_files.collection_views(tx, file_id),
            left_out=tuple(left_out),
        )


def _chosen(
    tx: Transaction,
    context: Context,
    customer_id: int,
    attempt_id: int,
    day: date,
    now: datetime,
    left_out: list[str],
) -> _Chosen | None:
    """A payment that may be collected now; one that may not any more ends here."""
    customer = customers.lock_customer(tx, customer_id)
    row = payment_store.attempt(tx, customer_id, attempt_id)
    if customer is None or row is None or not PaymentState(row.state).is_open or row.sent_at:
        return None
    mandate = (
        None if row.method_id is None else store.mandate_of_method(tx, customer_id, row.method_id)
    )
    if mandate is not None and not (problem := _problem(tx, row, mandate, day)):
        return _Chosen(customer, row, mandate)
    if mandate is None:
        problem = "its method of payment is no mandate"
    told = ProviderEvent(
        event_id="",
        event=PaymentEvent.DECLINED,
        kind="not collected",
        decline=DeclineKind.HARD,
        reason=problem,
    )
    advance(tx, context, customer, row, told, now)
    left_out.append(f"{customer.name}, {row.text}: {problem}")
    return None


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


def _store_file(
    tx: Transaction,
    context: Context,
    gateway: CollectsByFile,
    gateway_id: int,
    chosen: Sequence[_Chosen],
    day: date,
    now: datetime,
) -> int:
    file_id = store.next_file_id(tx)
    kinds = sorted({_kind(one) for one in chosen}, key=_BATCHES.__getitem__)
    placed = sorted(chosen, key=lambda one: kinds.index(_kind(one)))
    wanted = CollectionFile(
        message_id=message_id(file_id),
        made_at=now,
        collect_on=day,
        collections=tuple(_order(context, one, file_id) for one in placed),
    )
    org_id = gateways.found(tx, gateway_id).org_id
    row = tables.SepaFile(
        file_id=file_id,
        org_id=org_id,
        gateway_id=gateway_id,
        collect_on=day,
        collections=len(placed),
        total_micros=sum(one.attempt.amount_micros for one in placed),
        body_sealed=context.box.seal_bytes(gateway.file(wanted), sepa_files.sealed_for(file_id)),
        made_at=now,
        made_by=context.actor,
    )
    lines = [
        tables.SepaCollection(
            customer_id=one.customer.customer_id,
            attempt_id=one.attempt.attempt_id,
            org_id=one.customer.org_id,
            file_id=file_id,
            batch=kinds.index(_kind(one)) + 1,
            mandate_id=one.mandate.mandate_id,
            invoice_id=one.attempt.invoice_id,
            sequence=one.mandate.sequence,
        )
        for one in placed
    ]
    store.insert_file(tx, row, lines)
    messages.queue(tx, [_notice(one, gateway, day) for one in placed], now)
    for one in placed:
        _sent(tx, one, file_id, day, now)
    detail: dict[str, object] = {"collections": len(placed), "total_micros": row.total_micros}
    sepa_files.note(tx, context, org_id, "sepa.file", file_id, now, detail)
    return file_id


def _order(context: Context, one: _Chosen, file_id: int) -> CollectionOrder:
    sealed_for = sepa_mandates.sealed_for(one.mandate.gateway_id, one.mandate.reference)
    return CollectionOrder(
        end_to_end_id=end_to_end_id(file_id, one.attempt.attempt_id),
        amount_cents=to_minor(Money(one.attempt.amount_micros, one.attempt.currency)),
        holder=cleaned(one.mandate.holder) or one.mandate.reference,
        iban=context.box.open(one.mandate.iban_sealed, sealed_for),
        bic=one.mandate.bic,
        mandate=one.mandate.reference,
        signed_on=one.mandate.signed_on,
        sequence=_kind(one),
        text=cleaned(one.attempt.text),
    )


def _sent(tx: Transaction, one: _Chosen, file_id: int, day: date, now: datetime) -> None:
    """The payment is on its way, and the mandate was used."""
    row, mandate = one.attempt, one.mandate
    row.state, row.sent_at, row.due_at = PaymentState.PENDING, now, None
    row.provider_ref = end_to_end_id(file_id, row.attempt_id)
    mandate.used_on = day
    following = sequence_after(_kind(one))
    if following is None:
        sepa_mandates.end(tx, mandate, "its last collection was made", now)
    else:
        mandate.sequence = following.value
    tx.flush()


def _notice(one: _Chosen, gateway: CollectsByFile, day: date) -> MessageDraft:
    """What is to be collected, and when, told before (the pre-notification of the rulebook)."""
    return MessageDraft(
        customer_id=one.customer.customer_id,
        kind=MessageKind.DEBIT_NOTICE,
        idempotency_key=f"debit:{one.attempt.attempt_id}",
        facts={
            "amount_micros": one.attempt.amount_micros,
            "currency": one.attempt.currency,
            "collect_on": day.isoformat(),
            "text": one.attempt.text,
            "account": one.mandate.account,
            "mandate": one.mandate.reference,
            "creditor": gateway.creditor.name,
            "creditor_id": gateway.creditor.creditor_id,
        },
    )


def _kind(one: _Chosen) -> Kind:
    return Kind(one.mandate.sequence)
