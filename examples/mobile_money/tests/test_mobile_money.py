"""The adapter against a network over a socket, without Tollway's database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from mobile_network import API_KEY, CALLBACK_KEY, SUBSCRIBER, Fault, MobileNetwork
from tollway_mobile_money.gateway import MobileMoney, dialled, open_gateway

from billing.errors import InvalidInput
from billing.model.commerce import MoneyChannel
from billing.model.money import Money
from billing.model.payments import (
    DeclineKind,
    GatewayConfig,
    Outcome,
    PaymentEvent,
    PaymentKind,
    PaymentOrder,
    RefundOrder,
    SavedMethod,
)
from billing.payments.protocol import WebhookRefused

NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
ORDER = PaymentOrder(
    key="tw-1-abc",
    kind=PaymentKind.CHECKOUT,
    amount=Money(10_000_000, "KES"),
    text="Credit to the wallet",
    phone="0712 345 678",
)


@pytest.fixture
def network() -> Iterator[MobileNetwork]:
    with MobileNetwork().serving() as running:
        yield running


def config(network: MobileNetwork, **settings: str) -> GatewayConfig:
    return GatewayConfig(
        gateway_id=1,
        name="phones",
        adapter="mobile_money",
        settings={"url": network.url, "country_code": "254", "timeout_seconds": "0.5"} | settings,
        secrets={"api_key": API_KEY, "callback_key": CALLBACK_KEY},
    )


@pytest.fixture
def gateway(network: MobileNetwork) -> MobileMoney:
    return open_gateway(config(network))


def test_the_payer_is_asked_on_the_phone_and_pays_there(
    gateway: MobileMoney, network: MobileNetwork
) -> None:
    asked = gateway.pay(ORDER)
    assert (asked.outcome, asked.redirect_url) == (Outcome.WAITS, None)
    assert network.pushes[ORDER.key]["phone"] == SUBSCRIBER
    receipt = network.confirm(ORDER.key)["receipt"]
    found = gateway.look_up(ORDER)
    assert (found.outcome, found.provider_ref, found.amount) == (
        Outcome.PAID,
        receipt,
        ORDER.amount,
    )
    assert found.method == SavedMethod(reference=SUBSCRIBER, label="Phone …678")


def test_asking_again_asks_once(gateway: MobileMoney, network: MobileNetwork) -> None:
    first = gateway.pay(ORDER)
    assert gateway.pay(ORDER) == first
    assert len(network.pushes) == 1


def test_a_number_on_file_is_asked_again(gateway: MobileMoney, network: MobileNetwork) -> None:
    order = replace(ORDER, kind=PaymentKind.CHARGE, method=SUBSCRIBER, phone=None)
    assert gateway.pay(order).outcome is Outcome.WAITS
    assert network.pushes[ORDER.key]["phone"] == SUBSCRIBER


@pytest.mark.parametrize(
    ("status", "reason", "outcome", "decline"),
    [
        ("refused", "too_little_money", Outcome.DECLINED, DeclineKind.SOFT),
        ("refused", "account_blocked", Outcome.DECLINED, DeclineKind.HARD),
        ("expired", "", Outcome.CANCELLED, None),
    ],
)
def test_what_becomes_of_a_prompt(
    gateway: MobileMoney,
    network: MobileNetwork,
    status: str,
    reason: str,
    outcome: Outcome,
    decline: DeclineKind | None,
) -> None:
    gateway.pay(ORDER)
    pushed = network.end(ORDER.key, status, reason)
    found = gateway.look_up(ORDER)
    assert (found.outcome, found.decline) == (outcome, decline)
    (event,) = gateway.parse_webhook(*network.callback(f"push.{status}", pushed, NOW), NOW)
    assert (event.event, event.decline) == (PaymentEvent(outcome.value), decline)


@pytest.mark.parametrize("phone", [None, "", "not a number", "+254700000000"])
def test_who_cannot_be_asked_is_not(
    gateway: MobileMoney, network: MobileNetwork, phone: str | None
) -> None:
    answer = gateway.pay(replace(ORDER, phone=phone))
    assert (answer.outcome, answer.decline) == (Outcome.DECLINED, DeclineKind.HARD)
    assert answer.reason
    assert network.pushes == {}


def test_an_amount_finer_than_the_currency_is_refused(gateway: MobileMoney) -> None:
    answer = gateway.pay(replace(ORDER, amount=Money(10_001, "KES")))
    assert answer.outcome is Outcome.DECLINED


@pytest.mark.parametrize(
    ("written", "country_code", "number"),
    [
        ("0712 345 678", "254", SUBSCRIBER),
        ("712345678", "254", SUBSCRIBER),
        ("+254 (712) 345-678", "", SUBSCRIBER),
        ("00254712345678", "34", SUBSCRIBER),
        ("0712345678", "", None),
        ("+0712345678", "254", None),
        ("12", "254", None),
        ("+25471234567８", "254", None),
    ],
)
def test_numbers_are_dialled_as_people_write_them(
    written: str, country_code: str, number: str | None
) -> None:
    assert dialled(written, country_code) == number


@pytest.mark.parametrize("fault", list(Fault))
def test_no_call_raises_whatever_goes_wrong(
    gateway: MobileMoney, network: MobileNetwork, fault: Fault
) -> None:
    network.fail("POST /pushes", fault)
    assert gateway.pay(ORDER).outcome is Outcome.NO_ANSWER
    network.fail("GET /pushes", fault)
    assert gateway.look_up(ORDER).outcome is Outcome.NO_ANSWER
    was_done = fault in (Fault.LATE, Fault.NEVER, Fault.GARBAGE)
    expected = Outcome.WAITS if was_done else Outcome.NOT_FOUND
    assert gateway.look_up(ORDER).outcome is expected
    network.fail("GET /account", fault)
    assert gateway.check() != ""
    assert gateway.check() == ""


def test_a_payment_is_reversed_in_parts(gateway: MobileMoney, network: MobileNetwork) -> None:
    gateway.pay(ORDER)
    receipt = network.confirm(ORDER.key)["receipt"]
    refund = RefundOrder(
        key="tw-1-re",
        payment_ref=receipt,
        payment_key=ORDER.key,
        amount=Money(4_000_000, "KES"),
    )
    assert gateway.look_up_refund(refund).outcome is Outcome.NOT_FOUND
    made = gateway.refund(refund)
    assert made.outcome is Outcome.PAID
    assert gateway.refund(refund) == made == gateway.look_up_refund(refund)
    too_much = replace(refund, key="tw-1-more", amount=Money(6_010_000, "KES"))
    assert gateway.refund(too_much).outcome is Outcome.DECLINED
    body, headers = network.callback("reversal.done", network.reversals[refund.key], NOW)
    (event,) = gateway.parse_webhook(body, headers, NOW)
    assert (event.event, event.reversal_key, event.provider_ref) == (
        PaymentEvent.REFUNDED,
        refund.key,
        receipt,
    )


def test_money_that_nobody_asked_for_says_whose_it_may_be(
    gateway: MobileMoney, network: MobileNetwork
) -> None:
    paid = network.paid_in("7", "KES", "house 4")
    (event,) = gateway.parse_webhook(*network.callback("payment.received", paid, NOW), NOW)
    assert (event.event, event.key) == (PaymentEvent.PAID, None)
    assert event.amount == Money(7_000_000, "KES")
    assert event.reason == f"from {SUBSCRIBER}, who typed 'house 4'"


def test_only_what_the_network_signed_lately_is_read(
    gateway: MobileMoney, network: MobileNetwork
) -> None:
    gateway.pay(ORDER)
    body, headers = network.callback("push.confirmed", network.confirm(ORDER.key), NOW)
    assert gateway.parse_webhook(body, headers, NOW + timedelta(minutes=5))
    forged = network.callback("push.confirmed", network.confirm(ORDER.key), NOW, key="a guess")
    for what, signed, when in (
        (*forged, NOW),
        (body + b" ", headers, NOW),
        (body, {}, NOW),
        (body, headers | {"Network-Timestamp": "1"}, NOW),
        (body, headers | {"Network-Timestamp": "é"}, NOW),
        (body, headers | {"Network-Signature": "é"}, NOW),
        (body, headers, NOW + timedelta(minutes=6)),
        (body, headers, NOW - timedelta(minutes=6)),
    ):
        with pytest.raises(WebhookRefused):
            gateway.parse_webhook(what, signed, when)
    for about in ({}, {"reference": "x", "amount": "nan", "currency": "KES"}):
        with pytest.raises(WebhookRefused, match="cannot be read"):
            gateway.parse_webhook(*network.callback("push.confirmed", about, NOW), NOW)
    (other,) = gateway.parse_webhook(*network.callback("news", {}, NOW), NOW)
    assert other.event is None


def test_its_money_has_a_channel_of_its_own(gateway: MobileMoney) -> None:
    assert gateway.capabilities.channel is MoneyChannel.MOBILE_MONEY


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"url": "http://network.example"}, "url"),
        ({"url": ""}, "url"),
        ({"country_code": "+254"}, "country_code"),
        ({"timeout_seconds": "90"}, "timeout_seconds"),
    ],
)
def test_what_cannot_be_set_up(
    network: MobileNetwork, settings: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        open_gateway(config(network, **settings))
    assert refused.value.field == field
    with pytest.raises(InvalidInput) as unsigned:
        open_gateway(replace(config(network), secrets={"api_key": API_KEY}))
    assert unsigned.value.field == "callback_key"
