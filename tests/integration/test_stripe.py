"""Stripe's gateway through its SDK, against localstripe over HTTP (docs/payments.md)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import count

import pytest
import stripe
from flask import Flask
from werkzeug.serving import make_server

from billing.errors import InvalidInput
from billing.model.method_setups import SetupState
from billing.model.payments import PaymentState
from billing.services import (
    gateways,
    method_setup,
    methods,
    payments,
)
from billing.services.context import Context
from billing.settings import Settings
from billing.store import tables
from rig.loopback import answering
from rig.provider import Fault
from tests.factories import Factory
from tests.integration.replays import REPLAYS, replayed, wide_panel
from tests.integration.stripe_desk import (
    API_KEY,
    GOOD,
    MINUTE,
    NOW,
    SIGNING_SECRET,
    Desk,
    check_out,
    event_about,
    leave_card,
    opened,
    signed,
    type_card,
)
from tests.integration.stripe_server import StripeServer
from tests.integration.talker import UNIT
from tests.integration.till import GATEWAYS
from web import create_app

PAGE = 100
_refunds = count(1)
S = PaymentState


@pytest.fixture(scope="module")
def server() -> Iterator[StripeServer]:
    with StripeServer().serving() as running:
        yield running
        assert running.broken == []


@pytest.fixture
def desk(context: Context, make: Factory, server: StripeServer) -> Desk:
    return opened(context, make, server)


def test_a_card_on_file_is_charged(desk: Desk) -> None:
    made = desk.pay(GOOD)
    assert (made.state, desk.balance()) == (S.SUCCEEDED, 10)
    assert made.provider_ref is not None and made.provider_ref.startswith("pi_")


@pytest.mark.rule("P5")
def test_a_card_that_is_removed_is_detached_once(desk: Desk) -> None:
    client = stripe.StripeClient(API_KEY, base_addresses={"api": desk.server.url})
    method_id = desk.card(GOOD)
    with desk.context.transaction() as tx:
        key = {"customer_id": desk.who.customer_id, "method_id": method_id}
        reference = tx.get_one(tables.PaymentMethod, key).reference
    assert client.v1.payment_methods.retrieve(reference).customer is not None
    methods.remove(desk.context, desk.who.customer_id, method_id, NOW)
    desk.work()
    assert client.v1.payment_methods.retrieve(reference).customer is None
    with desk.context.transaction() as tx:
        row = tx.get_one(tables.PaymentMethod, key)
        assert (row.detach_at, row.detach_tries) == (None, 1)


def test_a_charge_is_refunded_in_parts(desk: Desk) -> None:
    made = desk.pay(GOOD)
    for units, state in ((4, S.PARTLY_REFUNDED), (6, S.REFUNDED)):
        payments.refund(
            desk.context,
            made.attempt_id,
            reason="a test",
            idempotency_key=f"refund {next(_refunds)}",
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
    made = desk.begin(desk.card(GOOD))
    desk.server.fail("POST payment_intents", Fault.NEVER)
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
    made = desk.begin(desk.card(GOOD))
    desk.server.fail("POST payment_intents", Fault.NEVER)
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
    made = desk.begin(desk.card(GOOD))
    desk.server.fail("POST payment_intents", Fault.NEVER)
    desk.work()
    assert (desk.seen(made).state, desk.balance()) == (S.UNKNOWN, 0)
    body = json.dumps(event_about(desk, made)).encode()
    token = gateways.find(desk.context, str(desk.gateway_id)).hook_token
    with wide_panel(settings, NOW) as app:

        def post(headers: dict[str, str], body: bytes = body) -> int:
            answer = app.test_client().post(f"/hooks/{token}", data=body, headers=headers)
            return answer.status_code

        forged, old = signed(body, NOW, "whsec_of_a_guess"), signed(body, NOW - 6 * MINUTE)
        assert (post(forged), post(old), post({})) == (400, 400, 400)
        assert post(signed(body, NOW), body + b" ") == 400
        assert desk.balance() == 0
        answers = replayed(lambda: post(signed(body, NOW)))
    assert answers == {200: REPLAYS}
    assert (desk.seen(made).state, desk.balance()) == (S.SUCCEEDED, 10)
    (event,) = payments.history(desk.context, made.attempt_id).events
    assert event.outcome == "applied"
    desk.work(MINUTE)
    assert desk.balance() == 10


@pytest.mark.rule("M5")
def test_a_refund_that_was_never_answered_is_found_by_its_key(desk: Desk) -> None:
    made = desk.pay(GOOD)
    payments.refund(
        desk.context,
        made.attempt_id,
        reason="a test",
        idempotency_key=f"refund {next(_refunds)}",
        now=desk.now,
    )
    desk.server.fail("POST refunds", Fault.NEVER)
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
        made = desk.begin(desk.card(GOOD))
        server.fail("POST payment_intents", Fault.NEVER)
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


@pytest.mark.rule("P1")
def test_a_checkout_is_paid_and_its_card_stays_on_file(desk: Desk) -> None:
    made = check_out(desk, saves=True)
    assert (made.state, desk.balance()) == (S.PENDING, 0)
    assert type_card(desk, made.redirect_url, "4000000000000002")[1] == "Your card was declined."
    desk.work(MINUTE)
    assert desk.seen(made).state is S.PENDING
    assert type_card(desk, made.redirect_url, GOOD)[0] == "http://127.0.0.1/back"
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
    desk.server.fail("POST sessions", Fault.NEVER)
    made = check_out(desk)
    assert (made.state, made.redirect_url) == (S.UNKNOWN, None)
    desk.work(MINUTE)
    made = desk.seen(made)
    assert made.state is S.PENDING
    type_card(desk, made.redirect_url, GOOD)
    desk.work(timedelta(hours=1))
    assert desk.balance() == 12


@pytest.mark.rule("P5")
def test_a_card_goes_on_file_without_a_payment_and_is_charged(desk: Desk) -> None:
    made = leave_card(desk)
    assert type_card(desk, made.redirect_url, "4000000000000002")[1] == "Your card was declined."
    type_card(desk, made.redirect_url, GOOD)
    desk.work(MINUTE)
    (method,) = methods.of_customer(desk.context, desk.who.customer_id)
    assert (method.label, method.expires_on) == ("Visa …4242", date(2031, 8, 31))
    paid = desk.begin(method.method_id)
    desk.work()
    assert (desk.seen(paid).state, desk.balance()) == (S.SUCCEEDED, 10)


@pytest.mark.rule("P5", "M5")
def test_a_card_whose_page_was_never_answered_or_has_expired(desk: Desk) -> None:
    desk.server.fail("POST sessions", Fault.NEVER)
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
