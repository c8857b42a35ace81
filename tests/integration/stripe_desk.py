"""Customers who pay by Stripe, as tests stand at them."""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from typing import Any

import stripe

from billing.model.method_setups import SetupView
from billing.model.payments import PaymentView, SavedMethod
from billing.payments.stripe_events import KEY
from billing.services import books, customers, gateways, method_setup, payment_calls, payments
from billing.services.context import Context
from billing.services.customers import changing_customer
from billing.services.payment_steps import save_method
from tests.factories import Factory, Subscriber
from tests.integration.stripe_server import GATEWAY_KEY, StripeServer
from tests.integration.talker import UNIT
from tests.integration.till import GATEWAYS

NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
API_KEY = GATEWAY_KEY
SIGNING_SECRET = "whsec_of_a_test"
GOOD = "4242424242424242"
_keys = count(1)


@dataclass
class Desk:
    """A gateway of Stripe's and one customer, whose card is attached there."""

    context: Context
    server: StripeServer
    gateway_id: int
    who: Subscriber
    now: datetime = NOW

    def card(self, number: str) -> int:
        """On file from now on, at Stripe and here."""
        client = stripe.StripeClient(API_KEY, base_addresses={"api": self.server.url})
        method = client.v1.payment_methods.create(
            {
                "type": "card",
                "card": {"number": number, "exp_month": 12, "exp_year": 2030, "cvc": "123"},
            }
        )
        payer = client.v1.customers.create({"email": "ada@net.example"})
        client.v1.payment_methods.attach(method.id, {"customer": payer.id})
        saved = SavedMethod(reference=method.id, label="Visa …4242", payer=payer.id)
        with changing_customer(self.context, self.who.customer_id) as (tx, customer):
            return save_method(tx, customer, self.gateway_id, saved, NOW)

    def begin(self, method_id: int, micros: int = 10 * UNIT) -> PaymentView:
        """A charge that nobody has been called for yet."""
        return payments.top_up(
            self.context,
            self.who.customer_id,
            self.gateway_id,
            micros,
            idempotency_key=f"stripe {next(_keys)}",
            now=self.now,
            method_id=method_id,
        )

    def pay(self, number: str, micros: int = 10 * UNIT) -> PaymentView:
        made = self.begin(self.card(number), micros)
        self.work()
        return self.seen(made)

    def work(self, after: timedelta = timedelta(0)) -> None:
        self.now += after
        while payment_calls.run_due(self.context, GATEWAYS, lambda: self.now):
            pass
        assert books.check_ledger(self.context, self.now).findings == ()

    def seen(self, made: PaymentView) -> PaymentView:
        return payments.history(self.context, made.attempt_id).payment

    def balance(self) -> int:
        found = customers.get_customer(self.context, self.who.customer_id)
        return found.wallets[0].posted_micros // UNIT


def opened(
    context: Context, make: Factory, server: StripeServer, timeout_seconds: float = 3.0
) -> Desk:
    """With a gateway and a customer of its own."""
    view = gateways.add(
        context,
        GATEWAYS,
        name=f"stripe {next(_keys)}",
        adapter="stripe",
        settings={"url": server.url, "timeout_seconds": str(timeout_seconds)},
        secret_settings={"api_key": API_KEY, "signing_secret": SIGNING_SECRET},
        now=NOW,
    )
    return Desk(context, server, view.gateway_id, make.subscriber(NOW))


def check_out(desk: Desk, *, saves: bool = False) -> PaymentView:
    """A payment that is begun at the page."""
    made = payments.top_up(
        desk.context,
        desk.who.customer_id,
        desk.gateway_id,
        12_340_000,
        idempotency_key=f"stripe {next(_keys)}",
        now=desk.now,
        saves_method=saves,
        return_url="http://127.0.0.1/back",
    )
    desk.work()
    return desk.seen(made)


def type_card(desk: Desk, url: str | None, number: str) -> tuple[str, str]:
    """At the page: where it leads to, or what it says."""
    path = (url or "").removeprefix(desk.server.url)
    return desk.server.checkout.pay(path, f"number={number}".encode())


def leave_card(desk: Desk) -> SetupView:
    """A card that is to go on file."""
    made = method_setup.begin(
        desk.context,
        GATEWAYS,
        desk.who.customer_id,
        desk.gateway_id,
        idempotency_key=f"stripe {next(_keys)}",
        now=desk.now,
        return_url="http://127.0.0.1/back",
    )
    desk.work()
    return method_setup.show(desk.context, made.customer_id, made.setup_id)


def event_about(desk: Desk, made: PaymentView) -> dict[str, Any]:
    """As localstripe shows it, newest last."""
    status, said = desk.server.forward(
        "GET", "/v1/events?limit=1000", b"", {"Authorization": f"Bearer {API_KEY}"}
    )
    assert status == 200, said
    (found,) = (
        one
        for one in json.loads(said)["data"]
        if one["type"] == "payment_intent.succeeded"
        and (one["data"]["object"].get("metadata") or {}).get(KEY) == made.key
    )
    event: dict[str, Any] = found
    return event


def signed(body: bytes, at: datetime, secret: str = SIGNING_SECRET) -> dict[str, str]:
    """A header of Stripe's: HMAC-SHA256 over the seconds, a point and the body."""
    stamp = int(at.timestamp())
    over = f"{stamp}.".encode() + body
    return {
        "Stripe-Signature": f"t={stamp},v1={hmac.new(secret.encode(), over, sha256).hexdigest()}"
    }
