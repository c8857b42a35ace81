"""What goes wrong at each call of Stripe's gateway, and what is told by its events: money counts
once, none is lost, and what may have been done is looked up and not sent again (M5)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import stripe
from flask import Flask

from billing.model.method_setups import SetupState
from billing.model.payments import PaymentState, PaymentView
from billing.payments.stripe_events import KEY
from billing.rules.payments import GIVEN_UP_AFTER
from billing.services import (
    gateways,
    method_setup,
    methods,
    payment_calls,
    payment_cancel,
    payments,
    suspense,
)
from billing.services.context import Context
from billing.settings import Settings
from billing.store import tables
from rig.provider import Fault
from tests.factories import Factory
from tests.integration.stripe_desk import (
    API_KEY,
    GOOD,
    MINUTE,
    NOW,
    Desk,
    check_out,
    event_about,
    leave_card,
    opened,
    signed,
    type_card,
)
from tests.integration.stripe_server import FAULTS, NOT_DONE, AnyFault, StripeServer, Trouble
from tests.integration.talker import UNIT
from tests.integration.till import GATEWAYS
from web import create_app

HOUR = timedelta(hours=1)
S = PaymentState

pytestmark = pytest.mark.rule("M5")
each_fault = pytest.mark.parametrize("fault", FAULTS)


@pytest.fixture(scope="module")
def server() -> Iterator[StripeServer]:
    with StripeServer(late_seconds=0.4).serving() as running:
        yield running
        assert running.broken == []


@pytest.fixture
def desk(context: Context, make: Factory, server: StripeServer) -> Desk:
    server.posts.clear()
    server.faults.clear()
    return opened(context, make, server, timeout_seconds=0.3)


@pytest.fixture(scope="module")
def app(settings: Settings) -> Iterator[Flask]:
    made = create_app(settings, clock=lambda: NOW)
    yield made
    made.extensions["tollway"].close()


def at_stripe(desk: Desk, kind: str, key: str) -> list[dict[str, Any]]:
    """The payment_intents or refunds there that have a key of ours."""
    headers = {"Authorization": f"Bearer {API_KEY}"}
    status, said = desk.server.forward("GET", f"/v1/{kind}?limit=1000", b"", headers)
    assert status == 200, said
    found = json.loads(said)["data"]
    return [one for one in found if (one["metadata"] or {}).get(KEY) == key]


def taken_units(desk: Desk, made: PaymentView) -> float:
    """What Stripe took for it."""
    paid = at_stripe(desk, "payment_intents", made.key)
    return sum(one["amount"] for one in paid if one["status"] == "succeeded") / 100


def settle(desk: Desk) -> None:
    """Until everything that is to be asked has been asked."""
    for after in (MINUTE, 5 * MINUTE, GIVEN_UP_AFTER, HOUR, HOUR):
        desk.now += after
        while payment_calls.run_due(desk.context, GATEWAYS, lambda: desk.now):
            pass
    desk.work()
    assert not any(desk.server.faults.values()), "a fault that met no call"


@each_fault
def test_a_charge_is_made_once_or_not_at_all(desk: Desk, fault: AnyFault) -> None:
    made = desk.begin(desk.card(GOOD))
    desk.server.posts.clear()
    desk.server.fail("POST payment_intents", fault)
    desk.work()
    first = desk.seen(made).state
    assert first is S.UNKNOWN or (fault is Trouble.TWICE and first is S.SUCCEEDED)
    settle(desk)
    paid = 0 if fault in NOT_DONE else 10
    assert desk.seen(made).state is (S.SUCCEEDED if paid else S.FAILED)
    assert (desk.balance(), taken_units(desk, made)) == (paid, paid)
    assert desk.server.posts == ["/v1/payment_intents"]


@each_fault
def test_a_page_is_opened_once_or_not_at_all(desk: Desk, fault: AnyFault) -> None:
    desk.server.fail("POST sessions", fault)
    made = check_out(desk)
    assert made.state is S.UNKNOWN or (fault is Trouble.TWICE and made.state is S.PENDING)
    desk.work(MINUTE)
    sessions = [
        one
        for one in desk.server.checkout.sessions.values()
        if one["client_reference_id"] == made.key
    ]
    assert len(sessions) == (0 if fault in NOT_DONE else 1)
    for one in sessions:
        assert desk.seen(made).redirect_url == one["url"]
        type_card(desk, one["url"], GOOD)
    settle(desk)
    assert desk.seen(made).state is (S.SUCCEEDED if sessions else S.FAILED)
    assert (desk.balance(), taken_units(desk, made)) == ((12, 12.34) if sessions else (0, 0))
    assert desk.server.posts == ["/v1/checkout/sessions"]


@pytest.mark.rule("P5")
@each_fault
def test_a_card_goes_on_file_once_or_not_at_all(desk: Desk, fault: AnyFault) -> None:
    desk.server.fail("POST sessions", fault)
    made = leave_card(desk)
    desk.work(MINUTE)
    found = method_setup.show(desk.context, made.customer_id, made.setup_id)
    assert (found.redirect_url is None) == (fault in NOT_DONE)
    if found.redirect_url:
        type_card(desk, found.redirect_url, GOOD)
    settle(desk)
    kept = methods.of_customer(desk.context, desk.who.customer_id)
    assert len(kept) == (0 if fault in NOT_DONE else 1)
    found = method_setup.show(desk.context, made.customer_id, made.setup_id)
    assert found.state is (SetupState.DONE if kept else SetupState.FAILED)
    assert desk.server.posts == ["/v1/checkout/sessions"]


def give_back(desk: Desk, made: PaymentView) -> None:
    """4.00 of it."""
    payments.refund(
        desk.context,
        made.attempt_id,
        reason="a test",
        idempotency_key=f"refund of {made.key}",
        now=desk.now,
        amount_micros=4 * UNIT,
    )


def given_back_cents(desk: Desk, made: PaymentView) -> list[int]:
    """By Stripe, of this payment."""
    client = stripe.StripeClient(API_KEY, base_addresses={"api": desk.server.url})
    intent = desk.seen(made).provider_ref or ""
    return [one.amount for one in client.v1.refunds.list({"payment_intent": intent}).data]


@each_fault
def test_a_refund_goes_once_or_not_at_all(desk: Desk, fault: AnyFault) -> None:
    made = desk.pay(GOOD)
    settle(desk)
    desk.server.posts.clear()
    desk.server.fail("POST refunds", fault)
    give_back(desk, made)
    desk.work()
    assert desk.balance() == 6, "it is held until it is known"
    settle(desk)
    gone = given_back_cents(desk, made)
    assert gone == ([] if fault in NOT_DONE else [400])
    assert desk.balance() == (6 if gone else 10)
    assert desk.seen(made).state is (S.PARTLY_REFUNDED if gone else S.SUCCEEDED)
    assert desk.server.posts == ["/v1/refunds"]


@pytest.mark.rule("P5")
@each_fault
def test_every_look_up_may_go_wrong(desk: Desk, fault: AnyFault) -> None:
    """Of a refund and a charge that were not answered, of a page that was paid, of a card."""
    server = desk.server
    returned = desk.pay(GOOD)
    charged = desk.begin(desk.card(GOOD))
    give_back(desk, returned)
    server.posts.clear()
    server.fail("POST payment_intents", Trouble.CLOSED)
    server.fail("POST refunds", Trouble.CLOSED)
    desk.work()
    assert desk.seen(charged).state is S.UNKNOWN
    page, card = check_out(desk, saves=True), leave_card(desk)
    for one in (page, card):
        type_card(desk, one.redirect_url, GOOD)
    server.fail("GET payment_intents", fault, fault)
    server.fail("GET sessions", fault, fault)
    server.fail("GET refunds", fault)
    server.fail("GET setup_intents", fault)
    settle(desk)
    assert (desk.seen(charged).state, taken_units(desk, charged)) == (S.SUCCEEDED, 10)
    assert (desk.seen(page).state, taken_units(desk, page)) == (S.SUCCEEDED, 12.34)
    assert desk.seen(returned).state is S.PARTLY_REFUNDED
    assert (given_back_cents(desk, returned), desk.balance()) == ([400], 28)
    found = method_setup.show(desk.context, card.customer_id, card.setup_id)
    assert found.state is SetupState.DONE
    assert len(methods.of_customer(desk.context, desk.who.customer_id)) == 4
    sent = [path for path in server.posts if "payment_methods" not in path]
    assert sorted(sent) == [
        "/v1/checkout/sessions",
        "/v1/checkout/sessions",
        "/v1/payment_intents",
        "/v1/refunds",
    ]


@each_fault
def test_a_page_that_is_taken_back_is_closed_or_paid(desk: Desk, fault: AnyFault) -> None:
    """Asked for and closed with a fault each; where it stays open, the payer is quicker."""
    made = check_out(desk)
    session = desk.server.checkout.sessions[made.provider_ref or ""]

    def cancel() -> PaymentState:
        done = payment_cancel.cancel(desk.context, GATEWAYS, made.attempt_id, lambda: desk.now)
        return done.state

    desk.server.fail("GET sessions", fault)
    desk.server.fail("POST expire", fault)
    if fault is not Trouble.TWICE:
        assert (cancel(), session["status"]) == (S.UNKNOWN, "open")
        desk.work(MINUTE)
        assert desk.seen(made).state is S.PENDING
    assert cancel() is (S.CANCELLED if fault is Trouble.TWICE else S.UNKNOWN)
    assert (session["status"] == "open") == (fault in NOT_DONE)
    if session["status"] == "open":
        type_card(desk, session["url"], GOOD)
    settle(desk)
    paid = 12.34 if fault in NOT_DONE else 0
    assert desk.seen(made).state is (S.SUCCEEDED if paid else S.CANCELLED)
    assert (desk.balance(), taken_units(desk, made)) == (int(paid), paid)


@pytest.mark.rule("P5")
@each_fault
def test_a_card_that_is_removed_is_forgotten_whatever_goes_wrong(
    desk: Desk, fault: AnyFault
) -> None:
    method_id = desk.card(GOOD)
    desk.server.fail("GET payment_methods", fault)
    desk.server.fail("POST detach", fault)
    methods.remove(desk.context, desk.who.customer_id, method_id, desk.now)
    desk.work()
    settle(desk)
    with desk.context.transaction() as tx:
        key = {"customer_id": desk.who.customer_id, "method_id": method_id}
        row = tx.get_one(tables.PaymentMethod, key)
        reference, due = row.reference, row.detach_at
    client = stripe.StripeClient(API_KEY, base_addresses={"api": desk.server.url})
    assert (client.v1.payment_methods.retrieve(reference).customer, due) == (None, None)


def unheard(desk: Desk) -> PaymentView:
    """A charge that was made and not answered."""
    made = desk.begin(desk.card(GOOD))
    desk.server.fail("POST payment_intents", Fault.GARBAGE)
    desk.work()
    assert desk.seen(made).state is S.UNKNOWN
    return made


def told(desk: Desk, app: Flask, event: dict[str, Any]) -> int:
    """Stripe tells of it, signed; the status of our answer."""
    body = json.dumps(event).encode()
    token = gateways.find(desk.context, str(desk.gateway_id)).hook_token
    answer = app.test_client().post(f"/hooks/{token}", data=body, headers=signed(body, NOW))
    return answer.status_code


@pytest.mark.parametrize(
    "other",
    [{"amount_received": 999}, {"amount_received": 1001}, {"currency": "eur"}],
    ids=["less", "more", "another currency"],
)
def test_another_amount_or_currency_is_not_credited_and_waits(
    desk: Desk, app: Flask, other: dict[str, Any]
) -> None:
    made = unheard(desk)
    event = event_about(desk, made)
    about = event["data"]["object"]
    about |= {"amount_received": 1000, **other}
    for _ in range(2):
        assert told(desk, app, event) == 200
    assert (desk.seen(made).state, desk.balance()) == (S.FAILED, 0)
    kept = [one for one in suspense.listed(desk.context, limit=500) if one.reference == about["id"]]
    assert len(kept) == 1
    settle(desk)
    assert desk.balance() == 0


def test_events_come_in_any_order(desk: Desk, app: Flask) -> None:
    """Refunded, then paid, then failed and in process; each twice."""
    made = unheard(desk)
    paid = event_about(desk, made)
    intent = paid["data"]["object"]
    client = stripe.StripeClient(API_KEY, base_addresses={"api": desk.server.url})
    refund = client.v1.refunds.create({"payment_intent": intent["id"], "amount": 400})
    gone = {
        "id": refund.id,
        "object": "refund",
        "amount": 400,
        "currency": "usd",
        "payment_intent": intent["id"],
        "status": "succeeded",
        "metadata": {},
    }

    def event(kind: str, about: dict[str, Any]) -> dict[str, Any]:
        return {"id": f"evt_{kind}_{made.key}", "type": kind, "data": {"object": about}}

    events = [
        event("refund.updated", gone),
        paid,
        event("payment_intent.payment_failed", intent | {"status": "requires_payment_method"}),
        event("payment_intent.processing", intent | {"status": "processing"}),
        event("refund.created", gone | {"status": "pending"}),
    ]
    for one in events:
        # What is not known yet may be refused, and is told again then.
        assert told(desk, app, one) in (200, 409, 503)
    for one in events:
        assert told(desk, app, one) == 200
    settle(desk)
    assert (desk.seen(made).state, desk.balance()) == (S.PARTLY_REFUNDED, 6)
    assert len(at_stripe(desk, "payment_intents", made.key)) == 1
