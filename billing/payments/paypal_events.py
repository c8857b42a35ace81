"""What an event of PayPal's says of a payment; that PayPal has sent it was checked before."""

from __future__ import annotations

from typing import Any

from billing.model.payments import DeclineKind, PaymentEvent, ProviderEvent, SavedMethod
from billing.payments.paypal_orders import account_label, from_value

OURS = "tw-"
"""Our keys begin so. What has none is of somebody else who uses the account."""
_CAPTURES = {
    "PAYMENT.CAPTURE.COMPLETED": PaymentEvent.PAID,
    "PAYMENT.CAPTURE.PENDING": PaymentEvent.WAITS,
    "PAYMENT.CAPTURE.DECLINED": PaymentEvent.DECLINED,
    "PAYMENT.CAPTURE.DENIED": PaymentEvent.DECLINED,
}
# By whoever: by us, at PayPal's site; or PayPal takes it back, for the payer or the payer's bank.
_REVERSALS = {
    "PAYMENT.CAPTURE.REFUNDED": PaymentEvent.REFUNDED,
    "PAYMENT.CAPTURE.REVERSED": PaymentEvent.CHARGED_BACK,
}

_WON = {"RESOLVED_SELLER_FAVOUR", "RESOLVED_SELLER_FAVOR", "CANCELED_BY_BUYER", "DENIED"}


def event_of(said: dict[str, Any]) -> ProviderEvent:
    """Raises KeyError, TypeError, ValueError, AttributeError: it is no event."""
    event_id, kind, about = str(said["id"]), str(said["event_type"]), said["resource"]
    if kind in _CAPTURES:
        return _capture(event_id, kind, about)
    if kind in _REVERSALS:
        return _reversal(event_id, kind, about)
    if kind == "CHECKOUT.ORDER.APPROVED":
        # Nothing is taken before it is captured; the look-up does that.
        key = about["purchase_units"][0].get("custom_id")
        return ProviderEvent(
            event_id=event_id,
            event=PaymentEvent.WAITS if _is_ours(key) else None,
            kind=kind,
            key=key,
            provider_ref=str(about["id"]),
            look_up=True,
        )
    if kind == "CHECKOUT.PAYMENT-APPROVAL.REVERSED":
        # It does not say our key in every form: the order is known by its own number.
        return ProviderEvent(
            event_id=event_id,
            event=PaymentEvent.CANCELLED,
            kind=kind,
            provider_ref=str(about["order_id"]),
            reason="what the payer approved was not taken in time",
        )
    if kind == "CUSTOMER.DISPUTE.RESOLVED":
        return _dispute(event_id, kind, about)
    if kind == "VAULT.PAYMENT-TOKEN.CREATED":
        return _kept(event_id, kind, about)
    return ProviderEvent(event_id=event_id, event=None, kind=kind)


def _dispute(event_id: str, kind: str, about: dict[str, Any]) -> ProviderEvent:
    """What was taken back for a dispute comes back where it is won. It has a reference of its own,
    which the reversal does not know: it is found by its capture and amount."""
    won = (about.get("dispute_outcome") or {}).get("outcome_code") in _WON
    return ProviderEvent(
        event_id=event_id,
        event=PaymentEvent.CHARGEBACK_WON if won else None,
        kind=kind,
        provider_ref=str(about["disputed_transactions"][0]["seller_transaction_id"]),
        amount=from_value(about["dispute_amount"]),
        reason=f"dispute {about['dispute_id']} was won" if won else None,
    )


def _kept(event_id: str, kind: str, about: dict[str, Any]) -> ProviderEvent:
    """An account that PayPal kept some time after its payment."""
    order_id = (about.get("metadata") or {}).get("order_id")
    wallet = (about.get("payment_source") or {}).get("paypal") or {}
    return ProviderEvent(
        event_id=event_id,
        # It is no news of the payment, but of its method.
        event=PaymentEvent.WAITS if order_id and wallet else None,
        kind=kind,
        provider_ref=None if order_id is None else str(order_id),
        method=SavedMethod(
            reference=str(about["id"]),
            label=account_label(wallet),
            payer=(about.get("customer") or {}).get("id"),
        ),
    )


def _capture(event_id: str, kind: str, about: dict[str, Any]) -> ProviderEvent:
    event, key = _CAPTURES[kind], about.get("custom_id")
    ids = (about.get("supplementary_data") or {}).get("related_ids") or {}
    paid = event is PaymentEvent.PAID
    return ProviderEvent(
        event_id=event_id,
        event=event if _is_ours(key) else None,
        kind=kind,
        key=key,
        # Until it is paid it is looked up by its order.
        provider_ref=str(about["id"]) if paid else ids.get("order_id"),
        amount=from_value(about["amount"]),
        decline=DeclineKind.SOFT if event is PaymentEvent.DECLINED else None,
        reason=(about.get("status_details") or {}).get("reason"),
    )


def _reversal(event_id: str, kind: str, about: dict[str, Any]) -> ProviderEvent:
    """The resource is the refund; which capture it is of stands in its link."""
    links = {one["rel"]: str(one["href"]) for one in about.get("links") or []}
    key = about.get("custom_id")
    return ProviderEvent(
        event_id=event_id,
        event=_REVERSALS[kind],
        kind=kind,
        provider_ref=links["up"].rstrip("/").rsplit("/", 1)[-1],
        amount=from_value(about["amount"]),
        reason=about.get("note_to_payer"),
        reversal_key=key if _is_ours(key) else None,
        reversal_ref=str(about["id"]),
    )


def _is_ours(key: object) -> bool:
    return isinstance(key, str) and key.startswith(OURS)
