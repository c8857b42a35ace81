"""How something is sold and how money arrives (rules P1, B5, B8)."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class SaleChannel(StrEnum):
    """Who sells: staff at the desk, or the customer itself in the portal or through the API."""

    STAFF = "staff"
    PORTAL = "portal"
    API = "api"
    RESELLER = "reseller"
    VOUCHER = "voucher"

    @property
    def online(self) -> bool:
        """Bought by the customer itself (rule B8)."""
        return self in (SaleChannel.PORTAL, SaleChannel.API)


class MoneyChannel(StrEnum):
    """How money reached a wallet (rule P1)."""

    CASH = "cash"
    CARD = "card"
    DIRECT_DEBIT = "direct_debit"
    PAYPAL = "paypal"
    MOBILE_MONEY = "mobile_money"
    BANK_TRANSFER = "bank_transfer"
    VOUCHER = "voucher"
    RESELLER = "reseller"
    ADJUSTMENT = "adjustment"


class Owner(NamedTuple):
    """Whose a package or a bill is; a bill may be the whole customer's."""

    customer_id: int
    org_id: int
    subscription_id: int | None
