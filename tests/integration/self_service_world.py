"""A customer of a reseller that buys itself, by the panel's role, as its own pages do."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from billing.model.commerce import MoneyChannel, SaleChannel
from billing.model.views import SaleReceipt
from billing.services import resellers, sales, self_purchases
from billing.store import customers as customer_store
from tests.integration.reseller_world import NOON, Shop, Trade


class Buyer:
    """A customer of a shop with money in its wallet, which acts for itself by the panel's role."""

    def __init__(self, trade: Trade, shop: Shop, cents: int = 100_00) -> None:
        self.trade, self.shop = trade, shop
        self.subscription_id = trade.customer(shop)
        with trade.context.transaction() as tx:
            number = customer_store.customer_of(tx, self.subscription_id)
        assert number is not None
        self.customer_id = number
        self.context = replace(
            trade.acting(shop.org_id), actor=f"customer:{number}", customer_id=number
        )
        if cents:
            self.pay(cents)

    def pay(self, cents: int, key: str = "money") -> None:
        """By card, to the operator."""
        sales.topup(
            self.trade.context,
            self.customer_id,
            cents * 10_000,
            channel=MoneyChannel.CARD,
            idempotency_key=key,
            now=NOON,
        )

    def buy(self, key: str = "buy", at: datetime = NOON, plan_id: int | None = None) -> SaleReceipt:
        return sales.sell(
            self.context,
            self.subscription_id,
            plan_id or self.trade.plan_id,
            idempotency_key=key,
            now=at,
            channel=SaleChannel.PORTAL,
        )

    def purchase_id(self) -> int:
        return self_purchases.listed(self.trade.context, self.shop.org_id)[0].purchase_id

    def wallet(self) -> int:
        return self.trade.account(self.customer_id, "wallet")


def switch(trade: Trade, shop: Shop, *, on: bool) -> None:
    """Whether a reseller earns by what customers buy themselves."""
    view = resellers.show(trade.context, shop.org_id)
    resellers.change(
        trade.context,
        shop.org_id,
        NOON,
        undo_minutes=view.undo_minutes,
        max_customers=view.max_customers,
        max_nas=None,
        max_plans=None,
        alert_percent=view.alert_percent,
        closed=False,
        earns_on_self_service=on,
    )
