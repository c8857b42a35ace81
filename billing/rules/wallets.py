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
