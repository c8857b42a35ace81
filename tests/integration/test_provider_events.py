"""What providers tell us over HTTP: signed, each event once (security.md 12)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from billing.errors import Refused
from billing.model.commerce import MoneyChannel
from billing.model.money import Money
from billing.model.payments import EventOutcome, PaymentState, PaymentView
from billing.payments.sandbox import signature
from billing.services import gateways, payments, provider_events, suspense
from billing.services.context import Context
from billing.settings import Settings
from billing.store import tables
from rig.provider import SIGNING_SECRET, Provider
from tests.factories import Factory, Subscriber
from tests.integration.replays import REPLAYS, replayed, wide_panel
from tests.integration.talker import UNIT
from tests.integration.till import GATEWAYS, Till
from web import create_app

NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
S, E = PaymentState, EventOutcome


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider().serving() as running:
        yield running


@pytest.fixture
def till(context: Context, make: Factory, provider: Provider) -> Till:
    return Till(context, make, provider, NOW)


@pytest.fixture
def ada(till: Till) -> Subscriber:
    return till.customer()


@pytest.fixture(scope="module")
def app(settings: Settings) -> Iterator[Flask]:
    made = create_app(settings, clock=lambda: NOW)
    yield made
    made.extensions["tollway"].close()


def opened(till: Till, who: Subscriber) -> PaymentView:
    """A payment that waits for its payer."""
    made = till.begin(who, card=None)
    till.work()
    return made


def post(app: Flask, till: Till, body: bytes, headers: dict[str, str]) -> tuple[int, object]:
    answer = app.test_client().post(
        f"/hooks/{till.token}", data=body, headers=headers, content_type="application/json"
    )
    return answer.status_code, answer.json


@pytest.mark.rule("M5")
def test_a_thousand_replays_at_once_credit_once(
    settings: Settings, till: Till, ada: Subscriber
) -> None:
    made = opened(till, ada)
    body, headers = till.provider.event("payment.paid", till.provider.finish(made.key), NOW)
    with wide_panel(settings, NOW) as app:
        answers = replayed(lambda: post(app, till, body, headers)[0])
    assert answers == {200: REPLAYS}
    till.check()
    assert (till.balance(ada), till.seen(made).state) == (10, S.SUCCEEDED)
    (event,) = payments.history(till.context, made.attempt_id).events
    assert event.outcome is E.APPLIED


def test_many_events_of_one_payment_at_once_credit_once(
    app: Flask, till: Till, ada: Subscriber
) -> None:
    made = opened(till, ada)
    paid = till.provider.finish(made.key)
    events = [till.provider.event("payment.paid", paid, NOW) for _ in range(60)]
    events += [till.provider.event("payment.declined", paid, NOW) for _ in range(60)]
    with ThreadPoolExecutor(16) as pool:
        answers = set(pool.map(lambda one: post(app, till, *one)[0], events))
    till.check()
    assert (answers, till.balance(ada), till.seen(made).state) == ({200}, 10, S.SUCCEEDED)


def test_what_is_not_signed_by_the_provider_is_refused(
    app: Flask, till: Till, ada: Subscriber
) -> None:
    made = opened(till, ada)
    paid = till.provider.finish(made.key)
    good, signed = till.provider.event("payment.paid", paid, NOW, event_id="forged")
    stamp = signed["Provider-Signature"].split(",")[0]
    forged, wrong = till.provider.event("payment.paid", paid, NOW, secret="a guess")
    assert post(app, till, forged, wrong)[0] == 400
    for header in ("", "t=,v1=", stamp, f"{stamp},v1=", f"{stamp},v1=é", "v1=00", "t=1e9,v1=00"):
        assert post(app, till, good, {"Provider-Signature": header})[0] == 400
    assert post(app, till, good, {})[0] == 400
    assert post(app, till, good.replace(b"1000", b"9999"), signed)[0] == 400
    assert post(app, till, good + b" ", signed)[0] == 400
    till.check()
    assert (till.balance(ada), till.seen(made).state) == (0, S.PENDING)
    assert post(app, till, good, signed)[0] == 200
    assert till.balance(ada) == 10


@pytest.mark.parametrize(("seconds", "status"), [(300, 200), (301, 400), (-300, 200), (-301, 400)])
def test_what_was_signed_long_ago_is_refused(
    app: Flask, till: Till, ada: Subscriber, seconds: int, status: int
) -> None:
    paid = till.provider.finish(opened(till, ada).key)
    body, headers = till.provider.event("payment.paid", paid, NOW - timedelta(seconds=seconds))
    assert post(app, till, body, headers)[0] == status
    assert till.balance(ada) == (10 if status == 200 else 0)


def test_the_body_is_read_when_its_signature_is_good_only(app: Flask, till: Till) -> None:
    for body in (b"", b"{", b"[]", b"null", b'{"id": 1}', b"\xff\xfe"):
        assert post(app, till, body, {"Provider-Signature": "t=1,v1=00"}) == (
            400,
            {"error": "its signature is wrong"},
        )
        good = {"Provider-Signature": signature(SIGNING_SECRET, int(NOW.timestamp()), body)}
        status, said = post(app, till, body, good)
        assert status == 400 and "cannot be read" in str(said)


def test_a_body_that_is_too_long_is_not_read(app: Flask, till: Till) -> None:
    body = b" " * (provider_events.BODY_LIMIT + 1)
    assert post(app, till, body, {})[0] == 413


def test_an_address_that_no_gateway_has(app: Flask, till: Till) -> None:
    body, headers = till.provider.event("payment.paid", {}, NOW)
    assert app.test_client().post("/hooks/unknown", data=body, headers=headers).status_code == 404


def test_what_was_begun_before_a_gateway_was_disabled_is_still_heard_of(
    app: Flask, till: Till, ada: Subscriber
) -> None:
    made = opened(till, ada)
    gateways.set_enabled(till.context, till.gateway_id, NOW, enabled=False)
    body, headers = till.provider.event("payment.paid", till.provider.finish(made.key), NOW)
    assert post(app, till, body, headers)[0] == 200
    assert till.balance(ada) == 10


@pytest.mark.rule("P1")
def test_who_pays_twice_for_one_payment_is_credited_once_and_the_rest_waits(
    till: Till, ada: Subscriber
) -> None:
    """As who sends mobile money to the same reference again."""
    made = opened(till, ada)
    paid = till.provider.finish(made.key)
    assert till.hear("payment.paid", paid) is E.APPLIED
    for _ in range(2):
        assert till.hear("payment.paid", paid | {"id": f"more for {made.key}"}) is E.MISMATCH
    till.check()
    assert till.balance(ada) == 10
    ((waits, note),) = till.in_suspense()
    assert (waits, f"paid already, by {paid['id']}" in note) == (Money(10 * UNIT, "USD"), True)
    assert till.seen(made).provider_ref == paid["id"]


def test_what_is_credited_does_not_wait_in_suspense_too(till: Till, ada: Subscriber) -> None:
    made = opened(till, ada)
    paid = till.provider.finish(made.key)
    assert till.hear("payment.paid", paid) is E.APPLIED
    assert till.hear("payment.paid", paid | {"amount": 999}) is E.MISMATCH
    assert (till.balance(ada), till.in_suspense()) == (10, [])


@pytest.fixture
def shop(till: Till) -> int:
    """An organisation below the till's."""
    with till.context.transaction() as tx:
        made = tables.Organisation(
            name=f"shop {till.gateway_id}", parent_org_id=till.context.home_org_id, created_at=NOW
        )
        tx.add(made)
        tx.flush()
        return made.org_id


@pytest.mark.rule("P1")
def test_money_that_came_to_one_organisation_is_not_matched_to_anothers_customer(
    till: Till, ada: Subscriber, shop: int
) -> None:
    there = replace(till.context, home_org_id=shop)
    amount = Money(5 * UNIT, "USD")
    assert suspense.receive(
        there, amount, MoneyChannel.BANK_TRANSFER, reference="line 1", note="a stranger", now=NOW
    )
    number = max(one.suspense_id for one in suspense.listed(till.context, limit=500))
    with pytest.raises(Refused, match="another organisation"):
        suspense.match(till.context, number, ada.customer_id, idempotency_key="no", now=NOW)
    assert till.balance(ada) == 0
    till.check()


@pytest.mark.rule("P1")
def test_a_gateway_takes_money_for_those_below_who_see_its_name(
    app: Flask, till: Till, make: Factory, shop: int
) -> None:
    """What fits nothing waits at whose gateway it came by."""
    bob = replace(make, context=replace(till.context, home_org_id=shop)).subscriber(NOW)
    made = till.pay(bob)
    assert (made.state, till.balance(bob)) == (S.SUCCEEDED, 10)
    staff = replace(app.extensions["tollway"].nobody, home_org_id=shop, org_ids=(shop,))
    (seen,) = payments.listed(staff)
    assert (seen.attempt_id, seen.state) == (made.attempt_id, S.SUCCEEDED)
    assert seen.gateway.startswith("till ")
    other = opened(till, bob)
    body, headers = till.provider.event(
        "payment.paid", till.provider.finish(other.key) | {"amount": 999}, NOW
    )
    assert post(app, till, body, headers)[0] == 200
    assert suspense.listed(staff) == []
    (waits,) = [
        one
        for one in suspense.listed(till.context, limit=500)
        if one.channel == "card" and one.note.startswith(f"payment {other.attempt_id}:")
    ]
    assert (waits.org_id, waits.left_micros) == (till.context.home_org_id, 9_990_000)
    till.check()


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"amount": 1001}, E.MISMATCH),
        ({"amount": 1}, E.MISMATCH),
        ({"amount": 0}, E.MISMATCH),
        ({"currency": "EUR"}, E.MISMATCH),
        ({"key": "another", "id": "pay_x"}, E.UNMATCHED),
    ],
)
def test_what_does_not_match_credits_nobody(
    till: Till, ada: Subscriber, change: dict[str, object], outcome: EventOutcome
) -> None:
    made = opened(till, ada)
    paid = till.provider.finish(made.key) | change
    assert till.hear("payment.paid", paid) is outcome
    assert till.hear("payment.paid", paid) is outcome
    till.check()
    assert till.balance(ada) == 0
    waiting = till.in_suspense()
    assert len(waiting) == (0 if change.get("amount") == 0 else 1)


def test_another_gateways_event_is_not_about_our_payment(
    till: Till, ada: Subscriber, make: Factory, provider: Provider
) -> None:
    """Who holds the secret of one gateway can say nothing of payments by another."""
    made = opened(till, ada)
    other = Till(till.context, make, provider, NOW)
    assert other.hear("payment.paid", provider.finish(made.key)) is E.UNMATCHED
    assert (till.balance(ada), till.seen(made).state) == (0, S.PENDING)


def test_what_is_of_no_interest_is_kept_and_does_nothing(till: Till, ada: Subscriber) -> None:
    made = opened(till, ada)
    assert till.hear("payment.viewed", dict(till.provider.payments[made.key])) is E.NO_EFFECT


def test_an_event_that_could_not_be_carried_out_is_told_again(
    till: Till, ada: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = opened(till, ada)
    body, headers = till.provider.event("payment.paid", till.provider.finish(made.key), NOW)

    def out_of_order(*_: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(provider_events, "advance", out_of_order)
        with pytest.raises(RuntimeError):
            provider_events.take(till.context, GATEWAYS, till.token, body, headers, NOW)
    assert till.balance(ada) == 0
    done = provider_events.take(till.context, GATEWAYS, till.token, body, headers, NOW)
    assert (done, till.balance(ada)) == ([E.APPLIED], 10)


def test_the_body_is_kept_as_it_came(till: Till, ada: Subscriber) -> None:
    from billing.store import payments as store

    made = opened(till, ada)
    body, headers = till.provider.event(
        "payment.paid", till.provider.finish(made.key), NOW, event_id="kept"
    )
    provider_events.take(till.context, GATEWAYS, till.token, body, headers, NOW)
    with till.context.transaction() as tx:
        row = store.event(tx, till.gateway_id, "kept")
        assert (row.body, json.loads(row.body)["id"]) == (body, "kept")


@pytest.mark.rule("P1")
def test_money_in_suspense_is_matched_in_parts_and_given_back(
    till: Till, ada: Subscriber, make: Factory
) -> None:
    made = opened(till, ada)
    paid = till.provider.finish(made.key) | {"key": None, "id": f"pay_of_nobody {made.key}"}
    assert till.hear("payment.paid", paid) is E.UNMATCHED
    view = next(
        one for one in suspense.listed(till.context, limit=500) if one.reference == paid["id"]
    )
    assert (view.left_micros, view.channel) == (10 * UNIT, "card")
    receipt = suspense.match(
        till.context,
        view.suspense_id,
        ada.customer_id,
        idempotency_key="part",
        now=NOW,
        amount_micros=4 * UNIT,
    )
    assert receipt.receipt_number is not None
    assert till.balance(ada) == 4
    left = suspense.give_back(till.context, view.suspense_id, note="to the card", now=NOW)
    assert left.left_micros == 0
    assert till.in_suspense()[0][0] == Money(0, "USD")
    till.check()
