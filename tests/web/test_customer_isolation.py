"""A customer never reads or changes anything of another one by a number in an address, and ends or
changes only what is its own login's (security.md 7)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from billing.errors import NotFound
from billing.model.commerce import MoneyChannel
from billing.model.events import AccountingRecord, Status
from billing.model.orders import OrderState
from billing.model.self_care import SubscriberAttempt
from billing.services import (
    bills,
    catalog,
    coa,
    customer_record,
    customers,
    metering,
    payments,
    prepayments,
    receipts,
    sales,
    self_care,
    subscribers,
)
from billing.services.context import Context
from billing.settings import Settings
from billing.store.hotpath import HotConnection
from tests.web.isp import MONTHLY, NAS_ADDRESS, Isp
from web import create_app

PASSWORD = "river stone 12"
UNIT = 1_000_000


@dataclass(frozen=True)
class House:
    """All that a customer has that an address can name."""

    customer_id: int
    subscription_id: int
    second_id: int
    invoice_id: int
    receipt: str
    session_ids: tuple[int, ...]
    prepayment_id: int


@pytest.fixture
def app(settings: Settings, isp: Isp, began: datetime) -> Iterator[Flask]:
    made = create_app(settings, clock=lambda: began)
    yield made
    made.extensions["tollway"].close()


@pytest.fixture(scope="module")
def houses(context: Context, settings: Settings, isp: Isp, began: datetime) -> tuple[House, House]:
    profile = replace(MONTHLY, name="Both houses")
    profile_id = catalog.add_profile(context, profile, began - timedelta(days=90)).profile_id
    return (
        _house(context, settings, isp, profile_id, "house-a", began),
        _house(context, settings, isp, profile_id, "house-b", began),
    )


def _house(
    context: Context, settings: Settings, isp: Isp, profile_id: int, name: str, now: datetime
) -> House:
    long_ago = now - timedelta(days=60)
    customer_id = customers.add_customer(
        context, name=f"The {name}", profile_id=profile_id, now=long_ago
    ).customer_id
    ids = [
        customers.add_subscription(
            context,
            customer_id=customer_id,
            username=username,
            password=PASSWORD,
            now=long_ago,
        )
        for username in (name, f"{name}-2")
    ]
    receipt = sales.topup(
        context,
        customer_id,
        7 * UNIT,
        channel=MoneyChannel.CASH,
        idempotency_key=f"top-{name}",
        now=long_ago,
    ).receipt_number
    bill = bills.issue_bill(
        context,
        ids[0],
        cycle_from=now.date(),
        cycle_until=now.date() + timedelta(days=30),
        amount_micros=30 * UNIT,
        now=now - timedelta(days=2),
    )
    prepayments.set_up(context, customer_id, 5 * UNIT, now=now)
    prepayments.run(context, now)
    (asked,) = prepayments.invoices_of(context, customer_id)
    with closing(
        HotConnection(settings.dsn("radius"), statement_timeout_ms=9000, lock_timeout_ms=9000)
    ) as lane:
        for device in ("1", "2"):
            metering.meter_batch(lane, [metering.prepare(_start(name, device, now))], now)
    running = subscribers.sessions_of(context, ids[0], now, open_only=True)
    return House(
        customer_id,
        ids[0],
        ids[1],
        bill.invoice_id,
        receipt or "",
        tuple(one.session_id for one in running),
        asked.prepayment_id,
    )


def _start(username: str, device: str, now: datetime) -> AccountingRecord:
    return AccountingRecord(
        status=Status.START,
        username=username,
        sent_username=username,
        nas_address=NAS_ADDRESS,
        acct_session_id=f"{username}-{device}",
        arrived_at=now,
        event_at=now,
        precise_time=True,
        session_seconds=0,
        input_octets=0,
        output_octets=0,
        has_gigawords=True,
        framed_ip=f"10.20.9.{device}",
        calling_station=f"0242ac11000{device}",
        terminate_cause=None,
    )


def _token(client: FlaskClient, path: str) -> str:
    page = client.get(path).get_data(as_text=True)
    return page.split('name="csrf_token"', 1)[1].split('value="', 1)[1].split('"', 1)[0]


def _client(app: Flask, username: str) -> FlaskClient:
    client = app.test_client()
    form = {"username": username, "password": PASSWORD, "csrf_token": _token(client, "/my/login")}
    assert client.post("/my/login", data=form).status_code == 302
    return client


def _addresses(house: House) -> list[str]:
    """Every address with a number or name of something that a customer has."""
    return [
        f"/my/services/{house.subscription_id}",
        f"/my/services/{house.second_id}",
        f"/my/bills/{house.invoice_id}.pdf",
        f"/my/bills/{house.invoice_id}/pay",
        f"/my/bills/{house.invoice_id}/card",
        f"/my/prepayments/{house.prepayment_id}/card",
        f"/my/receipts/{house.receipt}.pdf",
    ]


def test_every_address_with_a_number_is_crawled(app: Flask) -> None:
    """A new address that names something must be added to `_addresses`, or to the tests below."""
    known = {
        "customer.other_service",
        "customer.bill_pdf",
        "customer.pay_bill",
        "customer.receipt_pdf",
        "customer.end_session",
        "customer.confirm",  # a plan, which everybody may see
        "customer.pay_bill_online",
        "customer.pay_prepayment",
        # test_customer_paying.py, test_own_money.py
        "customer.payment",
        "customer.payment_part",
        "customer.to_provider",
        "customer.method_page",
        "customer.to_setup",
        "customer.default_method",
        "customer.remove_method",
    }
    named = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("customer.") and rule.arguments
    }
    assert named == known


def test_nothing_of_another_customer_is_shown(app: Flask, houses: tuple[House, House]) -> None:
    ours, theirs = houses
    client = _client(app, "house-a")
    for address in _addresses(ours):
        assert client.get(address).status_code == 200, address
    for address in _addresses(theirs):
        answer = client.get(address)
        assert answer.status_code == 404, address
        assert "house-b" not in answer.get_data(as_text=True)
    for address in ("/my/", "/my/now", "/my/bills", "/my/usage", "/my/settings", "/my/buy"):
        assert "house-b" not in client.get(address).get_data(as_text=True)
    assert f"before={theirs.invoice_id}" not in client.get("/my/bills").get_data(as_text=True)


def test_nothing_of_another_customer_is_changed(
    app: Flask, context: Context, houses: tuple[House, House], began: datetime
) -> None:
    _, theirs = houses
    client = _client(app, "house-a")
    token = _token(client, "/my/settings")
    before = _state(context, theirs, began)
    form = {"csrf_token": token, "key": "k", "amount": "1000000", "total": "0"}
    for address in (
        f"/my/bills/{theirs.invoice_id}/pay",
        f"/my/bills/{theirs.invoice_id}/card",
        f"/my/prepayments/{theirs.prepayment_id}/card",
        *(f"/my/sessions/{one}/end" for one in theirs.session_ids),
    ):
        assert client.post(address, data=form).status_code in (302, 404)
    assert _state(context, theirs, began) == before


def _state(context: Context, house: House, now: datetime) -> object:
    return (
        customers.get_customer(context, house.customer_id),
        customer_record.bills(context, house.customer_id, now),
        receipts.of_customer(context, house.customer_id),
        payments.listed(context, customer_id=house.customer_id),
        prepayments.invoices_of(context, house.customer_id),
        coa.list_orders(context, states=list(OrderState), subscription_id=house.subscription_id),
    )


def test_the_services_themselves_find_nobody_else(
    app: Flask, houses: tuple[House, House], began: datetime
) -> None:
    """Whatever a page forgets to check, the database does not show."""
    ours, theirs = houses
    nobody = app.extensions["tollway"].nobody
    attempt = SubscriberAttempt(username="house-a", password=PASSWORD, address="127.0.0.1")
    login, _ = self_care.log_in(nobody, attempt, began)
    own = self_care.context_of(nobody, login)
    assert subscribers.show(own, ours.subscription_id, began).row.username == "house-a"
    for act in (
        lambda: subscribers.show(own, theirs.subscription_id, began),
        lambda: customers.get_customer(own, theirs.customer_id),
        lambda: customers.set_password(own, theirs.subscription_id, "another one", began),
        lambda: sales.topup(
            own,
            theirs.customer_id,
            UNIT,
            channel=MoneyChannel.CASH,
            idempotency_key="mine",
            now=began,
        ),
    ):
        with pytest.raises(NotFound):
            act()
    assert customer_record.bills(own, theirs.customer_id, began).lines == ()
    assert {row.customer_id for row in customer_record.search(own, "", began).rows} == {
        ours.customer_id
    }


@pytest.mark.rule("C1")
def test_a_session_of_the_own_login_is_ended_once(
    app: Flask, context: Context, houses: tuple[House, House], began: datetime
) -> None:
    ours, _ = houses
    second = _client(app, "house-a-2")
    ended, _ = ours.session_ids
    assert "already" in _end(second, ended), "of the customer, but of another login"
    client = _client(app, "house-a")
    assert "being disconnected" in _end(client, ended)
    assert "asked for already" in _end(client, ended)
    orders = coa.list_orders(context, states=list(OrderState), subscription_id=ours.subscription_id)
    assert [(one.goal, one.reason) for one in orders] == [("disconnect", "ended-by-subscriber")]
    # Whatever the state of the subscription becomes.
    sales.topup(
        context,
        ours.customer_id,
        UNIT,
        channel=MoneyChannel.CASH,
        idempotency_key="more",
        now=began,
    )
    orders = coa.list_orders(context, states=list(OrderState), subscription_id=ours.subscription_id)
    assert [one.state for one in orders if one.reason == "ended-by-subscriber"] == ["pending"]


def _end(client: FlaskClient, session_id: int) -> str:
    form = {"csrf_token": _token(client, "/my/settings")}
    answer = client.post(f"/my/sessions/{session_id}/end", data=form, follow_redirects=True)
    return answer.get_data(as_text=True)


def test_a_changed_password_logs_every_other_browser_out(
    app: Flask, context: Context, houses: tuple[House, House], began: datetime
) -> None:
    _, theirs = houses
    phone, laptop = _client(app, "house-b-2"), _client(app, "house-b-2")
    sibling = _client(app, "house-b")
    for old, new, said in (
        ("a wrong guess", "four green hills", "not the password"),
        (PASSWORD, "short", "8 characters"),
        (PASSWORD, "password1", "common password"),
        (PASSWORD, "house-b-2", "your user name"),
        (PASSWORD, PASSWORD, "the old password"),
        (PASSWORD, "x" * 129, "128 octets"),
    ):
        assert said in _change(phone, old, new), said
    assert "is changed" in _change(phone, PASSWORD, "four green hills")
    assert phone.get("/my/").status_code == 200
    assert laptop.get("/my/").status_code == 302
    assert sibling.get("/my/").status_code == 200
    customers.set_password(context, theirs.second_id, PASSWORD, began)
    assert phone.get("/my/").status_code == 302
    phone = _client(app, "house-b-2")
    for _ in range(self_care.PAIR_FAILURES):
        assert "not the password" in _change(phone, "a wrong guess", "four green hills")
    assert "too many" in _change(phone, PASSWORD, "four green hills").lower()


def _change(client: FlaskClient, old: str, new: str) -> str:
    form = {
        "csrf_token": _token(client, "/my/password"),
        "old": old,
        "new": new,
        "again": new,
    }
    answer = client.post("/my/password", data=form, follow_redirects=True)
    return answer.get_data(as_text=True)
