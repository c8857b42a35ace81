"""What a wallet can still pay for (rules P3, P8)."""

from __future__ import annotations

from billing.model.account import Account
from billing.model.profile import Payment


def wallet_bounded(account: Account) -> bool:
    """Whether usage ends when the wallet is exhausted (rules P8, P12).

    A prepaid wallet always; a postpaid one only where a credit limit is set.
    """
    return account.profile.payment is Payment.PREPAID or account.wallet.credit_limit_micros > 0


def wallet_exhausted(account: Account) -> bool:
    """Rule P8 without its second half: available ≤ −credit limit."""
    return wallet_bounded(account) and account.wallet.spendable_micros == 0


def affordable(spendable_micros: int, step: int, step_micros: int) -> int:
    """Seconds or octets (the unit of `step`) that the wallet pays for, in whole steps.

    At least one step while anything is left: the wallet is not exhausted (rule P8), and a step
    that is begun is charged whole (rule P3).
    """
    return max(1, spendable_micros // step_micros) * step
