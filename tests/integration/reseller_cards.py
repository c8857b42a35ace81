"""Vouchers of a reseller: made and handed over by its own staff, sold from its wallet."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from billing.model.vouchers import Activation, BatchView, Code, CodeFormat, NewBatch, Redemption
from billing.services import customers, voucher_redeem, voucher_sales, vouchers
from billing.services.voucher_sales import Range
from tests.integration.reseller_world import NOON, Shop, Trade

PIN = CodeFormat(length=12)
EXPIRY = NOON + timedelta(days=90)
_numbers = count(1)


@dataclass
class Cards:
    """A batch of 10.00 each of the trade's plan, of which the child pays 8.00 and the parent 7.00,
    unless other terms are given."""

    trade: Trade
    shop: Shop
    count: int = 3
    options: dict[str, Any] = field(default_factory=dict)
    batch: BatchView = field(init=False)
    codes: list[Code] = field(init=False)

    def __post_init__(self) -> None:
        terms: dict[str, Any] = {
            "plan_id": self.trade.plan_id,
            "profile_id": self.shop.profile_id,
            "code": PIN,
            "expires_at": EXPIRY,
        }
        wanted = NewBatch(name=f"cards {next(_numbers)}", count=self.count, **terms | self.options)
        self.batch = vouchers.make_batch(self.shop.staff, wanted, NOON)
        self.codes = []
        vouchers.hand_over(
            self.shop.staff,
            self.batch.batch_id,
            lambda _, codes: self.codes.extend(codes),
            NOON,
        )

    def range(self, first: int = 0, last: int | None = None) -> Range:
        """From one card to another, counted from 0; the whole batch unless given."""
        start = self.batch.first_serial
        return Range(
            batch_id=self.batch.batch_id,
            first=start + first,
            last=start + (self.count - 1 if last is None else last),
        )

    def sell(
        self, first: int = 0, last: int | None = None, *, key: str = "", at: datetime = NOON
    ) -> Activation:
        """By the shop's own staff."""
        return voucher_sales.activate(
            self.shop.staff,
            self.range(first, last),
            idempotency_key=key or f"cards {next(_numbers)}",
            now=at,
        )

    def redeem(self, card: int, subscription_id: int, at: datetime = NOON) -> Redemption:
        """For a subscription of any organisation, as the portal does."""
        context = self.trade.context
        return voucher_redeem.redeem(
            context,
            self.codes[card].code,
            customers.customer_of(context, subscription_id),
            source="portal",
            idempotency_key=f"card {next(_numbers)}",
            now=at,
            subscription_id=subscription_id,
        )

    def states(self) -> dict[str, int]:
        return vouchers.get_batch(self.trade.context, self.batch.batch_id).stock
