"""Stripe's gateway through its SDK, against localstripe over HTTP (docs/payments.md)."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import count
from typing import Any

import pytest
import stripe
from flask import Flask
from werkzeug.serving import make_server

from billing.errors import InvalidInput
from billing.model.method_setups import SetupState, SetupView
from billing.model.payments import PaymentState, PaymentView, SavedMethod
from billing.payments.stripe_events import KEY
from billing.services import (
    books,
    customers,
    gateways,
    method_setup,
    methods,
    payment_calls,
    payments,
)
from billing.services.context import Context
from billing.services.customers import changing_customer
from billing.services.payment_steps import save_method
from billing.settings import Settings
from rig.loopback import answering
from tests.factories import Factory, Subscriber
from tests.integration.stripe_server import StripeServer
from tests.integration.talker import UNIT
from tests.integration.till import GATEWAYS
from web import create_app

NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
API_KEY = "sk_test_of_localstripe"
SIGNING_SECRET = "whsec_of_a_test"
REPLAYS = 1_000
PAGE = 100
S = PaymentState
_keys = count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[StripeServer]:
    with StripeServer().serving() as running:
        yield running


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

    def pay(self, number: str, micros: int = 10 * UNIT) -> PaymentView:
        made = payments.top_up(
            self.context,
            self.who.customer_id,
            self.gateway_id,
            micros,
            idempotency_key=f"stripe {next(_keys)}",
            now=self.now,
            method_id=self.card(number),
        )
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


@pytest.fixture
def desk(context: Context, make: Factory, server: StripeServer) -> Desk:
    view = gateways.add(
        context,
        GATEWAYS,
        name=f"stripe {next(_keys)}",
        adapter="stripe",
        settings={"url": server.url, "timeout_seconds": "3"},
        secret_settings={"api_key": API_KEY, "signing_secret": SIGNING_SECRET},
        now=NOW,
    )
    return Desk(context, server, view.gateway_id, make.subscriber(NOW))


def test_a_card_on_file_is_charged(desk: Desk) -> None:
    made = desk.pay("4242424242424242")
    assert (made.state, desk.balance()) == (S.SUCCEEDED, 10)
    assert made.provider_ref is not None and made.provider_ref.startswith("pi_")


def test_a_charge_is_refunded_in_parts(desk: Desk) -> None:
    made = desk.pay("4242424242424242")
    for units, state in ((4, S.PARTLY_REFUNDED), (6, S.REFUNDED)):
        payments.refund(
            desk.context,
            made.attempt_id,
            reason="a test",
            idempotency_key=f"refund {next(_keys)}",
            now=desk.now,
            amount_micros=units * UNIT,
        )
        desk.work()
        assert desk.seen(made).state is state
    assert desk.balance() == 0


def test_a_card_that_declines_takes_nothing(desk: Desk) -> None:
    """The only one of localstripe's that can be attached and declines."""
    made = desk.pay("4000000000000341")
    assert (made.state, desk.balance()) == (S.FAILED, 0)
    assert made.reason is not None and "declined" in made.reason


def test_a_bank_that_wants_the_payer_to_confirm(desk: Desk) -> None:
    made = desk.pay("4000002500003155")
    assert (made.state, desk.balance()) == (S.FAILED, 0)


@pytest.mark.rule("M5")
def test_a_charge_that_was_never_answered_is_found_by_its_key(desk: Desk) -> None:
    made = payments.top_up(
        desk.context,
        desk.who.customer_id,
        desk.gateway_id,
        10 * UNIT,
        idempotency_key=f"stripe {next(_keys)}",
        now=desk.now,
        method_id=desk.card("4242424242424242"),
    )
    desk.server.lose_answers = 1
    desk.server.posts.clear()
    desk.work()
    assert (desk.seen(made).state, desk.balance()) == (S.UNKNOWN, 0)
    desk.work(MINUTE)
    assert (desk.seen(made).state, desk.balance()) == (S.SUCCEEDED, 10)
    assert desk.server.posts == ["/v1/payment_intents"]


@pytest.mark.rule("M5")
def test_a_charge_that_was_never_answered_is_found_behind_many_others(desk: Desk) -> None:
    """Page after page of what was made about when it was sent."""
    client = stripe.StripeClient(API_KEY, base_addresses={"api": desk.server.url})
    for _ in range(2 * PAGE):
        client.v1.payment_intents.create({"amount": 100, "currency": "usd"})
    made = payments.top_up(
        desk.context,
        desk.who.customer_id,
        desk.gateway_id,
        10 * UNIT,
        idempotency_key=f"stripe {next(_keys)}",
        now=desk.now,
        method_id=desk.card("4242424242424242"),
    )
    desk.server.lose_answers = 1
    desk.work()
    desk.server.listed.clear()
    desk.work(MINUTE)
    assert (desk.seen(made).state, desk.balance()) == (S.SUCCEEDED, 10)
    assert len(desk.server.listed) >= 3
    sent = int(NOW.timestamp())
    for asked in desk.server.listed:
        window = int(asked["created[gte]"]), int(asked["created[lte]"])
        assert window == (sent - 600, sent + 600)
        assert asked["customer"].startswith("cus_")


@pytest.mark.rule("M5")
def test_a_thousand_replays_of_an_event_at_once_credit_once(desk: Desk, settings: Settings) -> None:
    """The event that localstripe has made of the payment, signed as Stripe signs."""
    made = payments.top_up(
        desk.context,
        desk.who.customer_id,
        desk.gateway_id,
        10 * UNIT,
        idempotency_key=f"stripe {next(_keys)}",
        now=desk.now,
        method_id=desk.card("4242424242424242"),
    )
    desk.server.lose_answers = 1
    desk.work()
    assert (desk.seen(made).state, desk.balance()) == (S.UNKNOWN, 0)
    body = json.dumps(event_about(desk, made)).encode()
    app = create_app(settings, clock=lambda: NOW)
    token = gateways.find(desk.context, str(desk.gateway_id)).hook_token

    def post(headers: dict[str, str], body: bytes = body) -> int:
        answer = app.test_client().post(f"/hooks/{token}", data=body, headers=headers)
        return answer.status_code

    try:
        forged, old = signed(body, NOW, "whsec_of_a_guess"), signed(body, NOW - 6 * MINUTE)
        assert (post(forged), post(old), post({})) == (400, 400, 400)
        assert post(signed(body, NOW), body + b" ") == 400
        assert desk.balance() == 0
        with ThreadPoolExecutor(32) as pool:
            answers = set(pool.map(post, [signed(body, NOW)] * REPLAYS))
    finally:
        app.extensions["tollway"].close()
    assert answers == {200}
    assert (desk.seen(made).state, desk.balance()) == (S.SUCCEEDED, 10)
    (event,) = payments.history(desk.context, made.attempt_id).events
    assert event.outcome == "applied"
    desk.work(MINUTE)
    assert desk.balance() == 10


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


@pytest.mark.rule("M5")
def test_a_refund_that_was_never_answered_is_found_by_its_key(desk: Desk) -> None:
    made = desk.pay("4242424242424242")
    payments.refund(
        desk.context,
        made.attempt_id,
        reason="a test",
        idempotency_key=f"refund {next(_keys)}",
        now=desk.now,
    )
    desk.server.lose_answers = 1
    desk.server.posts.clear()
    desk.work()
    assert (desk.seen(made).state, desk.balance()) == (S.SUCCEEDED, 0)
    desk.work(MINUTE)
    assert desk.seen(made).state is S.REFUNDED
    assert desk.server.posts == ["/v1/refunds"]


@pytest.mark.rule("M5")
def test_its_signed_event_tells_what_was_never_answered(
    desk: Desk, settings: Settings, server: StripeServer
) -> None:
    """Signed and sent by localstripe, received by the panel's address."""
    with serving(create_app(settings)) as url:
        token = gateways.find(desk.context, str(desk.gateway_id)).hook_token
        server.call_hook(f"{url}/hooks/{token}", SIGNING_SECRET)
        made = payments.top_up(
            desk.context,
            desk.who.customer_id,
            desk.gateway_id,
            10 * UNIT,
            idempotency_key=f"stripe {next(_keys)}",
            now=desk.now,
            method_id=desk.card("4242424242424242"),
        )
        server.lose_answers = 1
        desk.work()
        until = time.monotonic() + 60
        while desk.seen(made).state is not S.SUCCEEDED and time.monotonic() < until:
            time.sleep(0.1)
    assert (desk.seen(made).state, desk.balance()) == (S.SUCCEEDED, 10)
    events = payments.history(desk.context, made.attempt_id).events
    assert [(one.kind, one.outcome) for one in events] == [("payment_intent.succeeded", "applied")]
    assert desk.seen(made).lookups == 0


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """Address of the running panel."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    with answering(server):
        yield f"http://127.0.0.1:{server.server_port}"
    app.extensions["tollway"].close()


def test_a_gateway_is_tried(desk: Desk) -> None:
    """localstripe knows only that a key must look like one."""
    assert gateways.tried(desk.context, GATEWAYS, desk.gateway_id) == ""


@pytest.mark.parametrize(
    ("secrets", "field"),
    [
        ({}, "api_key"),
        ({"api_key": "pk_live_x", "signing_secret": "whsec_x"}, "api_key"),
        ({"api_key": "sk_test_x"}, "signing_secret"),
    ],
)
def test_what_cannot_be_set_up(context: Context, secrets: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        gateways.add(
            context,
            GATEWAYS,
            name="bad",
            adapter="stripe",
            settings={},
            secret_settings=secrets,
            now=NOW,
        )
    assert refused.value.field == field


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


@pytest.mark.rule("P1")
def test_a_checkout_is_paid_and_its_card_stays_on_file(desk: Desk) -> None:
    made = check_out(desk, saves=True)
    assert (made.state, desk.balance()) == (S.PENDING, 0)
    assert type_card(desk, made.redirect_url, "4000000000000002")[1] == "Your card was declined."
    desk.work(MINUTE)
    assert desk.seen(made).state is S.PENDING
    assert type_card(desk, made.redirect_url, "4242424242424242")[0] == "http://127.0.0.1/back"
    desk.work(timedelta(hours=1))
    assert (desk.seen(made).state, desk.balance()) == (S.SUCCEEDED, 12)
    (method,) = methods.of_customer(desk.context, desk.who.customer_id)
    assert (method.label, method.expires_on) == ("Visa …4242", date(2031, 8, 31))
    again = check_out(desk)
    session = desk.server.checkout.sessions[again.provider_ref or ""]
    assert session["customer"] is not None, "the payer that Stripe knows already"


@pytest.mark.rule("P1")
def test_a_checkout_that_expires_takes_nothing(desk: Desk) -> None:
    made = check_out(desk)
    desk.server.checkout.expire(made.provider_ref or "")
    desk.work(MINUTE)
    assert (desk.seen(made).state, desk.balance()) == (S.CANCELLED, 0)
    assert methods.of_customer(desk.context, desk.who.customer_id) == []


@pytest.mark.rule("M5")
def test_a_checkout_that_was_never_answered_is_found_by_its_key(desk: Desk) -> None:
    desk.server.lose_answers = 1
    made = check_out(desk)
    assert (made.state, made.redirect_url) == (S.UNKNOWN, None)
    desk.work(MINUTE)
    made = desk.seen(made)
    assert made.state is S.PENDING
    type_card(desk, made.redirect_url, "4242424242424242")
    desk.work(timedelta(hours=1))
    assert desk.balance() == 12


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


@pytest.mark.rule("P5")
def test_a_card_goes_on_file_without_a_payment_and_is_charged(desk: Desk) -> None:
    made = leave_card(desk)
    assert type_card(desk, made.redirect_url, "4000000000000002")[1] == "Your card was declined."
    type_card(desk, made.redirect_url, "4242424242424242")
    desk.work(MINUTE)
    (method,) = methods.of_customer(desk.context, desk.who.customer_id)
    assert (method.label, method.expires_on) == ("Visa …4242", date(2031, 8, 31))
    paid = payments.top_up(
        desk.context,
        desk.who.customer_id,
        desk.gateway_id,
        10 * UNIT,
        idempotency_key=f"stripe {next(_keys)}",
        now=desk.now,
        method_id=method.method_id,
    )
    desk.work()
    assert (desk.seen(paid).state, desk.balance()) == (S.SUCCEEDED, 10)


@pytest.mark.rule("P5", "M5")
def test_a_card_whose_page_was_never_answered_or_has_expired(desk: Desk) -> None:
    desk.server.lose_answers = 1
    made = leave_card(desk)
    assert made.redirect_url is None
    desk.work(MINUTE)
    made = method_setup.show(desk.context, made.customer_id, made.setup_id)
    number = (made.redirect_url or "").rpartition("/")[2]
    desk.server.checkout.expire(number)
    desk.work(timedelta(hours=1))
    made = method_setup.show(desk.context, made.customer_id, made.setup_id)
    assert made.state is SetupState.FAILED
    assert methods.of_customer(desk.context, desk.who.customer_id) == []
