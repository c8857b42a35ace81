"""What Stripe's reasons for a decline mean for the next try (rule P7)."""

from __future__ import annotations

from billing.model.payments import DeclineKind

# Reasons that no other day changes (docs of the declines: do not try again with this card).
_HARD = frozenset(
    {
        "card_not_supported",
        "currency_not_supported",
        "expired_card",
        "fraudulent",
        "incorrect_number",
        "invalid_account",
        "invalid_number",
        "lost_card",
        "merchant_blacklist",
        "new_account_information_available",
        "no_action_taken",
        "pickup_card",
        "restricted_card",
        "revocation_of_all_authorizations",
        "revocation_of_authorization",
        "security_violation",
        "stolen_card",
        "stop_payment_order",
        "testmode_decline",
        "transaction_not_allowed",
    }
)


_INSUFFICIENT = "there is not enough money on the card"
_EXPIRED = "the card has expired"
_WRONG_NUMBER = "the card's number is wrong"
_WORDS = {
    "authentication_required": "your bank wants you to confirm it",
    "card_not_supported": "the card is not taken for this",
    "currency_not_supported": "the card is not taken in this currency",
    "expired_card": _EXPIRED,
    "incorrect_cvc": "the card's security code is wrong",
    "incorrect_number": _WRONG_NUMBER,
    "insufficient_funds": _INSUFFICIENT,
    "invalid_cvc": "the card's security code is wrong",
    "invalid_expiry_month": _EXPIRED,
    "invalid_expiry_year": _EXPIRED,
    "invalid_number": _WRONG_NUMBER,
    "card_velocity_exceeded": "the card's limit is reached",
    "withdrawal_count_limit_exceeded": "the card's limit is reached",
    "issuer_not_available": "the card's bank gives no answer",
    "payment_intent_authentication_failure": "your bank wants you to confirm it",
    "processing_error": "the card's bank gives no answer",
    "reenter_transaction": "the card's bank gives no answer",
    "try_again_later": "the card's bank gives no answer",
}


def reason_of(code: str | None) -> str:
    """A decline in our words, which customers read in their language. Lost and stolen cards are
    not told apart from others: whoever holds one need not know."""
    return _WORDS.get(code or "", "the card was declined")


def decline_of(code: str | None, advice: str | None = None) -> DeclineKind:
    """What a reason of Stripe's means for the next try."""
    if code in ("authentication_required", "payment_intent_authentication_failure"):
        return DeclineKind.AUTHENTICATION
    if code in _HARD or advice == "do_not_try_again":
        return DeclineKind.HARD
    return DeclineKind.SOFT
