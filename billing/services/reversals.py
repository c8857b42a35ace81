"""Refunds and chargebacks: money that goes back, taken from the wallet in entries of its own (M4).

A refund that we ask for is taken from the wallet at once, into `refund:pending`, so that nobody
spends it meanwhile; when the provider has paid it out it leaves the money that came in. What the
provider or the payer's bank does by itself goes from the wallet to there directly, below zero where
it must.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from billing.errors import NotFound, Refused
from billing.model.money import Money
from billing.model.payments import (
    EventOutcome,
    PaymentEvent,
    PaymentState,
    ProviderEvent,
    ReversalKind,
    ReversalState,
)
from billing.rules.payments import Standing, Step, step
from billing.services import enforcement, gateways, recharges, renewals
from billing.services.context import Context
from billing.services.settling import checked_amount
from billing.store import audit, ledger, tables
from billing.store import payments as store
from billing.store.guard import Transaction
from billing.store.ledger import Line


@dataclass(frozen=True, slots=True)
class Done:
    """What became of an event, and why."""

    outcome: EventOutcome
    detail: str = ""


def request(
    tx: Transaction,
    context: Context,
    row: tables.PaymentAttempt,
    amount_micros: int,
    *,
    reason: str,
    key: str,
    command_key: str,
    now: datetime,
    even_if_spent: bool = False,
) -> tables.PaymentReversal:
    """Take a refund from the wallet, for the worker to ask the provider for. The customer is
    locked. Raises Refused (there is not so much left of the payment, or in the wallet)."""
    amount = checked_amount(amount_micros, row.currency)
    if not PaymentState(row.state).has_paid:
        raise Refused(f"the payment is {row.state}: nothing of it came in", field="payment")
    on_its_way = sum(
        one.amount_micros
        for one in store.reversals_of(tx, row.customer_id, row.attempt_id)
        if ReversalState(one.state).is_open
    )
    left = row.amount_micros - row.refunded_micros - row.charged_back_micros - on_its_way
    if amount.amount_micros > left:
        raise Refused(f"{Money(left, row.currency)} is left of the payment", field="amount")
    wallet = ledger.wallet(tx, row.customer_id, row.wallet_id)
    if amount.amount_micros > wallet.available_micros and not even_if_spent:
        available = Money(wallet.available_micros, row.currency)
        raise Refused(
            f"the wallet has {available}: the rest of {amount} is spent. Refund less, or say that"
            " the customer may owe it",
            field="amount",
        )
    made = tables.PaymentReversal(
        customer_id=row.customer_id,
        org_id=row.org_id,
        attempt_id=row.attempt_id,
        kind=ReversalKind.REFUND,
        state=ReversalState.CREATED,
        amount_micros=amount.amount_micros,
        currency=row.currency,
        key=key,
        command_key=command_key,
        reason=reason,
        requested_by=context.actor,
        created_at=now,
        due_at=now,
        entry_id=_post(tx, row, made_of(row, ledger.REFUND_PENDING, amount.amount_micros), now),
    )
    store.insert_reversal(tx, made)
    recharges.taken_back(tx, row, now, disputed=False)
    enforcement.reconcile(tx, context, row.customer_id, now)
    _note(tx, context, row, "payment.refund", made, now)
    return made


def told(
    tx: Transaction,
    context: Context,
    row: tables.PaymentAttempt,
    event: ProviderEvent,
    now: datetime,
) -> Done:
    """What the provider says of a refund or a dispute, once for each. The customer is locked."""
    if event.event is None:
        return Done(EventOutcome.NO_EFFECT)
    if not PaymentState(row.state).has_paid:
        return Done(EventOutcome.WAITING, "its payment has not come in")
    known = _known(tx, row, event)
    if known is None and _micros(event) <= 0:
        return Done(EventOutcome.MISMATCH, "it names no amount")
    if known is None and event.event in (PaymentEvent.REFUND_FAILED, PaymentEvent.CHARGEBACK_WON):
        if event.reversal_ref is None and event.reversal_key is None:
            return Done(EventOutcome.NO_EFFECT, "nothing was taken for it")
        # It came before what it ends, which will change nothing any more.
        _finish(_unknown_before(tx, row, event, now), event, now)
        return Done(EventOutcome.NO_EFFECT, "nothing was taken for it")
    if known is not None and (said := _said_before(known, event.event)):
        return Done(EventOutcome.NO_EFFECT, said)
    micros = known.amount_micros if known else _micros(event)
    if event.amount is not None and _micros(event) != micros:
        return Done(EventOutcome.MISMATCH, f"{event.amount} is not its amount")
    on_its_way = event.event is PaymentEvent.REFUND_FAILED and not _has_gone(known)
    found = step(standing(row), event.event, 0 if on_its_way else micros)
    if found.problem:
        return Done(EventOutcome.MISMATCH, found.problem)
    known = known or _unknown_before(tx, row, event, now)
    _book(tx, row, known, event.event, now)
    _finish(known, event, now)
    _apply(row, found)
    tx.flush()
    if event.event is PaymentEvent.CHARGED_BACK or (
        event.event is PaymentEvent.REFUNDED and known.key is None
    ):
        recharges.taken_back(tx, row, now, disputed=event.event is PaymentEvent.CHARGED_BACK)
    # Into the wallet or out of it: whoever is restored by it, or cut (rules P8, P9).
    renewals.credited(tx, context, row.customer_id, now)
    _note(tx, context, row, f"payment.{event.event.value}", known, now)
    return Done(EventOutcome.APPLIED)


def read(facts: Mapping[str, Any]) -> ProviderEvent:
    """An event as `written` keeps it."""
    values = dict(facts)
    amount = values.pop("amount", None)
    kind = values.pop("event", None)
    return ProviderEvent(
        event=None if kind is None else PaymentEvent(kind),
        amount=None if amount is None else Money(**amount),
        key=values.get("key"),
        provider_ref=values.get("provider_ref"),
        reason=values.get("reason"),
        reversal_key=values.get("reversal_key"),
        reversal_ref=values.get("reversal_ref"),
        event_id=str(values["event_id"]),
        kind=str(values["kind"]),
    )


def written(event: ProviderEvent) -> dict[str, object]:
    """What is kept of an event beside its body; no method of payment."""
    return {
        "event_id": event.event_id,
        "event": event.event,
        "kind": event.kind,
        "key": event.key,
        "provider_ref": event.provider_ref,
        "amount": None if event.amount is None else asdict(event.amount),
        "reason": event.reason,
        "reversal_key": event.reversal_key,
        "reversal_ref": event.reversal_ref,
    }


def owned(tx: Transaction, customer_id: int, reversal_id: int) -> tables.PaymentReversal:
    """Raises NotFound."""
    row = store.reversal(tx, customer_id, reversal_id)
    if row is None:
        raise NotFound(f"no refund has the number {reversal_id}", field="refund")
    return row


def _known(
    tx: Transaction, row: tables.PaymentAttempt, event: ProviderEvent
) -> tables.PaymentReversal | None:
    """The refund or dispute that an event is about: by our key, by the provider's reference, or
    else one of this amount of ours whose reference we have not heard of yet."""
    rows = store.reversals_of(tx, row.customer_id, row.attempt_id)
    for one in rows:
        # Another refund may have been taken for it, before its own reference was known.
        is_its_own = None in (one.provider_ref, event.reversal_ref) or (
            one.provider_ref == event.reversal_ref
        )
        if event.reversal_key is not None and one.key == event.reversal_key and is_its_own:
            return one
    for one in rows:
        if event.reversal_ref is not None and one.provider_ref == event.reversal_ref:
            return one
    if event.event in (PaymentEvent.REFUNDED, PaymentEvent.REFUND_FAILED):
        for one in rows:
            is_open = ReversalState(one.state).is_open and one.sent_at is not None
            if is_open and one.provider_ref is None and one.amount_micros == _micros(event):
                return one
    if event.event is PaymentEvent.CHARGEBACK_WON and event.reversal_ref is None:
        # A provider that names the dispute by another reference than what it took for it.
        for one in rows:
            is_taken = one.kind == ReversalKind.CHARGEBACK and one.state == ReversalState.SUCCEEDED
            if is_taken and one.amount_micros == _micros(event):
                return one
    return None


def _has_gone(known: tables.PaymentReversal | None) -> bool:
    return known is not None and known.state == ReversalState.SUCCEEDED


def _said_before(known: tables.PaymentReversal, event: PaymentEvent) -> str:
    """Why an event about it changes nothing; empty: it does."""
    state = ReversalState(known.state)
    if state is ReversalState.WON:
        return "the dispute is won"
    if event in (PaymentEvent.REFUNDED, PaymentEvent.CHARGED_BACK):
        # What the provider never heard of, as far as we know, may have gone after all.
        given_up = state is ReversalState.FAILED and known.provider_ref is None
        return "" if state.is_open or given_up else f"it has {state.value} already"
    if event is PaymentEvent.REFUND_FAILED:
        return "it has failed already" if state is ReversalState.FAILED else ""
    return "" if state is ReversalState.SUCCEEDED else "nothing was taken for it"


def _unknown_before(
    tx: Transaction, row: tables.PaymentAttempt, event: ProviderEvent, now: datetime
) -> tables.PaymentReversal:
    """One that the provider or the bank has begun; nothing is taken yet."""
    disputed = event.event in (PaymentEvent.CHARGED_BACK, PaymentEvent.CHARGEBACK_WON)
    made = tables.PaymentReversal(
        customer_id=row.customer_id,
        org_id=row.org_id,
        attempt_id=row.attempt_id,
        kind=ReversalKind.CHARGEBACK if disputed else ReversalKind.REFUND,
        state=ReversalState.PENDING,
        amount_micros=_micros(event),
        currency=row.currency,
        provider_ref=event.reversal_ref,
        reason=event.reason or ("disputed" if disputed else "refunded at the provider's"),
        requested_by=f"gateway:{row.gateway_id}",
        created_at=now,
    )
    store.insert_reversal(tx, made)
    return made


def _book(
    tx: Transaction,
    row: tables.PaymentAttempt,
    known: tables.PaymentReversal,
    event: PaymentEvent,
    now: datetime,
) -> None:
    """The entries of one step; each corrects the one before it."""
    micros, money = known.amount_micros, f"money:{gateways.found(tx, row.gateway_id).channel}"
    waits = known.entry_id is not None and known.payout_entry_id is None
    if event in (PaymentEvent.REFUNDED, PaymentEvent.CHARGED_BACK):
        if waits and known.state != ReversalState.FAILED:
            lines = [Line(ledger.REFUND_PENDING, -micros), Line(money, micros)]
            known.payout_entry_id = _post(tx, row, lines, now, known.entry_id)
        else:
            entry_id = _post(tx, row, made_of(row, money, micros), now)
            known.entry_id = known.entry_id or entry_id
            known.payout_entry_id = entry_id
        return
    source = ledger.REFUND_PENDING if waits else money
    _post(tx, row, made_of(row, source, -micros), now, known.payout_entry_id or known.entry_id)


def made_of(row: tables.PaymentAttempt, account: str, micros: int) -> list[Line]:
    """From the wallet to an account; below zero, back."""
    return [Line(ledger.WALLET, -micros, row.wallet_id), Line(account, micros)]


def _finish(known: tables.PaymentReversal, event: ProviderEvent, now: datetime) -> None:
    known.state = {
        PaymentEvent.REFUNDED: ReversalState.SUCCEEDED,
        PaymentEvent.CHARGED_BACK: ReversalState.SUCCEEDED,
        PaymentEvent.REFUND_FAILED: ReversalState.FAILED,
        PaymentEvent.CHARGEBACK_WON: ReversalState.WON,
    }[event.event or PaymentEvent.REFUNDED]
    known.provider_ref = known.provider_ref or event.reversal_ref
    known.settled_at, known.due_at = now, None
    if known.state == ReversalState.FAILED and event.reason:
        known.reason = f"{known.reason}: {event.reason}"


def _apply(row: tables.PaymentAttempt, found: Step) -> None:
    row.state = found.state
    row.refunded_micros = found.refunded_micros
    row.charged_back_micros = found.charged_back_micros


def standing(row: tables.PaymentAttempt) -> Standing:
    """A payment as the rules see it."""
    return Standing(
        state=PaymentState(row.state),
        amount_micros=row.amount_micros,
        refunded_micros=row.refunded_micros,
        charged_back_micros=row.charged_back_micros,
    )


def _micros(event: ProviderEvent) -> int:
    return 0 if event.amount is None else event.amount.amount_micros


def _post(
    tx: Transaction,
    row: tables.PaymentAttempt,
    lines: list[Line],
    now: datetime,
    corrects: int | None = None,
) -> int:
    return ledger.post(
        tx,
        customer_id=row.customer_id,
        org_id=row.org_id,
        kind="refund",
        memo=f"of payment {row.attempt_id}",
        lines=lines,
        currency=row.currency,
        now=now,
        corrects_entry_id=corrects,
    )


def _note(
    tx: Transaction,
    context: Context,
    row: tables.PaymentAttempt,
    action: str,
    made: tables.PaymentReversal,
    now: datetime,
) -> None:
    audit.append(
        tx,
        at=now,
        org_id=row.org_id,
        actor=context.actor,
        action=action,
        subject=f"payment:{row.attempt_id}",
        detail={
            "amount_micros": made.amount_micros,
            "reversal": made.reversal_id,
            "reason": made.reason,
        },
    )
