"""What a customer wants to be told of a wallet, and may spend from it (rules P6, P14)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletWatch:
    """Amounts in micros. None in `alert_percent` and `cap_micros`: there is none."""

    wallet_id: int
    currency: str
    available_micros: int
    alert_percent: int | None
    topped_up_micros: int | None
    """What was available right after the last top-up; None: there was none yet."""
    threshold_micros: int | None
    """The customer is told when less is available; None: never."""
    armed: bool
    """It is told at the next crossing; else by the credit that lifts the balance over it."""
    usage_alert_percents: tuple[int, ...]
    cap_micros: int | None
    spent_micros: int | None
    """Of this month, where there is a cap."""
    cap_until: datetime | None
    """The end of the month that is capped."""
    cap_lifted: bool
    """The cap holds nobody until then."""

    @property
    def cap_left_micros(self) -> int | None:
        """What the cap leaves; None: there is none, or it is lifted."""
        if self.cap_micros is None or self.spent_micros is None or self.cap_lifted:
            return None
        return max(0, self.cap_micros - self.spent_micros)
