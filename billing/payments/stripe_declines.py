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


def decline_of(code: str | None, advice: str | None = None) -> DeclineKind:
    """What a reason of Stripe's means for the next try."""
    if code in ("authentication_required", "payment_intent_authentication_failure"):
        return DeclineKind.AUTHENTICATION
    if code in _HARD or advice == "do_not_try_again":
        return DeclineKind.HARD
    return DeclineKind.SOFT
