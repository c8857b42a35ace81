"""Money that comes in, by whatever way, as a list shows it (rule P1). Amounts in micros."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

RECEIVED = "received"
"""The state of money that came in without a gateway: at the desk, by a statement, by a voucher."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyIn:
    """A payment by a gateway (`attempt_id`) in a PaymentState, or RECEIVED money (`attempt_id`
    None). `back_micros`: what was refunded and charged back of it. `reference`: the provider's, or
    what it came with. Empty `actor`: nobody's name was kept."""

    at: datetime
    customer_id: int
    customer_name: str
    attempt_id: int | None
    number: int
    """Of the payment by a gateway, or of the money received."""
    state: str
    channel: str
    gateway: str
    purpose: str
    amount_micros: int
    back_micros: int
    currency: str
    reference: str
    actor: str
    receipt_number: str | None

    @property
    def place(self) -> MoneyPlace:
        return MoneyPlace(self.at, self.attempt_id is not None, self.number)


@dataclass(frozen=True, slots=True)
class MoneyPlace:
    """Where in the list, newest first: pages begin behind one."""

    at: datetime
    by_gateway: bool
    number: int

    def __str__(self) -> str:
        return f"{self.at.isoformat()}_{int(self.by_gateway)}_{self.number}"

    @classmethod
    def parse(cls, text: str) -> MoneyPlace:
        """As `str` writes it. Raises ValueError."""
        at, by_gateway, number = text.split("_")
        found = cls(datetime.fromisoformat(at), by_gateway == "1", int(number))
        if found.at.tzinfo is None or not 0 <= found.number < 2**63:
            raise ValueError(f"not a place in the list: {text!r}")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyUsed:
    """What money paid as it came in: bills with the micros that each took. `rest_micros` went to
    the wallet, for whatever else waited for it."""

    receipt_number: str | None
    bills: tuple[tuple[str, int], ...]
    rest_micros: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyPage:
    """`next_before`: where older ones begin."""

    rows: tuple[MoneyIn, ...]
    next_before: MoneyPlace | None
