"""What a provider tells of a payment is carried out here, and nowhere else (rules P1, M5).

Answers to calls, look-ups and events all come through `advance`, under the customer's lock: what
they do to the books is decided by rules/payments.py from the state that is stored then.
"""

from __future__ import annotations

from datetime import datetime

from billing.model.commerce import MoneyChannel
from billing.model.money import Money
from billing.model.payments import (
    DeclineKind,
    EventOutcome,
    PaymentEvent,
    PaymentPurpose,
    PaymentState,
    ProviderEvent,
    SavedMethod,
)
from billing.rules.payments import Effect, next_look_up, step
from billing.services import (
    bills,
    enforcement,
    gateways,
    hotspot_issue,
    money_in,
    recharges,
    reversals,
)
from billing.services.context import Context
from billing.services.reversals import Done
from billing.store import audit, invoices, prepayments, tables
from billing.store import gateways as gateway_store
from billing.store import payments as store
from billing.store.guard import Transaction

NOT_TOLD = "the provider gave no reason"


def advance(
    tx: Transaction,
    context: Context,
    customer: tables.Customer,
    row: tables.PaymentAttempt,
    told: ProviderEvent,
    now: datetime,
) -> Done:
    """Bring a payment to where the provider says it is. `told.event` is one that concerns it. Told
    again, or late, it changes nothing. The customer is locked."""
    if told.event is None:
        return Done(EventOutcome.NO_EFFECT, "of no interest")
    if problem := _mismatch(row, told):
        return _refuse(tx, context, customer, row, told, problem, now)
    if told.event.is_reversal:
        return reversals.told(tx, context, row, told, now)
    _remember(tx, customer, row, told, now)
    before = PaymentState(row.state)
    found = step(reversals.standing(row), told.event)
    if found.effect is Effect.CREDIT:
        _credit(tx, context, customer, row, now)
        _take_up_waiting(tx, context, row, now)
        return Done(EventOutcome.APPLIED)
    _open(row, told, found.state, now)
    if found.state is before:
        return Done(EventOutcome.NO_EFFECT, f"it is {before.value.replace('_', ' ')}")
    if not found.state.is_open:
        _end(tx, context, customer, row, told, now)
    tx.flush()
    return Done(EventOutcome.APPLIED)


def _mismatch(row: tables.PaymentAttempt, told: ProviderEvent) -> str:
    """Why money that the provider tells of is not this payment's (security.md 12)."""
    if (
        told.event is PaymentEvent.PAID
        and PaymentState(row.state).has_paid
        and not _is_same(row, told)
    ):
        return f"it was paid already, by {row.provider_ref}; this is more"
    if told.amount is None:
        return ""
    if told.amount.currency != row.currency:
        return f"{told.amount} is not in {row.currency}"
    if told.event is PaymentEvent.PAID and told.amount.amount_micros != row.amount_micros:
        return f"{told.amount} was paid and {Money(row.amount_micros, row.currency)} asked for"
    return ""


def _is_same(row: tables.PaymentAttempt, told: ProviderEvent) -> bool:
    """Whether the provider tells of the payment that we know by its reference, not of another that
    names our key."""
    return None in (row.provider_ref, told.provider_ref) or row.provider_ref == told.provider_ref


def _refuse(
    tx: Transaction,
    context: Context,
    customer: tables.Customer,
    row: tables.PaymentAttempt,
    told: ProviderEvent,
    problem: str,
    now: datetime,
) -> Done:
    """Nothing is credited. What came in waits in suspense, once, for a person to look at; not what
    is in the books already. A payment that was not paid otherwise keeps what came, so that nobody
    is asked to pay again."""
    is_booked = PaymentState(row.state).has_paid and _is_same(row, told)
    if told.event is PaymentEvent.PAID and not is_booked:
        came = told.amount or Money(row.amount_micros, row.currency)
        into_suspense(
            tx,
            row.gateway_id,
            came,
            told.provider_ref or row.provider_ref or row.key,
            f"payment {row.attempt_id}: {problem}",
            now,
        )
        if came.amount_micros > 0 and not PaymentState(row.state).has_paid:
            row.kept_micros, row.kept_currency = came.amount_micros, came.currency
        if PaymentState(row.state).is_open:
            row.state, row.reason = PaymentState.FAILED, problem
            row.decline = DeclineKind.HARD
            _end(tx, context, customer, row, told, now)
    tx.flush()
    return Done(EventOutcome.MISMATCH, problem)


def into_suspense(
    tx: Transaction,
    gateway_id: int,
    amount: Money,
    reference: str,
    note: str,
    now: datetime,
) -> bool:
    """Keep money that is nobody's yet for whom the gateway belongs to (rule P1); False: this
    reference is kept already."""
    if amount.amount_micros <= 0:
        return False
    gateway = gateways.found(tx, gateway_id)
    return gateway_store.put_in_suspense(
        tx,
        {
            "org_id": gateway.org_id,
            "gateway_id": gateway_id,
            "channel": gateway.channel,
            "amount_micros": amount.amount_micros,
            "currency": amount.currency,
            "reference": reference,
            "note": note,
            "received_at": now,
        },
    )


def _remember(
    tx: Transaction,
    customer: tables.Customer,
    row: tables.PaymentAttempt,
    told: ProviderEvent,
    now: datetime,
) -> None:
    if told.provider_ref and (row.provider_ref is None or told.event is PaymentEvent.PAID):
        row.provider_ref = told.provider_ref
    if told.method is not None and row.saves_method:
        row.method_id = save_method(tx, customer, row.gateway_id, told.method, now)


def save_method(
    tx: Transaction,
    customer: tables.Customer,
    gateway_id: int,
    method: SavedMethod,
    now: datetime,
) -> int:
    """Put a method on file; returns its number."""
    return gateway_store.save_method(
        tx,
        tables.PaymentMethod(
            customer_id=customer.customer_id,
            org_id=customer.org_id,
            gateway_id=gateway_id,
            reference=method.reference,
            payer=method.payer,
            label=method.label,
            expires_on=method.expires_on,
            created_at=now,
        ),
    )


def _credit(
    tx: Transaction,
    context: Context,
    customer: tables.Customer,
    row: tables.PaymentAttempt,
    now: datetime,
) -> None:
    """The money has come: post it, then say so."""
    amount = Money(row.amount_micros, row.currency)
    channel = MoneyChannel(gateways.found(tx, row.gateway_id).channel)
    reference = row.provider_ref or row.key
    bill = None
    if row.purpose == PaymentPurpose.BILL and row.invoice_id is not None:
        bill = invoices.get_invoice(tx, row.customer_id, row.invoice_id)
    if bill is not None and (invoices.open_micros(bill) or bill.written_off_micros):
        micros = amount.amount_micros
        paid = bills.pay_within(context, tx, customer, bill, micros, channel, reference, now)
    else:  # also of a bill that was paid meanwhile: it stays as free credit
        paid = money_in.credit_wallet(
            tx, context, customer, row.wallet_id, amount, channel, reference, now
        )
    if row.prepayment_id is not None:
        _meet(tx, customer.customer_id, row.prepayment_id, paid.payment_id, now)
    row.payment_id, row.state = paid.payment_id, PaymentState.SUCCEEDED
    row.settled_at, row.due_at, row.reason, row.decline = now, None, None, None
    tx.flush()
    recharges.paid(tx, row)
    hotspot_issue.paid(tx, context, customer, row, now)
    # Looked at again, now that it is not pending any more (rule P7).
    enforcement.reconcile(tx, context, customer.customer_id, now)
    _note(tx, context, row, "payment.succeeded", now, {"reference": reference})


def _meet(
    tx: Transaction, customer_id: int, prepayment_id: int, payment_id: int | None, now: datetime
) -> None:
    """The request for money that was paid, unless it was met or cancelled meanwhile (rule P5)."""
    asked = prepayments.find_invoice(tx, customer_id, prepayment_id)
    if asked is not None and not (asked.paid_at or asked.cancelled_at):
        asked.paid_at, asked.payment_id = now, payment_id


def _open(
    row: tables.PaymentAttempt, told: ProviderEvent, state: PaymentState, now: datetime
) -> None:
    """What is kept of an answer that is no money."""
    if not PaymentState(row.state).is_open:
        return
    row.state = state
    row.reason = told.reason
    row.redirect_url = told.redirect_url or row.redirect_url
    row.due_at = now if told.look_up else next_look_up(row.lookups, now)


def _end(
    tx: Transaction,
    context: Context,
    customer: tables.Customer,
    row: tables.PaymentAttempt,
    told: ProviderEvent,
    now: datetime,
) -> None:
    """It has failed, or was given up by the payer."""
    row.settled_at, row.due_at = now, None
    row.reason = row.reason or told.reason or NOT_TOLD
    # A recharge that was cancelled at the provider's would begin anew at once.
    if row.state == PaymentState.FAILED or row.purpose == PaymentPurpose.RECHARGE:
        kind = told.decline or DeclineKind(row.decline or DeclineKind.SOFT)
        row.decline = kind.value
        tx.flush()
        came = told.amount if told.event is PaymentEvent.PAID else None
        recharges.declined(tx, context, customer, row, kind, now, came=came)
    if row.purpose == PaymentPurpose.RECHARGE:
        tx.flush()
        # It is not pending any more: the next look is planned (rule P7).
        enforcement.reconcile(tx, context, customer.customer_id, now)
    detail: dict[str, object] = {"state": row.state, "reason": row.reason}
    _note(tx, context, row, "payment.ended", now, detail)


def _take_up_waiting(
    tx: Transaction,
    context: Context,
    row: tables.PaymentAttempt,
    now: datetime,
) -> None:
    """Refunds and chargebacks that were told of before the payment."""
    for waiting in store.waiting_events(tx, row):
        waiting.customer_id, waiting.attempt_id = row.customer_id, row.attempt_id
        done = reversals.told(tx, context, row, reversals.read(waiting.facts), now)
        waiting.outcome, waiting.detail = done.outcome.value, done.detail


def _note(
    tx: Transaction,
    context: Context,
    row: tables.PaymentAttempt,
    action: str,
    now: datetime,
    detail: dict[str, object],
) -> None:
    audit.append(
        tx,
        at=now,
        org_id=row.org_id,
        actor=context.actor,
        action=action,
        subject=f"payment:{row.attempt_id}",
        detail={"amount_micros": row.amount_micros, **detail},
    )
