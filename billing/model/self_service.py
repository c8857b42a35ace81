"""What customers of resellers buy themselves (rule R1). Amounts are micros of the named currency,
with all taxes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfPurchaseView:
    """A package that a reseller's customer bought from its own wallet. `back_micros`: what it got
    back of it. `earned_micros`: what the reseller has earned by it and still has; None: nothing, or
    who asks is a cashier."""

    purchase_id: int
    org_id: int
    customer_id: int
    customer_name: str
    plan_name: str
    paid_micros: int
    back_micros: int
    earned_micros: int | None
    currency: str
    bought_at: datetime
    bought_by: str
    back_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseUndone:
    """`back_micros` went back into the customer's wallet; `lost_micros` is what its reseller had
    earned by that."""

    customer_id: int
    purchase_id: int
    org_id: int
    back_micros: int
    lost_micros: int
    currency: str
    repeated: bool = False
