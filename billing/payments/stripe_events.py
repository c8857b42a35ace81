"""What an event of Stripe's says of a payment; its signature was checked before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from billing.model.money import Money
from billing.model.payments import DeclineKind, PaymentEvent, ProviderEvent
from billing.payments.stripe_declines import decline_of, reason_of
from billing.payments.stripe_units import from_units

KEY, KIND = "tollway_key", "tollway_kind"
"""In the metadata of the payments that we make."""
SETUP_KEY = "tollway_setup_key"
"""In that of a method that goes on file: its events are of no interest, it is asked for."""
_INTENTS = {
    "payment_intent.succeeded": PaymentEvent.PAID,
    "payment_intent.processing": PaymentEvent.WAITS,
    "payment_intent.canceled": PaymentEvent.CANCELLED,
    "payment_intent.payment_failed": PaymentEvent.DECLINED,
}
_SESSIONS = {
    "checkout.session.completed": PaymentEvent.PAID,
    "checkout.session.async_payment_succeeded": PaymentEvent.PAID,
    "checkout.session.async_payment_failed": PaymentEvent.DECLINED,
    "checkout.session.expired": PaymentEvent.CANCELLED,
}
_REFUNDS = frozenset({"refund.created", "refund.updated", "refund.failed"})
_REFUND_STATES = {
    "succeeded": PaymentEvent.REFUNDED,
    "failed": PaymentEvent.REFUND_FAILED,
    "canceled": PaymentEvent.REFUND_FAILED,
}
# Not when a dispute is opened: when money moves.
_DISPUTES = {
    "charge.dispute.funds_withdrawn": PaymentEvent.CHARGED_BACK,
    "charge.dispute.funds_reinstated": PaymentEvent.CHARGEBACK_WON,
}


def event_of(said: Mapping[str, Any]) -> ProviderEvent:
    """Raises KeyError, TypeError: it is no event."""
    kind, about = str(said["type"]), said["data"]["object"]
    event_id = str(said["id"])
    if kind in _INTENTS:
        return _intent(event_id, kind, about)
    if kind in _SESSIONS:
        return _session(event_id, kind, about)
    if kind in _REFUNDS:
        return _reversal(event_id, kind, about, _REFUND_STATES.get(about["status"]))
    if kind in _DISPUTES:
        return _reversal(event_id, kind, about, _DISPUTES[kind])
    return ProviderEvent(event_id=event_id, event=None, kind=kind)


def _intent(event_id: str, kind: str, about: Mapping[str, Any]) -> ProviderEvent:
    metadata = about.get("metadata") or {}
    key, event = metadata.get(KEY), _INTENTS[kind]
    # At a checkout the payer tries another card; only the session's end is the payment's.
    tries_on = metadata.get(KIND) == "checkout" and event is not PaymentEvent.PAID
    error = about.get("last_payment_error") or {}
    paid = about.get("amount_received") if event is PaymentEvent.PAID else None
    return ProviderEvent(
        event_id=event_id,
        event=None if key is None or tries_on else event,
        kind=kind,
        key=key,
        provider_ref=str(about["id"]),
        # Where it does not say what came, it is what was asked for.
        amount=_amount(about["amount"] if paid is None else paid, about),
        decline=_decline(error) if event is PaymentEvent.DECLINED else None,
        reason=reason_of(_code(error)) if event is PaymentEvent.DECLINED else None,
    )


def _session(event_id: str, kind: str, about: Mapping[str, Any]) -> ProviderEvent:
    key, event = about.get("client_reference_id"), _SESSIONS[kind]
    if event is PaymentEvent.PAID and about.get("payment_status") != "paid":
        event = PaymentEvent.WAITS
    is_ours = key is not None and (about.get("metadata") or {}).get(KEY) == key
    paid = event is PaymentEvent.PAID
    return ProviderEvent(
        event_id=event_id,
        event=event if is_ours else None,
        kind=kind,
        key=key,
        provider_ref=(about.get("payment_intent") if paid else None) or str(about["id"]),
        amount=_amount(about["amount_total"], about) if paid else None,
    )


def _reversal(
    event_id: str, kind: str, about: Mapping[str, Any], event: PaymentEvent | None
) -> ProviderEvent:
    return ProviderEvent(
        event_id=event_id,
        event=event,
        kind=kind,
        provider_ref=about.get("payment_intent"),
        amount=_amount(about["amount"], about),
        reason=about.get("failure_reason") or about.get("reason"),
        reversal_key=(about.get("metadata") or {}).get(KEY),
        reversal_ref=str(about["id"]),
    )


def _amount(units: int, about: Mapping[str, Any]) -> Money:
    return from_units(int(units), str(about["currency"]))


def _decline(error: Mapping[str, Any]) -> DeclineKind:
    return decline_of(_code(error), error.get("advice_code"))


def _code(error: Mapping[str, Any]) -> str | None:
    return error.get("decline_code") or error.get("code")
