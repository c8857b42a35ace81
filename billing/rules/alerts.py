"""When a customer is told that little is left, of a wallet or of a package (rule P6).

Each crossing is told once: a wallet is armed again by a credit that lifts it over its threshold, a
package by the one that follows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WHOLE_PERCENT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceAlert:
    """A wallet's alert: a percentage of what was available right after the last top-up. `below`:
    armed, in micros; None: not armed."""

    percent: int | None
    topped_up_micros: int | None
    below_micros: int | None

    @property
    def threshold_micros(self) -> int | None:
        """Told when less than this is available; None: never."""
        if self.percent is None or self.topped_up_micros is None or self.topped_up_micros <= 0:
            return None
        # Up, so that "less than" means the same of whole micros.
        return -(-self.topped_up_micros * self.percent // WHOLE_PERCENT)


def balance_fell(alert: BalanceAlert, available_micros: int) -> bool:
    """Whether the customer is to be told now."""
    return alert.below_micros is not None and available_micros < alert.below_micros


def armed_below(alert: BalanceAlert, available_micros: int) -> int | None:
    """What the alert is armed at from now on: while it is armed its threshold, and again when a
    credit has lifted the balance over it; None: not armed."""
    threshold = alert.threshold_micros
    if threshold is None or balance_fell(alert, available_micros):
        return None
    is_armed = alert.below_micros is not None and available_micros >= threshold
    return threshold if is_armed or available_micros > threshold else None


@dataclass(frozen=True, slots=True)
class Amount:
    """Seconds or octets of a package: how many it had, and has left."""

    total: int
    left: int


def left_at(total: int, percent: int) -> int:
    """What is left of `total` when so much of it is used, rounded down: never early."""
    return total * (WHOLE_PERCENT - percent) // WHOLE_PERCENT


def level_reached(percents: Iterable[int], amounts: Sequence[Amount]) -> int:
    """The highest of these levels that the use of any amount has reached; 0: none."""
    return max(
        (
            percent
            for percent in percents
            if any(amount.left <= left_at(amount.total, percent) for amount in amounts)
        ),
        default=0,
    )


def next_level(percents: Iterable[int], told: int) -> int | None:
    """The lowest level that was not told yet."""
    return min((percent for percent in percents if percent > told), default=None)
