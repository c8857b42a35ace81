"""What a wallet can still pay for (rules P3, P8, P12, P14)."""

from __future__ import annotations

from datetime import datetime

from billing.model.account import Wallet


def wallet_exhausted(wallet: Wallet, now: datetime) -> bool:
    """Available ≤ −credit limit: the wallet's half of rule P8, prepaid or postpaid (rule P12). A
    spending cap that is reached acts like it (rule P14)."""
    return wallet.spendable_at(now) == 0


def affordable(spendable_micros: int, step: int, step_micros: int) -> int:
    """Seconds or octets (the unit of `step`) that the wallet pays for, in whole steps.

    At least one step while anything is left: the wallet is not exhausted (rule P8), and a step
    that is begun is charged whole (rule P3).
    """
    return max(1, spendable_micros // step_micros) * step


def needed_top_up(
    available_micros: int, credit_limit_micros: int, *, unpaid_micros: int, upcoming_micros: int
) -> int:
    """What must be put into a wallet, in micros: its open bills, which are paid first and not from
    the credit limit (rule I4), then the coming period where one is due (rule P10), then so much
    that it is not exhausted (rule P8)."""
    short_of_bills = unpaid_micros - max(0, available_micros)
    left = available_micros + credit_limit_micros - unpaid_micros
    if upcoming_micros:
        return max(0, short_of_bills, upcoming_micros - left)
    return max(0, short_of_bills, 1 - left if left < 0 else 0)


def recommended_top_up(needed_micros: int, uninvoiced_micros: int, usual_micros: int) -> int:
    """What a customer is advised to top up with: what is needed, this period's usage that is on no
    bill yet (as rule P4 asks of who becomes prepaid), and what it topped up with the last time."""
    return max(needed_micros, uninvoiced_micros, usual_micros)
