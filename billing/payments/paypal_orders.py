"""What PayPal's orders, captures and refunds say of a payment; its units, and its declines."""

from __future__ import annotations

from typing import Any

from billing.model.money import MICROS_PER_UNIT, Money, minor_digits
from billing.model.payments import (
    Answer,
    DeclineKind,
    Outcome,
    PaymentKind,
    PaymentOrder,
    SavedMethod,
    Unpayable,
)

# Without decimals there, whatever ISO 4217 says.
_WHOLE = frozenset({"HUF", "JPY", "TWD"})
_CAME_IN = frozenset({"COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"})
_REFUNDS = {
    "COMPLETED": Outcome.PAID,
    "PENDING": Outcome.WAITS,
    "FAILED": Outcome.DECLINED,
    "CANCELLED": Outcome.DECLINED,
}
# What the payer has to do something about, at PayPal's page.
_PAYER_ACTS = frozenset(
    {"ORDER_NOT_APPROVED", "PAYER_ACTION_REQUIRED", "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING"}
)
# Another day may be better, or it is done already.
_SOFT = frozenset(
    {
        "INSTRUMENT_DECLINED",
        "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED",
        "ORDER_ALREADY_CAPTURED",
        "ORDER_COMPLETION_IN_PROGRESS",
        "TRANSACTION_LIMIT_EXCEEDED",
        "TRANSACTION_RECEIVING_LIMIT_EXCEEDED",
        "TRANSACTION_REFUSED",
    }
)
# For good; as all others are that are not listed here.
_HARD = frozenset(
    {
        "AGREEMENT_ALREADY_CANCELLED",
        "BILLING_AGREEMENT_NOT_FOUND",
        "COMPLIANCE_VIOLATION",
        "PAYEE_BLOCKED_TRANSACTION",
        "PAYER_ACCOUNT_LOCKED_OR_CLOSED",
        "PAYER_ACCOUNT_RESTRICTED",
        "PAYER_CANNOT_PAY",
        "TOKEN_ID_NOT_FOUND",
        "TRANSACTION_BLOCKED_BY_PAYEE",
    }
)
REFUSALS = _PAYER_ACTS | _SOFT | _HARD
"""Codes that surely mean that nothing was taken, also when they answer what was sent again."""


def to_value(amount: Money) -> dict[str, str]:
    """As PayPal writes it, `{"currency_code": "EUR", "value": "10.00"}`. Raises Unpayable: an
    amount that it cannot take."""
    digits = 0 if amount.currency in _WHOLE else min(2, minor_digits(amount.currency))
    step = MICROS_PER_UNIT // int(10**digits)
    units, rest = divmod(amount.amount_micros, step)
    if rest:
        raise Unpayable(str(amount))
    whole, part = divmod(units, int(10**digits))
    written = f"{whole}.{part:0{digits}d}" if digits else str(whole)
    return {"currency_code": amount.currency, "value": written}


def from_value(said: dict[str, Any]) -> Money:
    """Raises ValueError, KeyError."""
    return Money.parse(str(said["value"]), str(said["currency_code"]))


def decline_of(issue: str) -> DeclineKind:
    """What a refusal means for the next try (rule P7)."""
    if issue in _PAYER_ACTS:
        return DeclineKind.AUTHENTICATION
    return DeclineKind.SOFT if issue in _SOFT else DeclineKind.HARD


def answer_of(said: dict[str, Any], order: PaymentOrder) -> Answer:
    """What an order that PayPal shows has come to; WAITS where it is to be captured still. Raises
    KeyError, TypeError, ValueError: it is none."""
    order_id, status = str(said["id"]), said["status"]
    captures = [
        one
        for unit in said.get("purchase_units") or []
        for one in (unit.get("payments") or {}).get("captures") or []
    ]
    paid = [one for one in captures if one["status"] in _CAME_IN]
    if paid:
        return Answer(
            outcome=Outcome.PAID,
            provider_ref=str(paid[0]["id"]),
            amount=from_value(paid[0]["amount"]),
            method=_method(said),
        )
    if captures and captures[-1]["status"] in ("DECLINED", "FAILED"):
        words = f"PayPal could not take it: {captures[-1]['status'].lower()}"
        return _declined(DeclineKind.SOFT, words, order_id)
    if status == "VOIDED":
        return Answer(outcome=Outcome.CANCELLED, provider_ref=order_id)
    if status == "PAYER_ACTION_REQUIRED" and order.kind is PaymentKind.CHARGE:
        return _declined(DeclineKind.AUTHENTICATION, None, order_id)
    return Answer(outcome=Outcome.WAITS, provider_ref=order_id, redirect_url=_page(said))


def refund_of(said: dict[str, Any]) -> Answer:
    """Raises as `answer_of`."""
    outcome = _REFUNDS[said["status"]]
    return Answer(
        outcome=outcome,
        provider_ref=str(said["id"]),
        amount=from_value(said["amount"]),
        decline=DeclineKind.HARD if outcome is Outcome.DECLINED else None,
        reason=(said.get("status_details") or {}).get("reason"),
    )


def _method(said: dict[str, Any]) -> SavedMethod | None:
    """The PayPal account, where it stays on file."""
    wallet = (said.get("payment_source") or {}).get("paypal") or {}
    kept = (wallet.get("attributes") or {}).get("vault") or {}
    if not kept.get("id"):
        return None
    return SavedMethod(
        reference=str(kept["id"]),
        label=account_label(wallet),
        payer=(kept.get("customer") or {}).get("id"),
    )


def account_label(wallet: dict[str, Any]) -> str:
    """For people: PayPal a…@mail.example."""
    name, at, host = str(wallet.get("email_address") or "").partition("@")
    return f"PayPal {name[:1]}…{at}{host}" if at else "PayPal"


def _page(said: dict[str, Any]) -> str | None:
    """Where the payer goes on."""
    links = {one["rel"]: one["href"] for one in said.get("links") or []}
    return links.get("payer-action") or links.get("approve")


def _declined(kind: DeclineKind, reason: str | None, ref: str) -> Answer:
    return Answer(outcome=Outcome.DECLINED, decline=kind, reason=reason, provider_ref=ref)
