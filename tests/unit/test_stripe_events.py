"""What Stripe's events, declines and units mean; events are shaped as its reference shows them."""

from __future__ import annotations

import hmac
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest

from billing.errors import InvalidInput
from billing.model.money import Money
from billing.model.payments import DeclineKind, GatewayConfig, PaymentEvent, Unpayable
from billing.payments.protocol import WebhookRefused
from billing.payments.registry import open_gateway as open_adapter
from billing.payments.stripe_declines import decline_of
from billing.payments.stripe_events import event_of
from billing.payments.stripe_gateway import StripeGateway, open_gateway
from billing.payments.stripe_units import from_units, to_units
from tests.integration.stripe_contract import answer_problems, object_problems, whole

NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
SECRET = "whsec_of_a_test"
E = PaymentEvent
OURS = {"tollway_key": "tw-1", "tollway_kind": "charge"}
AT_CHECKOUT = {"tollway_key": "tw-1", "tollway_kind": "checkout"}


def said(kind: str, **about: Any) -> dict[str, Any]:
    """As Stripe describes it, the object in it, too, where the contract has it."""
    named = kind.removeprefix("charge.").rpartition(".")[0]
    event = {
        "id": "evt_1",
        "object": "event",
        "type": kind,
        "created": 1_774_000_000,
        "livemode": False,
        "pending_webhooks": 1,
        "data": {"object": whole(named, about)},
    }
    assert object_problems(event) == []
    return event


def intent(**more: Any) -> dict[str, Any]:
    return {
        "id": "pi_1",
        "amount": 1000,
        "amount_received": 1000,
        "currency": "usd",
        "metadata": OURS,
    } | more


def session(**more: Any) -> dict[str, Any]:
    return {
        "id": "cs_1",
        "client_reference_id": "tw-1",
        "metadata": AT_CHECKOUT,
        "payment_status": "paid",
        "payment_intent": "pi_1",
        "amount_total": 1000,
        "currency": "usd",
    } | more


def refund(**more: Any) -> dict[str, Any]:
    return {
        "id": "re_1",
        "payment_intent": "pi_1",
        "amount": 400,
        "currency": "usd",
        "status": "succeeded",
        "metadata": {"tollway_key": "tw-2"},
    } | more


@pytest.mark.parametrize(
    ("kind", "about", "event"),
    [
        ("payment_intent.succeeded", intent(), E.PAID),
        ("payment_intent.succeeded", intent(metadata=AT_CHECKOUT), E.PAID),
        ("payment_intent.succeeded", intent(metadata={}), None),
        ("payment_intent.processing", intent(), E.WAITS),
        ("payment_intent.canceled", intent(), E.CANCELLED),
        ("payment_intent.payment_failed", intent(), E.DECLINED),
        ("payment_intent.payment_failed", intent(metadata=AT_CHECKOUT), None),
        ("payment_intent.created", intent(), None),
        ("checkout.session.completed", session(), E.PAID),
        ("checkout.session.completed", session(payment_status="unpaid"), E.WAITS),
        ("checkout.session.completed", session(metadata={}), None),
        ("checkout.session.completed", session(client_reference_id=None), None),
        ("checkout.session.async_payment_succeeded", session(), E.PAID),
        ("checkout.session.async_payment_failed", session(payment_status="unpaid"), E.DECLINED),
        ("checkout.session.expired", session(payment_status="unpaid"), E.CANCELLED),
        ("refund.created", refund(status="pending"), None),
        ("refund.created", refund(), E.REFUNDED),
        ("refund.updated", refund(), E.REFUNDED),
        ("refund.failed", refund(status="failed"), E.REFUND_FAILED),
        ("refund.updated", refund(status="canceled"), E.REFUND_FAILED),
        ("charge.dispute.created", refund(status="needs_response", id="dp_1"), None),
        (
            "charge.dispute.funds_withdrawn",
            refund(status="under_review", id="dp_1"),
            E.CHARGED_BACK,
        ),
        ("charge.dispute.funds_reinstated", refund(status="won", id="dp_1"), E.CHARGEBACK_WON),
        ("charge.refunded", intent(), None),
        ("customer.created", {"id": "cus_1"}, None),
    ],
)
def test_what_an_event_means(kind: str, about: dict[str, Any], event: PaymentEvent | None) -> None:
    found = event_of(said(kind, **about))
    assert (found.event, found.event_id, found.kind) == (event, "evt_1", kind)


def test_what_is_read_of_a_payment() -> None:
    found = event_of(said("payment_intent.succeeded", **intent(amount_received=999)))
    assert (found.key, found.amount) == ("tw-1", Money(9_990_000, "USD"))
    found = event_of(said("checkout.session.completed", **session()))
    assert (found.key, found.provider_ref, found.amount) == (
        "tw-1",
        "pi_1",
        Money(10_000_000, "USD"),
    )


def test_what_is_read_of_a_decline() -> None:
    error = {"code": "card_declined", "decline_code": "stolen_card", "message": "It was declined."}
    found = event_of(said("payment_intent.payment_failed", **intent(last_payment_error=error)))
    assert (found.decline, found.reason) == (DeclineKind.HARD, "the card was declined")


def test_what_is_read_of_a_refund() -> None:
    found = event_of(said("refund.updated", **refund()))
    assert (found.provider_ref, found.reversal_key, found.reversal_ref, found.amount) == (
        "pi_1",
        "tw-2",
        "re_1",
        Money(4_000_000, "USD"),
    )


@pytest.mark.rule("P7")
@pytest.mark.parametrize(
    ("code", "advice", "kind"),
    [
        ("insufficient_funds", None, DeclineKind.SOFT),
        ("card_declined", "try_again_later", DeclineKind.SOFT),
        (None, None, DeclineKind.SOFT),
        ("generic_decline", "do_not_try_again", DeclineKind.HARD),
        ("lost_card", None, DeclineKind.HARD),
        ("expired_card", None, DeclineKind.HARD),
        ("authentication_required", "do_not_try_again", DeclineKind.AUTHENTICATION),
    ],
)
def test_what_a_decline_means(code: str | None, advice: str | None, kind: DeclineKind) -> None:
    assert decline_of(code, advice) is kind


@pytest.mark.rule("M1")
@pytest.mark.parametrize(
    ("micros", "currency", "units"),
    [
        (12_340_000, "USD", 1234),
        (500_000_000, "JPY", 500),
        (1_230_000, "KWD", 1230),
        (500_000_000, "UGX", 50_000),
        (3_000_000, "ISK", 300),
        (7_000_000, "MGA", 7),
    ],
)
def test_units(micros: int, currency: str, units: int) -> None:
    assert to_units(Money(micros, currency)) == units
    assert from_units(units, currency.lower()) == Money(micros, currency)


@pytest.mark.parametrize(
    ("micros", "currency"),
    [(12_345_000, "USD"), (1_500_000, "JPY"), (1_234_000, "KWD"), (1_500_000, "UGX"),
     (1_500_000, "MGA")],
)  # fmt: skip
def test_amounts_that_stripe_cannot_take(micros: int, currency: str) -> None:
    with pytest.raises(Unpayable):
        to_units(Money(micros, currency))


@pytest.fixture
def gateway() -> StripeGateway:
    return open_gateway(
        GatewayConfig(
            gateway_id=1,
            name="stripe",
            adapter="stripe",
            settings={},
            secrets={"api_key": "sk_test_x", "signing_secret": SECRET},
        )
    )


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "20.1", "soon"])
@pytest.mark.parametrize("adapter", ["stripe", "sandbox"])
def test_no_call_waits_longer_than_its_lease(adapter: str, seconds: str) -> None:
    """Or another worker would ask what came of it meanwhile."""
    config = GatewayConfig(
        gateway_id=1,
        name="slow",
        adapter=adapter,
        settings={"url": "http://127.0.0.1:1", "timeout_seconds": seconds},
        secrets={"api_key": "sk_test_x", "signing_secret": SECRET},
    )
    with pytest.raises(InvalidInput, match="20 at most"):
        open_adapter(config)


def signed(body: bytes, at: datetime, secret: str = SECRET) -> dict[str, str]:
    stamp = int(at.timestamp())
    made = hmac.new(secret.encode(), f"{stamp}.".encode() + body, sha256).hexdigest()
    return {"Stripe-Signature": f"t={stamp},v1={made}"}


BODY = json.dumps(said("payment_intent.succeeded", **intent())).encode()


def test_a_signed_event_is_read(gateway: StripeGateway) -> None:
    (found,) = gateway.parse_webhook(BODY, signed(BODY, NOW), NOW)
    assert found.event is E.PAID
    for seconds in (300, -300):
        gateway.parse_webhook(BODY, signed(BODY, NOW + timedelta(seconds=seconds)), NOW)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Stripe-Signature": ""},
        {"Stripe-Signature": "nonsense"},
        {"Stripe-Signature": "t=x,v1=00"},
        {"Stripe-Signature": "v1=00"},
        {"Stripe-Signature": f"t={int(NOW.timestamp())},v1=é"},
        signed(BODY, NOW, "whsec_of_another"),
        signed(BODY + b" ", NOW),
        signed(BODY, NOW + timedelta(seconds=301)),
        signed(BODY, NOW - timedelta(seconds=301)),
    ],
)
def test_what_is_not_signed_now_is_refused(gateway: StripeGateway, headers: dict[str, str]) -> None:
    with pytest.raises(WebhookRefused):
        gateway.parse_webhook(BODY, headers, NOW)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"id": 1}', b"\xff"])
def test_what_is_no_event_is_refused(gateway: StripeGateway, body: bytes) -> None:
    with pytest.raises(WebhookRefused):
        gateway.parse_webhook(body, signed(body, NOW), NOW)


def test_the_contract_notices_what_an_answer_lacks_or_has_too_much() -> None:
    good = whole("refund", refund())
    assert object_problems(good) == []
    assert object_problems({k: v for k, v in good.items() if k != "created"}) == [
        "refund.created is missing"
    ]
    assert object_problems(good | {"livemode": False}) == ["refund.livemode is not known"]
    listed = {"object": "list", "data": [good | {"amount": "4"}], "has_more": False, "url": "/v1"}
    assert object_problems(listed) == ["refund.amount is no integer: '4'"]
    assert answer_problems(402, b'{"error": {"type": "card_error", "message": "x"}}') == []
    assert answer_problems(402, b'{"error": {"type": "strange"}}') == [
        "error.error.type may not be 'strange'"
    ]
    assert answer_problems(400, b"{}") == ["error.error is missing"]
