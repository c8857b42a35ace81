"""Customers who pay by a gateway, whose provider runs beside them (rig/provider.py)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from sqlalchemy import select

from billing.model.money import Money
from billing.model.payments import EventOutcome, PaymentView, SavedMethod
from billing.payments.registry import open_gateway
from billing.services import books, gateways, payment_calls, payments, provider_events
from billing.services.context import Context
from billing.services.customers import changing_customer
from billing.services.gateways import Gateways
from billing.services.payment_steps import save_method
from billing.store import ledger, tables
from rig.provider import API_KEY, SIGNING_SECRET, Provider
from tests.factories import Factory, Subscriber
from tests.integration.talker import UNIT

GATEWAYS = Gateways(open_gateway)
_keys = count(1)


@dataclass
class Till:
    """One gateway and its provider. `now`: what the worker's clock says."""

    context: Context
    make: Factory
    provider: Provider
    now: datetime
    timeout_seconds: float = 5.0
    gateway_id: int = field(init=False)
    token: str = field(init=False)

    def __post_init__(self) -> None:
        view = gateways.add(
            self.context,
            GATEWAYS,
            name=f"till {next(_keys)}",
            adapter="sandbox",
            settings={"url": self.provider.url, "timeout_seconds": str(self.timeout_seconds)},
            secret_settings={"api_key": API_KEY, "signing_secret": SIGNING_SECRET},
            now=self.now,
        )
        self.gateway_id, self.token = view.gateway_id, view.hook_token

    def customer(self) -> Subscriber:
        return self.make.subscriber(self.now)

    def method(self, who: Subscriber, card: str = "ok") -> int:
        """On file from now on."""
        with changing_customer(self.context, who.customer_id) as (tx, customer):
            saved = SavedMethod(reference=card, label=f"card {card}")
            return save_method(tx, customer, self.gateway_id, saved, self.now)

    def begin(
        self, who: Subscriber, units: int = 10, *, card: str | None = "ok", saves: bool = False
    ) -> PaymentView:
        """A top-up by a method on file, or at the provider's page where `card` is None."""
        return payments.top_up(
            self.context,
            who.customer_id,
            self.gateway_id,
            units * UNIT,
            idempotency_key=f"pay {next(_keys)}",
            now=self.now,
            method_id=None if card is None else self.method(who, card),
            saves_method=saves,
        )

    def work(self, after: timedelta = timedelta(0)) -> int:
        """What the worker does then."""
        self.now += after
        done = 0
        while found := payment_calls.run_due(self.context, GATEWAYS, lambda: self.now):
            done += found
        return done

    def pay(self, who: Subscriber, units: int = 10, *, card: str = "ok") -> PaymentView:
        """The same, done."""
        made = self.begin(who, units, card=card)
        self.work()
        return self.seen(made)

    def seen(self, made: PaymentView) -> PaymentView:
        return payments.history(self.context, made.attempt_id).payment

    def hear(
        self, kind: str, about: dict[str, object], *, event_id: str | None = None
    ) -> EventOutcome:
        """An event of the provider arrives."""
        body, headers = self.provider.event(kind, about, self.now, event_id=event_id)
        done = provider_events.take(self.context, GATEWAYS, self.token, body, headers, self.now)
        assert done is not None and len(done) == 1
        return done[0]

    def refund(
        self, made: PaymentView, units: int | None = None, *, even_if_spent: bool = False
    ) -> int:
        """Asked for; the worker has not yet."""
        return payments.refund(
            self.context,
            made.attempt_id,
            reason="a test",
            idempotency_key=f"refund {next(_keys)}",
            now=self.now,
            amount_micros=None if units is None else units * UNIT,
            even_if_spent=even_if_spent,
        ).reversal_id

    def balance(self, who: Subscriber) -> int:
        """What is in the customer's wallet, in units."""
        with self.context.transaction() as tx:
            row = tx.scalars(
                select(tables.Wallet).where(tables.Wallet.customer_id == who.customer_id)
            ).one()
            return row.posted_micros // UNIT

    def account(self, who: Subscriber, name: str) -> int:
        with self.context.transaction() as tx:
            return ledger.balance(tx, who.customer_id, name) // UNIT

    def in_suspense(self) -> list[tuple[Money, str]]:
        """What waits of this gateway."""
        with self.context.transaction() as tx:
            rows = tx.scalars(
                select(tables.Suspense)
                .where(tables.Suspense.gateway_id == self.gateway_id)
                .order_by(tables.Suspense.suspense_id)
            )
            return [
                (Money(row.amount_micros - row.moved_micros, row.currency), row.note)
                for row in rows
            ]

    def check(self) -> None:
        assert books.check_ledger(self.context, self.now).findings == ()
