"""What a look at recurring prepaid service has bought, or could not (rule P10)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing.model.bills import IssuedBill, Parked
from billing.model.views import SaleReceipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """For one customer; `problems` say what could not be bought for another reason than money."""

    bills: tuple[IssuedBill, ...] = ()
    packages: tuple[SaleReceipt, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalReport:
    """What a run did; `total_micros` is what was paid for bills and packages, by `currency`."""

    at: datetime
    customers: int
    bills: int
    packages: int
    total_micros: int
    currency: str
    parked: tuple[Parked, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalPreview:
    """A period or a package that a run would pay from the wallet; where `short_micros` is more than
    zero it lacks so much, and the service stops (or stays) without."""

    customer_id: int
    username: str
    text: str
    total_micros: int
    currency: str
    short_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What the daily check found undone for a customer, in words."""

    customer_id: int
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletCheckReport:
    """What a daily check of all wallets found (rule P13)."""

    at: datetime
    customers: int
    repaired: tuple[Repair, ...]
    parked: tuple[Parked, ...]
