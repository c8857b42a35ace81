"""A customer pays at its own pages: what comes of it, and what is refused (P1, P4, P5, B8, M5)."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from billing.errors import Refused
from billing.model.commerce import MoneyChannel
from billing.model.payments import PaymentState, PaymentView, SavedMethod
from billing.services import (
    auto_recharge,
    bills,
    books,
    catalog,
    customer_record,
    gateways,
    methods,
    online,
    payment_calls,
    payments,
    prepayments,
    sales,
    subscribers,
)
from billing.services.context import Context
from billing.services.customers import changing_customer
from billing.services.payment_steps import save_method
from billing.settings import Settings
from rig.provider import Fault, Provider
from tests.web.isp import MONTHLY, Isp
from tests.web.payers import GATEWAYS, UNIT, House, Payer, add_gateway, house, text_of
from web import create_app

S = PaymentState
Paying = Callable[[], Payer]


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider().serving() as running:
        yield running


@pytest.fixture(scope="module")
def gateway_id(context: Context, isp: Isp, provider: Provider, began: datetime) -> int:
    name = add_gateway(context, provider, began, timeout_seconds=1)
    return gateways.find(context, name).gateway_id


@pytest.fixture
def app(settings: Settings, gateway_id: int, began: datetime) -> Iterator[Flask]:
    made = create_app(settings, clock=lambda: began)
    yield made
    made.extensions["tollway"].close()


@pytest.fixture
def ada(app: Flask, context: Context, isp: Isp, began: datetime) -> Payer:
    return Payer.logged_in(app, context, house(context, isp, began))


@pytest.fixture
def monthly(context: Context, isp: Isp, began: datetime) -> int:
    found = [one for one in catalog.list_profiles(context) if one.profile.name == MONTHLY.name]
    return found[0].profile_id


def page_way(gateway_id: int) -> str:
    return f"page-{gateway_id}"


def card(context: Context, who: House, gateway_id: int, token: str, now: datetime) -> str:
    """On file from now on: what the form calls it."""
    with changing_customer(context, who.customer_id) as (tx, customer):
        saved = SavedMethod(reference=token, label=f"Visa …{token}", expires_on=date(2031, 8, 31))
        return f"method-{save_method(tx, customer, gateway_id, saved, now)}"


def hear(app: Flask, provider: Provider, context: Context, gateway_id: int, key: str) -> int:
    """The provider tells of the payment by its webhook."""
    token = gateways.find(context, str(gateway_id)).hook_token
    now = app.extensions["tollway"].clock()
    body, headers = provider.event("payment.paid", provider.payments[key], now)
    return app.test_client().post(f"/hooks/{token}", data=body, headers=headers).status_code


def came_back(payer: Payer, provider: Provider) -> str:
    """The payer's browser goes back to where the provider sends it, twice; what it says then."""
    (one, *_) = payer.payments()
    back = str(provider.payments[one.key]["return_url"])
    payer.page(back)
    return html.unescape(payer.page(back))


@pytest.mark.rule("P1")
@pytest.mark.parametrize("hook", ["before", "after", "never"])
def test_a_top_up_is_credited_once_however_it_is_told_of(
    app: Flask, ada: Payer, provider: Provider, context: Context, gateway_id: int, hook: str,
    began: datetime,
) -> None:  # fmt: skip
    answer = ada.top_up("12.50", page_way(gateway_id))
    (one,) = ada.payments()
    assert answer.location == f"/my/payments/{one.attempt_id}/page"
    assert one.redirect_url in ada.page(answer.location)
    assert "Not paid yet" in came_back(ada, provider)
    provider.finish(one.key)
    if hook == "before":
        assert hear(app, provider, context, gateway_id, one.key) == 200
    assert "12.50 USD was paid. It is in your wallet." in came_back(ada, provider)
    if hook == "after":
        assert hear(app, provider, context, gateway_id, one.key) == 200
    assert ada.balance() == 12_500_000
    (line,) = customer_record.payments(context, ada.house.customer_id)
    assert (line.channel, line.amount_micros) == ("card", 12_500_000)
    assert books.check_ledger(context, began).findings == ()


@pytest.mark.rule("P1")
def test_a_payment_that_is_declined_or_given_up_takes_nothing(
    ada: Payer, provider: Provider, gateway_id: int
) -> None:
    for state, more, said in (
        ("declined", {"decline": "hard", "reason": "the card was stolen"}, "The card was stolen."),
        ("declined", {"decline": "soft", "reason": "too little"}, "Try again later"),
        ("expired", {}, "You left the payment page"),
    ):
        ada.top_up("10", page_way(gateway_id))
        provider.finish(ada.payments()[0].key, state, **more)
        page = came_back(ada, provider)
        assert said in page and "Nothing was taken" in page
        assert "/my/topup?amount=10000000" in page
    assert ada.balance() == 0
    assert {one.state for one in ada.payments()} == {S.FAILED, S.CANCELLED}


@pytest.mark.rule("P1")
@pytest.mark.parametrize(
    ("change", "came"),
    [
        ({"amount": 999}, "9.99 USD"),
        ({"amount": 1100}, "11.00 USD"),
        ({"currency": "EUR"}, "10.00 EUR"),
    ],
)
@pytest.mark.parametrize("ended", ["open", "declined"])
def test_money_that_was_not_asked_for_is_kept_and_nobody_is_asked_to_pay_again(
    app: Flask, ada: Payer, provider: Provider, context: Context, gateway_id: int,
    began: datetime, change: dict[str, object], came: str, ended: str,
) -> None:  # fmt: skip
    ada.top_up("10", page_way(gateway_id))
    (one,) = ada.payments()
    if ended == "declined":
        provider.finish(one.key, "declined", decline="soft", reason="too little")
        assert "Nothing was taken" in came_back(ada, provider)
    provider.payments[one.key] = provider.finish(one.key) | change
    assert hear(app, provider, context, gateway_id, one.key) == 200
    page = came_back(ada, provider)
    assert f"{came} came, and 10.00 USD was asked for" in page
    assert "We have got it and keep it for you." in page
    assert (
        f"Do not pay again: call us, and tell us the number of the payment, {one.attempt_id}"
        in page
    )
    assert "Nothing was taken" not in page and "Try again" not in page and "topup?" not in page
    assert "We have your money" in ada.page("/my/payments")
    with pytest.raises(Refused, match="waits in suspense"):
        payments.retry(context, one.attempt_id, idempotency_key=f"r{one.attempt_id}", now=began)
    assert len(ada.payments()) == 1 and ada.balance() == 0
    assert books.check_ledger(context, began).findings == ()


@pytest.mark.rule("P1")
def test_a_card_on_file_that_is_charged_something_else_is_not_charged_again(
    ada: Payer, provider: Provider, context: Context, gateway_id: int, began: datetime
) -> None:
    way = card(context, ada.house, gateway_id, "ok", began)
    provider.amounts["ok"] = 999
    try:
        page = ada.page(ada.top_up("10", way).location)
    finally:
        del provider.amounts["ok"]
    assert "9.99 USD came" in page and "Do not pay again: call us" in page
    assert "Nothing was taken" not in page and "Try again" not in page


@pytest.mark.rule("P1")
def test_who_comes_back_while_its_webhook_comes_sees_what_came_of_it(
    ada: Payer, provider: Provider, gateway_id: int, monkeypatch: pytest.MonkeyPatch,
    app: Flask, context: Context,
) -> None:  # fmt: skip
    ada.top_up("10", page_way(gateway_id))
    (one,) = ada.payments()
    provider.finish(one.key)
    looked_up = online.payment_of_command

    def late(*asked: object) -> PaymentView:
        """The webhook lands after the payment was looked at, before the provider is asked."""
        found = looked_up(*asked)  # type: ignore[arg-type]
        assert hear(app, provider, context, gateway_id, one.key) == 200
        return found

    monkeypatch.setattr(online, "payment_of_command", late)
    back = str(provider.payments[one.key]["return_url"])
    assert "10.00 USD was paid" in ada.page(back)


@pytest.mark.rule("M5")
def test_a_form_that_is_sent_twice_pays_once(
    ada: Payer, provider: Provider, context: Context, gateway_id: int, began: datetime
) -> None:
    way = card(context, ada.house, gateway_id, "ok", began)
    form = {
        **ada.form("/my/topup", ("csrf_token", "key", "currency")),
        "amount": "7.00",
        "way": way,
    }
    places = {ada.client.post("/my/topup", data=form).location for _ in range(3)}
    assert len(places) == 1 and ada.balance() == 7 * UNIT
    (one,) = ada.payments()
    assert one.state is S.SUCCEEDED
    answer = ada.client.post("/my/topup", data={**form, "amount": "8.00"})
    assert answer.status_code == 422 and "was sent before" in text_of(answer)
    assert len(ada.payments()) == 1 and ada.balance() == 7 * UNIT


@pytest.mark.rule("M1", "M5")
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"amount": "-5"}, "more than zero"),
        ({"amount": "0"}, "more than zero"),
        ({"amount": ""}, "must be filled in"),
        ({"amount": "10.001"}, "smallest unit of USD"),
        ({"amount": "ten"}, "not an amount"),
        ({"amount": "1e999999999"}, "not an amount"),
        ({"amount": "1000000"}, "999999.99 USD at most"),
        ({"amount": "9" * 12}, "out of bounds"),
        ({"currency": "EUR"}, "your wallet is in USD"),
        ({"way": "page-999999"}, "choose one of these"),
        ({"way": "method-1"}, "choose one of these"),
        ({"way": ""}, "choose one of these"),
        ({"key": ""}, "open this page again"),
        ({"key": "of my own"}, "open this page again"),
    ],
)
def test_what_cannot_be_paid_says_why_and_begins_nothing(
    ada: Payer, gateway_id: int, values: dict[str, str], said: str
) -> None:
    answer = ada.top_up(**{"amount": "10", "way": page_way(gateway_id), **values})
    assert answer.status_code == 422
    assert said.casefold() in text_of(answer).casefold()
    assert ada.payments() == []


def test_a_form_of_another_site_is_refused(ada: Payer, gateway_id: int) -> None:
    form = ada.form("/my/topup", ("key", "currency"))
    for path in ("/my/topup", "/my/methods", "/my/recharge", "/my/voucher", "/my/recharge/stop"):
        answer = ada.client.post(path, data={**form, "amount": "5", "way": page_way(gateway_id)})
        assert answer.status_code == 400 and "out of date" in text_of(answer), path
    assert ada.payments() == []


@pytest.mark.rule("F16")
def test_nobody_pays_with_anothers_card_or_sees_anothers_payments(
    app: Flask, ada: Payer, context: Context, isp: Isp, gateway_id: int, began: datetime
) -> None:
    bob = Payer.logged_in(app, context, house(context, isp, began))
    way = card(context, ada.house, gateway_id, "ok", began)
    ada.top_up("5", way)
    (one,) = ada.payments()
    number = way.removeprefix("method-")
    assert bob.top_up("5", way).status_code == 422
    for path in (
        f"/my/payments/{one.attempt_id}",
        f"/my/payments/{one.attempt_id}/now",
        f"/my/payments/{one.attempt_id}/page",
        f"/my/methods/{number}/remove",
        "/my/payments/back?form=x",
    ):
        assert bob.client.get(path).status_code == 404, path
    token = bob.form("/my/topup", ("csrf_token",))
    for act in ("remove", "default"):
        assert bob.client.post(f"/my/methods/{number}/{act}", data=token).status_code == 404
    assert bob.payments() == [] and len(methods.of_customer(context, ada.house.customer_id)) == 1


@pytest.mark.rule("M5")
@pytest.mark.parametrize("fault", [Fault.DOWN, Fault.LOST, Fault.GARBAGE])
def test_a_provider_that_is_down_takes_nothing_and_says_so(
    ada: Payer, provider: Provider, gateway_id: int, fault: Fault
) -> None:
    provider.fail("POST /payments", fault)
    answer = ada.top_up("10", page_way(gateway_id))
    (one,) = ada.payments()
    assert answer.location == f"/my/payments/{one.attempt_id}"
    page = ada.page(answer.location)
    assert "payment page cannot be opened" in page and "Nothing was taken" in page
    assert "Try again" in page and ada.balance() == 0


@pytest.mark.rule("M5", "P7")
def test_a_card_that_was_charged_without_an_answer_is_not_charged_again(
    ada: Payer, provider: Provider, context: Context, gateway_id: int, began: datetime
) -> None:
    way = card(context, ada.house, gateway_id, "ok", began)
    provider.fail("POST /payments", Fault.GARBAGE)
    page = ada.page(ada.top_up("10", way).location)
    assert "not known yet whether your card was charged 10.00 USD" in page
    assert "that you began is not finished" in ada.page("/my/topup")
    later = began + timedelta(minutes=5)
    while payment_calls.run_due(context, GATEWAYS, lambda: later):
        pass
    assert "10.00 USD was paid" in ada.page(f"/my/payments/{ada.payments()[0].attempt_id}")
    assert ada.balance() == 10 * UNIT


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("hard", "Use another card, or ask your bank."),
        ("soft", "Try again later, or with another card."),
        ("confirm", "Pay at a payment page, where you confirm it."),
    ],
)
def test_a_card_on_file_that_is_declined_says_what_to_do(
    ada: Payer, context: Context, gateway_id: int, began: datetime, token: str, said: str
) -> None:
    answer = ada.top_up("10", card(context, ada.house, gateway_id, token, began))
    page = ada.page(answer.location)
    assert "Not paid" in page and said in page and ada.balance() == 0


def test_nobody_begins_payments_without_end(
    ada: Payer, provider: Provider, context: Context, gateway_id: int, began: datetime
) -> None:
    for number in range(online.OPEN_MOST):
        payments.top_up(
            context,
            ada.house.customer_id,
            gateway_id,
            UNIT,
            idempotency_key=f"open {number}",
            now=began,
        )
    calls = len(provider.calls)
    answer = ada.top_up("10", page_way(gateway_id))
    assert answer.status_code == 422 and "that are not finished" in text_of(answer)
    answer = ada.post("/my/methods", {"gateway": str(gateway_id)})
    assert answer.status_code == 422 and "that are not finished" in text_of(answer)
    assert len(provider.calls) == calls and len(ada.payments()) == online.OPEN_MOST
    assert ada.client.get("/my/payments").status_code == 200


def test_a_disabled_gateway_is_not_offered(
    ada: Payer, context: Context, provider: Provider, gateway_id: int, began: datetime
) -> None:
    other = gateways.find(context, add_gateway(context, provider, began)).gateway_id
    assert page_way(other) in ada.page("/my/topup")
    gateways.set_enabled(context, other, began, enabled=False)
    assert page_way(other) not in ada.page("/my/topup")
    answer = ada.top_up("10", page_way(other))
    assert answer.status_code == 422 and ada.payments() == []


def test_a_top_up_is_advised_of_as_much_as_the_last_time(
    ada: Payer, context: Context, began: datetime
) -> None:
    sales.topup(
        context,
        ada.house.customer_id,
        5 * UNIT,
        channel=MoneyChannel.CASH,
        idempotency_key="once",
        now=began,
    )
    page = ada.page("/my/topup")
    assert 'value="5.00"' in page and "Needed at least" not in page
    assert 'value="7.25"' in ada.page("/my/topup?amount=7250000")
    for link in ("/my/topup", "/my/voucher", "/my/recharge", "/my/methods", "/my/payments"):
        assert f'href="{link}"' in ada.page("/my/")


@pytest.mark.rule("B8", "I4", "M5")
def test_a_bill_is_paid_at_the_payment_page(
    app: Flask,
    context: Context,
    isp: Isp,
    provider: Provider,
    gateway_id: int,
    monthly: int,
    began: datetime,
) -> None:
    who = house(context, isp, began - timedelta(days=60), monthly)
    bill = bills.issue_bill(
        context,
        who.subscription_id,
        cycle_from=began.date() - timedelta(days=3),
        cycle_until=began.date() + timedelta(days=27),
        amount_micros=30 * UNIT,
        now=began - timedelta(days=3),
    )
    payer = Payer.logged_in(app, context, who)
    path = f"/my/bills/{bill.invoice_id}/card"
    assert path in payer.page(f"/my/bills/{bill.invoice_id}/pay")
    answer = payer.post(path, {"way": page_way(gateway_id), "due": "29000000"})
    assert answer.status_code == 422 and "30.00 USD is open now" in text_of(answer)
    assert payer.payments() == []
    payer.post(path, {"way": page_way(gateway_id)})
    assert "is not finished" in payer.page(path)
    provider.finish(payer.payments()[0].key)
    assert "Your bill is paid with it" in came_back(payer, provider)
    assert subscribers.show(context, who.subscription_id, began).unpaid_bills == ()
    assert payer.client.get(path).location == "/my/bills"
    assert books.check_ledger(context, began).findings == ()


@pytest.mark.rule("P5", "M5")
def test_a_prepayment_invoice_is_paid_by_card_and_met_once(
    ada: Payer, context: Context, provider: Provider, gateway_id: int, began: datetime
) -> None:
    prepayments.set_up(context, ada.house.customer_id, 20 * UNIT, now=began)
    prepayments.run(context, began)
    (asked,) = prepayments.invoices_of(context, ada.house.customer_id)
    path = f"/my/prepayments/{asked.prepayment_id}/card"
    assert path in ada.page("/my/bills") and asked.number in ada.page("/my/bills")
    ada.post(path, {"way": page_way(gateway_id)})
    ada.post(path, {"way": page_way(gateway_id)})
    for one in ada.payments():
        provider.finish(one.key)
        back = str(provider.payments[one.key]["return_url"])
        assert "the prepayment is met" in text_of(ada.client.get(back, follow_redirects=True))
    (asked,) = prepayments.invoices_of(context, ada.house.customer_id)
    # It is met by one of the two; the other is credit.
    assert asked.state == "paid" and ada.balance() == 40 * UNIT
    assert path not in ada.page("/my/bills")
    assert ada.client.get(path).location == "/my/bills"


def test_cards_are_added_listed_offered_first_and_removed(
    ada: Payer, context: Context, provider: Provider, gateway_id: int, began: datetime
) -> None:
    assert "No card is on file" in ada.page("/my/methods")
    for number in ("1881", "4444"):
        form = ada.form("/my/methods", ("csrf_token", "key")) | {"gateway": str(gateway_id)}
        places = [ada.client.post("/my/methods", data=form).location for _ in range(2)]
        assert places[0] == places[1] and places[0].endswith("/page")
        (key, *_) = reversed(provider.setups)
        back = str(provider.setups[key]["return_url"])
        assert "Not on file yet" in ada.page(back)
        provider.leave(key, number=number)
        page = ada.page(back)
        assert "It is on file" in page and f"Visa …{number}" in page and "until 08/2031" in page
        assert f"Visa …{number}" in ada.page(back)
    first, second = methods.of_customer(context, ada.house.customer_id)
    assert (first.is_default, second.is_default) == (True, False)
    token = ada.form("/my/methods", ("csrf_token",))
    ada.client.post(f"/my/methods/{second.method_id}/default", data=token)
    ways = ada.page("/my/topup")
    assert ways.index("Visa …4444, until 08/2031") < ways.index("Visa …1881")
    auto_recharge.set_up(
        context,
        ada.house.customer_id,
        method_id=second.method_id,
        threshold_micros=0,
        amount_micros=UNIT,
        now=began,
    )
    path = f"/my/methods/{second.method_id}/remove"
    assert "Auto-recharge charges it" in ada.page(path)
    ada.client.post(path, data=token)
    (left,) = methods.of_customer(context, ada.house.customer_id)
    assert left.method_id == first.method_id and left.is_default
    assert "Its card was removed" in ada.page("/my/recharge")


def test_a_card_that_is_refused_or_a_page_that_is_down_says_so(
    ada: Payer, provider: Provider, gateway_id: int, context: Context
) -> None:
    ada.post("/my/methods", {"gateway": str(gateway_id)})
    (key, *_) = reversed(provider.setups)
    provider.leave(key, "declined")
    assert "Not on file" in ada.page(str(provider.setups[key]["return_url"]))
    provider.fail("POST /setups", Fault.DOWN)
    answer = ada.post("/my/methods", {"gateway": str(gateway_id)})
    assert "The page cannot be opened" in ada.page(answer.location)
    assert ada.post("/my/methods", {"gateway": "999999"}).status_code == 422
    assert methods.of_customer(context, ada.house.customer_id) == []


@pytest.mark.rule("P5", "P6", "P7")
def test_auto_recharge_is_set_paused_resumed_and_turned_off(
    ada: Payer, context: Context, provider: Provider, gateway_id: int, began: datetime
) -> None:
    assert "It needs a card on file" in ada.page("/my/recharge")
    number = card(context, ada.house, gateway_id, "hard", began).removeprefix("method-")
    good = {
        "method": number, "threshold": "5", "amount": "20", "cap_day": "", "cap_month": "100"
    }  # fmt: skip
    for field, value, said in (
        ("threshold", "-1", "must be 0 or more"),
        ("threshold", "", "must be filled in"),
        ("amount", "0", "more than zero"),
        ("amount", "-20", "more than zero"),
        ("amount", "1.001", "smallest unit"),
        ("amount", "1000000", "999999.99 USD at most"),
        ("cap_day", "10", "could never be made"),
        ("cap_month", "19.99", "could never be made"),
        ("method", "999999", "no method on file"),
    ):
        answer = ada.post("/my/recharge", good | {field: value})
        page = text_of(answer)
        assert answer.status_code == 422, (field, value)
        part = page.split(f'id="field-{field}"', 1)[1].split('<div class="mb-3', 1)[0]
        assert said.casefold() in part.casefold(), (field, value)
    assert auto_recharge.settings(context, ada.house.customer_id) == []
    prepayments.set_up(context, ada.house.customer_id, 20 * UNIT, now=began)
    assert "prepayment invoice each month" in ada.page("/my/recharge")
    assert ada.post("/my/recharge", good).status_code == 302
    assert prepayments.settings(context, ada.house.customer_id) == []
    while payment_calls.run_due(context, GATEWAYS, lambda: began):
        pass
    page = ada.page("/my/recharge")
    assert "Paused" in page and "the card was stolen" in page and "Try again now" in page
    ok = card(context, ada.house, gateway_id, "ok", began).removeprefix("method-")
    ada.post("/my/recharge", good | {"method": ok})
    while payment_calls.run_due(context, GATEWAYS, lambda: began):
        pass
    assert ada.balance() == 20 * UNIT
    page = ada.page("/my/recharge")
    assert "20.00 USD from Visa …ok when 5.00 USD or less is left" in page
    token = ada.form("/my/recharge", ("csrf_token",))
    ada.client.post("/my/recharge/stop", data=token)
    ada.client.post("/my/recharge/stop", data=token)
    assert auto_recharge.settings(context, ada.house.customer_id) == []


def test_a_customer_who_is_not_logged_in_comes_back_after_the_login(
    app: Flask, ada: Payer, provider: Provider, gateway_id: int
) -> None:
    ada.top_up("5", page_way(gateway_id))
    back = str(provider.payments[ada.payments()[0].key]["return_url"])
    stranger: FlaskClient = app.test_client()
    answer = stranger.get(back)
    assert answer.status_code == 302 and "/my/login?next=" in answer.location
