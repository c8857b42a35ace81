"""Batches of vouchers as a shop has them: made, handed over, sold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import select, text

from billing.model.commerce import MoneyChannel
from billing.model.plan import PlanTerms
from billing.model.profile import BillingProfile
from billing.model.vouchers import BatchView, Code, CodeFormat, NewBatch, Redemption, VoucherView
from billing.services import voucher_redeem, voucher_sales, vouchers
from billing.services.context import Context
from billing.services.voucher_sales import Range
from billing.store import tables
from tests.factories import DAILY, Factory, Subscriber

UNIT = 1_000_000
NOW = datetime(2026, 3, 10, 14, 30, tzinfo=UTC)
EXPIRY = NOW + timedelta(days=90)
PIN = CodeFormat(length=12)
_keys = count(1)


@dataclass
class Desk:
    """Makes and sells vouchers; keys are new unless given."""

    context: Context
    make: Factory

    def batch(
        self,
        count: int = 1,
        *,
        amount: int | None = 10 * UNIT,
        plan: PlanTerms | None = None,
        profile: BillingProfile | None = DAILY,
        code: CodeFormat = PIN,
        now: datetime = NOW,
        expires_at: datetime | None = EXPIRY,
        **options: Any,
    ) -> BatchView:
        """In stock; `plan` takes the place of the amount."""
        wanted = NewBatch(
            name=f"batch {next(_keys)}",
            count=count,
            code=code,
            profile_id=None if profile is None else self.make.profile(now, profile),
            plan_id=None if plan is None else self.make.plan(now, plan),
            amount_micros=amount if plan is None else None,
            expires_at=expires_at,
            **options,
        )
        return vouchers.make_batch(self.context, wanted, now)

    def codes(self, batch: BatchView, now: datetime = NOW) -> list[Code]:
        """Handed over."""
        found: list[Code] = []
        vouchers.hand_over(self.context, batch.batch_id, lambda _, codes: found.extend(codes), now)
        return found

    def activate(
        self, batch: BatchView, now: datetime = NOW, last: int | None = None, **options: Any
    ) -> None:
        """Sold for cash, up to a serial number."""
        options = {"pay_by": MoneyChannel.CASH, **options}
        voucher_sales.activate(
            self.context,
            Range(batch_id=batch.batch_id, last=last),
            idempotency_key=f"sold {next(_keys)}",
            now=now,
            **options,
        )

    def sold(self, count: int = 1, *, now: datetime = NOW, **options: Any) -> list[Code]:
        """Vouchers that somebody has bought."""
        batch = self.batch(count, now=now, **options)
        codes = self.codes(batch, now)
        self.activate(batch, now)
        return codes

    def redeem(
        self,
        code: Code | str,
        who: Subscriber,
        now: datetime = NOW,
        *,
        key: str | None = None,
        source: str = "desk",
        **options: Any,
    ) -> Redemption:
        """By the customer."""
        return voucher_redeem.redeem(
            self.context,
            code if isinstance(code, str) else code.code,
            who.customer_id,
            source=source,
            idempotency_key=key or f"redeem {next(_keys)}",
            now=now,
            **options,
        )

    def look(self, code: Code) -> VoucherView:
        return vouchers.show(self.context, code.serial)

    def owed(self) -> int:
        """What is owed for vouchers."""
        return self.sum_of("money:voucher")

    def sum_of(self, account: str) -> int:
        with self.context.transaction() as tx:
            found = select(tables.Posting.amount_micros).where(tables.Posting.account == account)
            return sum(tx.scalars(found))

    def rows(self, query: str, **values: Any) -> Sequence[Any]:
        with self.context.transaction() as tx:
            return tx.execute(text(query), values).all()
