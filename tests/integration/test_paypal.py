"""PayPal's gateway against a server that speaks as PayPal has published (docs/payments.md)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from flask import Flask

from billing.errors import InvalidInput
from billing.model.payments import PaymentState, PaymentView, SavedMethod
from billing.services import books, customers, gateways, payment_calls, payments, suspense
from billing.services import methods as methods_on_file
from billing.services.context import Context
from billing.services.customers import changing_customer
from billing.services.payment_steps import save_method
from billing.settings import Settings
from billing.store import payments as store
from billing.store import tables
from rig.provider import Fault
from tests.factories import Factory, Subscriber
from tests.integration.paypal_server import (
    CLIENT_ID,
    CLIENT_SECRET,
    WEBHOOK_ID,
    PayPalServer,
)
from tests.integration.replays import AT_ONCE, REPLAYS, replayed, wide_panel
from tests.integration.talker import UNIT
from tests.integration.till import GATEWAYS
from web import create_app

NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RETURN_URL = "https://portal.example/"
S = PaymentState
_keys = count(1)


@pytest.fixture
def server() -> Iterator[PayPalServer]:
    with PayPalServer().serving() as running:
        yield running
    assert running.broken == []


@pytest.fixture(scope="module")
def app(settings: Settings) -> Iterator[Flask]:
    made = create_app(settings, clock=lambda: NOW)
    yield made
    made.extensions["tollway"].close()


@dataclass
class Desk:
    """A gateway of PayPal's, and one customer."""

    context: Context
    app: Flask
    server: PayPalServer
    who: Subscriber
    now: datetime = NOW
    timeout_seconds: float = 0.5
    gateway_id: int = field(init=False)
    token: str = field(init=False)

    def __post_init__(self) -> None:
        view = gateways.add(
            self.context,
            GATEWAYS,
            name=f"paypal {next(_keys)}",
            adapter="paypal",
            settings={
                "url": self.server.url,
                "timeout_seconds": str(self.timeout_seconds),
                "client_id": CLIENT_ID,
                "return_url": RETURN_URL,
            },
            secret_settings={"client_secret": CLIENT_SECRET, "webhook_id": WEBHOOK_ID},
            now=NOW,
        )
        self.gateway_id, self.token = view.gateway_id, view.hook_token

    def on_file(self, reference: str = "vault-of-ada") -> int:
        saved = SavedMethod(reference=reference, label="PayPal a…@payer.example", payer="ada")
        with changing_customer(self.context, self.who.customer_id) as (tx, customer):
            return save_method(tx, customer, self.gateway_id, saved, NOW)

    def begin(self, *, method_id: int | None = None, saves: bool = False) -> PaymentView:
        return payments.top_up(
            self.context,
            self.who.customer_id,
            self.gateway_id,
            10 * UNIT,
            idempotency_key=f"paypal {next(_keys)}",
            now=self.now,
            method_id=method_id,
            saves_method=saves,
        )

    def work(self, after: timedelta = timedelta(0)) -> None:
        self.now += after
        while payment_calls.run_due(self.context, GATEWAYS, lambda: self.now):
            pass
        assert books.check_ledger(self.context, self.now).findings == ()

    def opened(self, *, saves: bool = False) -> PaymentView:
        """The payer is at PayPal's page."""
        made = self.begin(saves=saves)
        self.work()
        return self.seen(made)

    def paid(self, *, saves: bool = False) -> PaymentView:
        """Approved, captured, credited."""
        made = self.opened(saves=saves)
        self.server.approve(made.key)
        self.work(MINUTE)
        return self.seen(made)

    def charged(self, reference: str = "vault-of-ada") -> PaymentView:
        made = self.begin(method_id=self.on_file(reference))
        self.work()
        return self.seen(made)

    def refund(self, made: PaymentView, units: int) -> None:
        payments.refund(
            self.context,
            made.attempt_id,
            reason="a test",
            idempotency_key=f"refund {next(_keys)}",
            now=self.now,
            amount_micros=units * UNIT,
        )

    def told(self, kind: str, resource: dict[str, Any]) -> int:
        """PayPal tells of it; the status of our answer."""
        return self.post(*self.server.event(kind, resource, NOW))

    def post(self, body: bytes, headers: dict[str, str]) -> int:
        answer = self.app.test_client().post(f"/hooks/{self.token}", data=body, headers=headers)
        return answer.status_code

    def seen(self, made: PaymentView) -> PaymentView:
        return payments.history(self.context, made.attempt_id).payment

    def balance(self) -> int:
        found = customers.get_customer(self.context, self.who.customer_id)
        return found.wallets[0].posted_micros // UNIT

    def kept(self, reference: str) -> list[str]:
        """Why money of this reference waits in suspense."""
        found = suspense.listed(self.context, limit=500)
        return [one.note for one in found if one.reference == reference]


@pytest.fixture
def desk(context: Context, app: Flask, make: Factory, server: PayPalServer) -> Desk:
    return Desk(context, app, server, make.subscriber(NOW))


def outcome(desk: Desk, made: PaymentView) -> tuple[S, int, int]:
    """State, what the wallet has, and what PayPal took, in units."""
    return desk.seen(made).state, desk.balance(), int(desk.server.taken())


def test_a_payer_approves_at_the_page_and_the_order_is_captured(desk: Desk) -> None:
    made = desk.opened()
    assert made.redirect_url is not None and "checkoutnow?token=ORDER" in made.redirect_url
    assert outcome(desk, made) == (S.PENDING, 0, 0)
    desk.server.approve(made.key)
    desk.work(MINUTE)
    assert outcome(desk, made) == (S.SUCCEEDED, 10, 10)
    assert desk.seen(made).provider_ref == desk.server.capture_of(made.key)["id"]


def test_what_was_approved_is_captured_at_once_when_paypal_tells_so(desk: Desk) -> None:
    """And told again, or late, that it was captured, nothing more happens."""
    made = desk.opened()
    order = desk.server.approve(made.key)
    assert desk.told("CHECKOUT.ORDER.APPROVED", order) == 200
    assert desk.server.taken() == 0
    desk.work()  # no time passes
    assert outcome(desk, made) == (S.SUCCEEDED, 10, 10)
    for kind in ("CHECKOUT.ORDER.APPROVED", "PAYMENT.CAPTURE.COMPLETED"):
        resource = order if "ORDER" in kind else desk.server.capture_of(made.key)
        assert desk.told(kind, resource) == 200
    desk.work()
    assert outcome(desk, made) == (S.SUCCEEDED, 10, 10)


def test_an_account_that_stays_on_file_is_charged_later(desk: Desk) -> None:
    desk.paid(saves=True)
    (method,) = methods_on_file.of_customer(desk.context, desk.who.customer_id)
    assert method.label == "PayPal a…@payer.example"
    made = desk.begin(method_id=method.method_id)
    desk.work()
    assert outcome(desk, made) == (S.SUCCEEDED, 20, 20)
    again = desk.opened(saves=True)
    assert again.state is S.PENDING


@pytest.mark.parametrize(
    ("becomes", "decline"),
    [
        ("DECLINED", "soft"),
        ("INSTRUMENT_DECLINED", "soft"),
        ("AGREEMENT_ALREADY_CANCELLED", "hard"),
        ("PAYER_ACTION_REQUIRED", "authentication"),
    ],
)
def test_an_account_that_cannot_be_charged(desk: Desk, becomes: str, decline: str) -> None:
    desk.server.charges["vault-of-ada"] = becomes
    made = desk.charged()
    assert outcome(desk, made) == (S.FAILED, 0, 0)
    with desk.context.transaction() as tx:
        row = store.attempt(tx, made.customer_id, made.attempt_id)
        assert row is not None and row.decline == decline


def test_a_charge_that_paypal_looks_into_is_asked_for(desk: Desk) -> None:
    desk.server.charges["vault-of-ada"] = "PENDING"
    made = desk.charged()
    assert outcome(desk, made) == (S.PENDING, 0, 0)
    assert desk.told("PAYMENT.CAPTURE.PENDING", desk.server.capture_of(made.key)) == 200
    order = desk.server.order_of(made.key)
    order["purchase_units"][0]["payments"]["captures"][0]["status"] = "COMPLETED"
    desk.work(timedelta(hours=1))
    assert outcome(desk, made) == (S.SUCCEEDED, 10, 10)


@pytest.mark.parametrize("kind", ["PAYMENT.CAPTURE.DENIED", "PAYMENT.CAPTURE.DECLINED"])
def test_a_charge_that_paypal_denies_in_the_end(desk: Desk, kind: str) -> None:
    desk.server.charges["vault-of-ada"] = "PENDING"
    made = desk.charged()
    capture = desk.server.capture_of(made.key) | {"status": "DECLINED"}
    assert desk.told(kind, capture) == 200
    assert outcome(desk, made) == (S.FAILED, 0, 0)


@pytest.mark.rule("M5")
@pytest.mark.parametrize("fault", [Fault.LATE, Fault.NEVER, Fault.GARBAGE])
@pytest.mark.parametrize("charges", [False, True])
def test_what_was_done_and_not_answered_is_done_once(
    desk: Desk, fault: Fault, charges: bool
) -> None:
    """PayPal is asked by sending it again under the same request id."""
    desk.server.fail("POST orders", fault)
    made = desk.charged() if charges else desk.opened()
    assert made.state is S.UNKNOWN
    desk.work(MINUTE)
    assert len(desk.server.orders) == 1
    if not charges:
        assert desk.seen(made).redirect_url is not None
        desk.server.approve(made.key)
        desk.work(MINUTE * 2)
    assert outcome(desk, made) == (S.SUCCEEDED, 10, 10)


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.DOWN])
def test_what_never_arrived_is_sent_again(desk: Desk, fault: Fault) -> None:
    desk.server.fail("POST orders", fault)
    made = desk.charged()
    assert outcome(desk, made) == (S.UNKNOWN, 0, 0)
    desk.work(MINUTE)
    assert outcome(desk, made) == (S.SUCCEEDED, 10, 10)


@pytest.mark.rule("M5")
def test_a_refusal_of_what_was_sent_again_ends_nothing_that_may_be_done(desk: Desk) -> None:
    desk.server.fail("POST orders", Fault.NEVER)
    made = desk.charged()
    desk.server.refuses_again.append("SOMETHING_ABOUT_THE_REQUEST_ID")
    desk.work(MINUTE)
    assert outcome(desk, made) == (S.UNKNOWN, 0, 10)
    desk.work(timedelta(minutes=5))
    assert outcome(desk, made) == (S.SUCCEEDED, 10, 10)


@pytest.mark.rule("M5")
def test_a_charge_is_not_sent_again_when_paypal_may_have_forgotten_its_key(desk: Desk) -> None:
    """It keeps them for six hours; nobody worked meanwhile. A person looks; its event ends it."""
    desk.server.fail("POST orders", Fault.NEVER)
    made = desk.charged()
    desk.server.forgets_keys = True
    desk.work(timedelta(hours=5))
    assert outcome(desk, made) == (S.UNKNOWN, 0, 10)
    reason = desk.seen(made).reason
    assert reason is not None and made.key in reason
    assert desk.told("PAYMENT.CAPTURE.COMPLETED", desk.server.capture_of(made.key)) == 200
    assert outcome(desk, made) == (S.SUCCEEDED, 10, 10)


def test_a_page_that_nobody_was_sent_to_is_given_up(desk: Desk) -> None:
    desk.server.fail("POST orders", Fault.NEVER)
    made = desk.opened()
    desk.work(timedelta(hours=5))
    assert outcome(desk, made) == (S.FAILED, 0, 0)


@pytest.mark.rule("M5")
@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("step", ["GET orders", "POST capture"])
def test_look_ups_and_captures_may_go_wrong_too(desk: Desk, step: str, fault: Fault) -> None:
    made = desk.opened()
    desk.server.approve(made.key)
    desk.server.fail(step, fault)
    desk.work(MINUTE)
    assert desk.seen(made).state is S.UNKNOWN
    desk.work(timedelta(minutes=5))
    assert outcome(desk, made) == (S.SUCCEEDED, 10, 10)


@pytest.mark.parametrize("fault", list(Fault))
def test_a_token_that_cannot_be_had_takes_nothing(desk: Desk, fault: Fault) -> None:
    desk.server.fail("POST token", fault)
    made = desk.charged()
    assert outcome(desk, made) == (S.UNKNOWN, 0, 0)
    desk.work(MINUTE)
    assert outcome(desk, made) == (S.SUCCEEDED, 10, 10)


def test_a_token_serves_for_many_calls_until_it_is_withdrawn(desk: Desk) -> None:
    for _ in range(3):
        desk.charged()
    assert desk.server.calls.count("POST token") == 1
    desk.server.tokens.clear()
    made = desk.charged()
    assert (desk.seen(made).state, desk.server.calls.count("POST token")) == (S.SUCCEEDED, 2)


def test_an_instrument_that_is_declined_leaves_the_payer_another_try(desk: Desk) -> None:
    made = desk.opened()
    desk.server.approve(made.key)
    desk.server.refuses.append("INSTRUMENT_DECLINED")
    desk.work(MINUTE)
    waiting = desk.seen(made)
    assert (waiting.state, waiting.redirect_url) == (S.PENDING, made.redirect_url)
    desk.work(timedelta(minutes=5))
    assert outcome(desk, made) == (S.SUCCEEDED, 10, 10)


def test_a_capture_that_is_refused_for_good_takes_nothing(desk: Desk) -> None:
    made = desk.opened()
    desk.server.approve(made.key)
    desk.server.refuses.append("COMPLIANCE_VIOLATION")
    desk.work(MINUTE)
    assert outcome(desk, made) == (S.FAILED, 0, 0)


def test_an_order_that_ended_at_paypal_ends_here(desk: Desk) -> None:
    made = desk.opened()
    order_id = desk.server.order_of(made.key)["id"]
    reversed_ = {"order_id": order_id, "purchase_units": [{"custom_id": made.key}]}
    assert desk.told("CHECKOUT.PAYMENT-APPROVAL.REVERSED", reversed_) == 200
    assert outcome(desk, made) == (S.CANCELLED, 0, 0)
    forgotten = desk.opened()
    desk.server.orders.clear()
    desk.work(timedelta(hours=1))
    assert desk.seen(forgotten).state is S.FAILED
    voided = desk.opened()
    desk.server.order_of(voided.key)["status"] = "VOIDED"
    desk.work(timedelta(hours=1))
    assert desk.seen(voided).state is S.CANCELLED


def test_a_payment_is_refunded_in_parts(desk: Desk) -> None:
    made = desk.paid()
    for units, state in ((4, S.PARTLY_REFUNDED), (6, S.REFUNDED)):
        desk.refund(made, units)
        desk.work()
        assert desk.seen(made).state is state
    assert outcome(desk, made) == (S.REFUNDED, 0, 0)


@pytest.mark.rule("M5")
@pytest.mark.parametrize("fault", list(Fault))
def test_a_refund_goes_once_whatever_goes_wrong(desk: Desk, fault: Fault) -> None:
    made = desk.paid()
    desk.refund(made, 4)
    desk.server.fail("POST refund", fault, fault)
    for minutes in (0, 1, 5, 60):
        desk.work(timedelta(minutes=minutes))
    assert outcome(desk, made) == (S.PARTLY_REFUNDED, 6, 6)
    (refund,) = desk.server.refunds.values()
    assert desk.told("PAYMENT.CAPTURE.REFUNDED", refund) == 200
    assert outcome(desk, made) == (S.PARTLY_REFUNDED, 6, 6)


def test_a_refund_that_paypal_takes_its_time_for_is_asked_for(desk: Desk) -> None:
    made = desk.paid()
    desk.refund(made, 4)
    desk.server.fail("POST refund", Fault.NEVER)
    desk.work()
    (refund,) = desk.server.refunds.values()
    refund |= {"status": "PENDING", "status_details": {"reason": "ECHECK"}}
    desk.work(MINUTE)
    assert desk.seen(made).state is S.SUCCEEDED
    refund |= {"status": "COMPLETED"}
    desk.work(timedelta(hours=1))
    assert outcome(desk, made) == (S.PARTLY_REFUNDED, 6, 6)


def test_more_than_is_left_is_not_refunded(desk: Desk) -> None:
    """Somebody has refunded at PayPal's site, and we have not heard of it."""
    made = desk.paid()
    given = desk.server.give_back(made.key, "7.00")
    desk.refund(made, 4)
    desk.work()
    assert (desk.seen(made).state, desk.balance()) == (S.SUCCEEDED, 10)
    assert desk.told("PAYMENT.CAPTURE.REFUNDED", given) == 200
    assert outcome(desk, made) == (S.PARTLY_REFUNDED, 3, 3)


def test_what_paypal_takes_back_leaves_the_wallet_once(desk: Desk) -> None:
    made = desk.paid()
    taken = desk.server.give_back(made.key, "10.00", made.key)
    for _ in range(3):
        assert desk.told("PAYMENT.CAPTURE.REVERSED", taken) == 200
    assert outcome(desk, made) == (S.CHARGED_BACK, 0, 0)


@pytest.mark.rule("M4")
def test_a_dispute_that_is_won_comes_back_once(desk: Desk) -> None:
    made = desk.paid()
    capture = desk.server.capture_of(made.key)

    def resolved(code: str) -> dict[str, object]:
        return {
            "dispute_id": "PP-D-1",
            "disputed_transactions": [{"seller_transaction_id": capture["id"]}],
            "dispute_amount": {"currency_code": "USD", "value": "10.00"},
            "dispute_outcome": {"outcome_code": code},
            "status": "RESOLVED",
        }

    won = "RESOLVED_SELLER_FAVOUR"
    # Nothing was taken for it: nothing comes back, and what is taken later is not swallowed.
    assert desk.told("CUSTOMER.DISPUTE.RESOLVED", resolved(won)) == 200
    assert outcome(desk, made) == (S.SUCCEEDED, 10, 10)
    taken = desk.server.give_back(made.key, "10.00", made.key)
    assert desk.told("PAYMENT.CAPTURE.REVERSED", taken) == 200
    assert outcome(desk, made) == (S.CHARGED_BACK, 0, 0)
    assert desk.told("CUSTOMER.DISPUTE.RESOLVED", resolved("RESOLVED_BUYER_FAVOUR")) == 200
    assert outcome(desk, made) == (S.CHARGED_BACK, 0, 0)
    for _ in range(3):
        assert desk.told("CUSTOMER.DISPUTE.RESOLVED", resolved(won)) == 200
    assert outcome(desk, made)[:2] == (S.SUCCEEDED, 10)


def test_an_account_that_is_kept_late_goes_on_file(desk: Desk) -> None:
    desk.server.vaults_late = True
    made = desk.paid(saves=True)
    order_id = desk.server.order_of(made.key)["id"]
    assert made.state is S.SUCCEEDED
    assert methods_on_file.of_customer(desk.context, desk.who.customer_id) == []
    kept = {
        "id": "vault-late",
        "customer": {"id": "ada_of_paypal"},
        "payment_source": {"paypal": {"email_address": "ada@payer.example"}},
        "metadata": {"order_id": order_id},
    }
    desk.server.fail("GET orders", Fault.DOWN)
    assert desk.told("VAULT.PAYMENT-TOKEN.CREATED", kept) == 503
    for _ in range(2):
        assert desk.told("VAULT.PAYMENT-TOKEN.CREATED", kept) == 200
    (method,) = methods_on_file.of_customer(desk.context, desk.who.customer_id)
    assert method.label.startswith("PayPal ")
    assert outcome(desk, made) == (S.SUCCEEDED, 10, 10)
    assert (
        desk.told("VAULT.PAYMENT-TOKEN.CREATED", kept | {"metadata": {"order_id": "GONE"}}) == 200
    )
    # Of a payment that nobody wanted to keep an account of, none is kept.
    other = desk.paid()
    stray = kept | {"id": "v2", "metadata": {"order_id": desk.server.order_of(other.key)["id"]}}
    assert desk.told("VAULT.PAYMENT-TOKEN.CREATED", stray) == 200
    assert len(methods_on_file.of_customer(desk.context, desk.who.customer_id)) == 1
    desk.server.vaults_late = False


@pytest.mark.parametrize("fault", [None, *Fault])
def test_an_account_that_is_removed_is_deleted_whatever_goes_wrong(
    desk: Desk, fault: Fault | None
) -> None:
    reference = f"vault-{fault}"
    method_id = desk.on_file(reference)
    if fault is not None:
        desk.server.fail("DELETE payment-tokens", fault, fault)
    methods_on_file.remove(desk.context, desk.who.customer_id, method_id, desk.now)
    for minutes in (0, 2, 5, 60):
        desk.work(timedelta(minutes=minutes))
    assert reference in desk.server.forgotten
    with desk.context.transaction() as tx:
        key = {"customer_id": desk.who.customer_id, "method_id": method_id}
        assert tx.get_one(tables.PaymentMethod, key).detach_at is None


def test_a_reversal_may_be_told_of_before_its_payment(desk: Desk) -> None:
    """Out of order: refunded, completed, approved."""
    made = desk.opened()
    order = desk.server.approve(made.key)
    desk.server.answer("POST", f"/v2/checkout/orders/{order['id']}/capture", b"{}", "")
    capture = desk.server.capture_of(made.key)
    given = desk.server.give_back(made.key, "4.00")
    assert desk.told("PAYMENT.CAPTURE.COMPLETED", capture) == 200
    assert desk.told("PAYMENT.CAPTURE.REFUNDED", given) == 200
    assert desk.told("CHECKOUT.ORDER.APPROVED", order) == 200
    assert desk.told("PAYMENT.CAPTURE.PENDING", capture | {"status": "PENDING"}) == 200
    desk.work(MINUTE)
    assert outcome(desk, made) == (S.PARTLY_REFUNDED, 6, 6)


@pytest.mark.rule("M5")
def test_a_thousand_replays_at_once_credit_once(
    settings: Settings, context: Context, make: Factory, server: PayPalServer
) -> None:
    with wide_panel(settings, NOW) as app:
        desk = Desk(context, app, server, make.subscriber(NOW), timeout_seconds=15.0)
        _replay(desk)


def _replay(desk: Desk) -> None:
    """Of some PayPal cannot be asked: those alone are refused, and told again."""
    made = desk.opened()
    order = desk.server.approve(made.key)
    desk.server.answer("POST", f"/v2/checkout/orders/{order['id']}/capture", b"{}", "")
    told = desk.server.event("PAYMENT.CAPTURE.COMPLETED", desk.server.capture_of(made.key), NOW)
    desk.server.fail("POST verify-webhook-signature", *[Fault.DOWN] * AT_ONCE)
    answers = replayed(lambda: desk.post(*told))
    assert answers == {200: REPLAYS - AT_ONCE, 503: AT_ONCE}
    assert [desk.post(*told) for _ in range(3)] == [200, 200, 200]
    assert outcome(desk, made) == (S.SUCCEEDED, 10, 10)
    (event,) = payments.history(desk.context, made.attempt_id).events
    assert event.outcome == "applied"


@pytest.mark.parametrize(("value", "currency"), [("9.99", "USD"), ("10.01", "USD"), ("10", "EUR")])
def test_another_amount_or_currency_is_not_credited(desk: Desk, value: str, currency: str) -> None:
    made = desk.opened()
    order = desk.server.approve(made.key)
    desk.server.answer("POST", f"/v2/checkout/orders/{order['id']}/capture", b"{}", "")
    capture = desk.server.capture_of(made.key)
    capture["amount"] = {"currency_code": currency, "value": value}
    for _ in range(2):
        assert desk.told("PAYMENT.CAPTURE.COMPLETED", capture) == 200
    assert (desk.seen(made).state, desk.balance()) == (S.FAILED, 0)
    assert len(desk.kept(capture["id"])) == 1


def test_payments_of_others_who_use_the_account_are_of_no_interest(desk: Desk) -> None:
    made = desk.paid()
    theirs = desk.server.capture_of(made.key) | {"id": "CAPTTHEIRS", "custom_id": "shop-17"}
    assert desk.told("PAYMENT.CAPTURE.COMPLETED", theirs) == 200
    theirs.pop("custom_id")
    assert desk.told("PAYMENT.CAPTURE.COMPLETED", theirs) == 200
    assert (desk.balance(), desk.kept("CAPTTHEIRS")) == (10, [])


def test_money_for_a_payment_that_we_do_not_know_waits(desk: Desk) -> None:
    made = desk.paid()
    stray = desk.server.capture_of(made.key) | {"id": "CAPTSTRAY", "custom_id": "tw-9-unknown"}
    assert desk.told("PAYMENT.CAPTURE.COMPLETED", stray) == 200
    assert (desk.balance(), len(desk.kept("CAPTSTRAY"))) == (10, 1)


def test_what_is_not_signed_by_paypal_is_refused(desk: Desk) -> None:
    made = desk.opened()
    order = desk.server.approve(made.key)
    desk.server.answer("POST", f"/v2/checkout/orders/{order['id']}/capture", b"{}", "")
    capture = desk.server.capture_of(made.key)
    kind = "PAYMENT.CAPTURE.COMPLETED"
    body, headers = desk.server.event(kind, capture, NOW)
    forged = desk.server.event(kind, capture, NOW, signs_with=b"a guess")
    other = desk.server.event(kind, capture, NOW, webhook_id="7AB00000000000000")
    assert (desk.post(*forged), desk.post(*other)) == (400, 400)
    for changed in (body.replace(b"10.00", b"99.00"), body + b" ", b"[]", b"{", b"\xff", b""):
        assert desk.post(changed, headers) == 400
    for name in headers:
        assert desk.post(body, {key: headers[key] for key in headers if key != name}) == 400
    for name, value in (
        ("PAYPAL-CERT-URL", "https://api.paypal.com.evil.example/certs/CERT-1"),
        ("PAYPAL-CERT-URL", "http://api.paypal.com/certs/CERT-1"),
        ("PAYPAL-TRANSMISSION-TIME", "yesterday"),
        ("PAYPAL-TRANSMISSION-TIME", "2026-03-20T09:00:00"),
        ("PAYPAL-TRANSMISSION-SIG", "s" * 501),
    ):
        assert desk.post(body, headers | {name: value}) == 400
    assert outcome(desk, made) == (S.PENDING, 0, 10)
    assert desk.post(body, headers) == 200
    assert outcome(desk, made) == (S.SUCCEEDED, 10, 10)


@pytest.mark.parametrize(
    ("ago", "status"),
    [
        (timedelta(days=3), 200),
        (timedelta(days=3, hours=2), 400),
        (timedelta(minutes=-5), 200),
        (timedelta(minutes=-6), 400),
    ],
)
def test_what_was_signed_before_paypal_gave_up_is_refused(
    desk: Desk, ago: timedelta, status: int
) -> None:
    made = desk.opened()
    resource = desk.server.order_of(made.key)
    told = desk.server.event("CHECKOUT.ORDER.APPROVED", resource, NOW - ago)
    assert desk.post(*told) == status


@pytest.mark.parametrize("step", ["POST token", "POST verify-webhook-signature"])
@pytest.mark.parametrize("fault", list(Fault))
def test_an_event_that_paypal_cannot_be_asked_about_is_told_again(
    desk: Desk, step: str, fault: Fault
) -> None:
    made = desk.opened()
    order = desk.server.approve(made.key)
    told = desk.server.event("CHECKOUT.ORDER.APPROVED", order, NOW)
    desk.server.tokens.clear()  # else no new one is asked for
    desk.server.fail(step, fault)
    assert (desk.post(*told), desk.post(*told)) == (503, 200)
    desk.work()
    assert outcome(desk, made) == (S.SUCCEEDED, 10, 10)


def test_a_gateway_is_tried(desk: Desk) -> None:
    assert gateways.tried(desk.context, GATEWAYS, desk.gateway_id) == ""
    gateways.set_secrets(desk.context, desk.gateway_id, {"client_secret": "wrong"}, NOW)
    said = gateways.tried(desk.context, GATEWAYS, desk.gateway_id)
    assert "Client Authentication failed" in said


def test_its_webhook_is_known_later_than_its_address(desk: Desk) -> None:
    """Until then nothing that comes there is believed."""
    made = desk.opened()
    told = desk.server.event("CHECKOUT.ORDER.APPROVED", desk.server.approve(made.key), NOW)
    gateways.set_secrets(desk.context, desk.gateway_id, {"webhook_id": ""}, NOW)
    assert "no webhook_id" in gateways.tried(desk.context, GATEWAYS, desk.gateway_id)
    assert desk.post(*told) == 400
    gateways.set_secrets(desk.context, desk.gateway_id, {"webhook_id": WEBHOOK_ID}, NOW)
    assert gateways.tried(desk.context, GATEWAYS, desk.gateway_id) == ""
    assert desk.post(*told) == 200


@pytest.mark.parametrize(
    ("changed", "secrets", "field"),
    [
        ({"client_id": ""}, {"client_secret": "x"}, "client_id"),
        ({"return_url": ""}, {"client_secret": "x"}, "return_url"),
        ({"mode": "test"}, {"client_secret": "x"}, "mode"),
        ({"url": "https://api.paypal.example"}, {"client_secret": "x"}, "url"),
        ({}, {}, "client_secret"),
    ],
)
def test_what_cannot_be_set_up(
    context: Context, changed: dict[str, str], secrets: dict[str, str], field: str
) -> None:
    settings = {"client_id": "x", "return_url": RETURN_URL}
    with pytest.raises(InvalidInput) as refused:
        gateways.add(
            context,
            GATEWAYS,
            name="bad",
            adapter="paypal",
            settings=settings | changed,
            secret_settings=secrets,
            now=NOW,
        )
    assert refused.value.field == field
