"""A customer's own pages: logging in, what it sees, buys, pays and sets (security.md 5-8, B8)."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from passlib.hash import nthash

from billing.model.commerce import MoneyChannel
from billing.services import (
    bills,
    catalog,
    customer_record,
    customers,
    holds,
    sales,
    self_care,
    spending,
    subscribers,
)
from billing.services.context import Context
from billing.settings import Settings
from billing.store import ledger
from tests.web.conftest import OWNER
from tests.web.isp import DAILY, MONTHLY, Isp
from tests.web.people import PASSWORD as STAFF_PASSWORD
from web import create_app

PASSWORD = "river stone 12"
UNIT = 1_000_000


@dataclass
class Clock:
    """The instant that the pages live in."""

    now: datetime


@dataclass(frozen=True)
class House:
    """A customer with one subscription; another whose rows it must never see."""

    customer_id: int
    subscription_id: int
    username: str
    invoice_id: int = 0
    bill: str = ""
    receipt: str = ""


@pytest.fixture
def clock(began: datetime) -> Clock:
    return Clock(began)


@pytest.fixture
def app(settings: Settings, isp: Isp, clock: Clock) -> Iterator[Flask]:
    made = create_app(settings, clock=lambda: clock.now)
    yield made
    made.extensions["tollway"].close()


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="module")
def taxed(context: Context, isp: Isp, began: datetime) -> int:
    profile = replace(DAILY, name="Taxed daily", tax_rate_ppm=190_000, tax_inclusive=False)
    return catalog.add_profile(context, profile, began).profile_id


@pytest.fixture(scope="module")
def monthly(context: Context, isp: Isp, began: datetime) -> int:
    profile = replace(MONTHLY, name="Monthly of the portal")
    return catalog.add_profile(context, profile, began - timedelta(days=90)).profile_id


def _house(
    context: Context, profile_id: int, username: str, now: datetime, topped_up: int = 0
) -> House:
    customer = customers.add_customer(
        context, name=f"House {username}", profile_id=profile_id, now=now
    )
    number = customers.add_subscription(
        context,
        customer_id=customer.customer_id,
        username=username,
        password=PASSWORD,
        now=now,
    )
    receipt = None
    if topped_up:
        receipt = sales.topup(
            context,
            customer.customer_id,
            topped_up * UNIT,
            channel=MoneyChannel.CASH,
            idempotency_key=f"top-{username}",
            now=now,
        ).receipt_number
    return House(customer.customer_id, number, username, receipt=receipt or "")


def _billed(context: Context, profile_id: int, username: str, now: datetime) -> House:
    """One with an open bill of 30.00 and 12.00 in the wallet that came after it."""
    house = _house(context, profile_id, username, now - timedelta(days=60))
    issued = now - timedelta(days=3)
    bill = bills.issue_bill(
        context,
        house.subscription_id,
        cycle_from=issued.date(),
        cycle_until=issued.date() + timedelta(days=30),
        amount_micros=30 * UNIT,
        now=issued,
    )
    return replace(house, invoice_id=bill.invoice_id, bill=bill.number)


def _token(client: FlaskClient, path: str) -> str:
    page = client.get(path).get_data(as_text=True)
    return page.split('name="csrf_token"', 1)[1].split('value="', 1)[1].split('"', 1)[0]


def _hidden(page: str, name: str) -> str:
    tag = next(part for part in page.split("<input") if f'name="{name}"' in part)
    return tag.split('value="', 1)[1].split('"', 1)[0]


def _log_in(client: FlaskClient, username: str, password: str = PASSWORD) -> str:
    form = {"username": username, "password": password, "csrf_token": _token(client, "/my/login")}
    answer = client.post("/my/login", data=form, follow_redirects=True)
    return answer.get_data(as_text=True)


def _post(client: FlaskClient, path: str, **values: str) -> tuple[int, str]:
    """The form of a page, sent as a browser does."""
    page = client.get(path).get_data(as_text=True)
    names = ("csrf_token", "key", "total", "amount")
    held = {name: _hidden(page, name) for name in names if f'name="{name}"' in page}
    answer = client.post(path, data={**held, **values}, follow_redirects=True)
    return answer.status_code, answer.get_data(as_text=True)


def test_the_first_page_says_what_is_left_and_the_balance(
    browser: FlaskClient, context: Context, taxed: int, isp: Isp, clock: Clock
) -> None:
    house = _house(context, taxed, "Left.Over", clock.now, topped_up=20)
    page = _log_in(browser, "LEFT.over")
    assert "There is no package" in page and "Buy a package" in page
    assert "20.00 USD" in page
    sales.sell(context, house.subscription_id, isp.plan_id, idempotency_key="left", now=clock.now)
    page = browser.get("/my/").get_data(as_text=True)
    assert "Your service is on" in page
    assert "20 GB of 20 GB" in page and "Week 20 GB" in page
    assert "14.05 USD" in page
    part = browser.get("/my/now").get_data(as_text=True)
    assert "14.05 USD" in part and "<html" not in part
    assert browser.get("/my/").headers["Cache-Control"] == "no-store"


@pytest.mark.rule("B4", "P12", "M5")
def test_a_package_is_bought_once_for_the_price_that_was_shown(
    browser: FlaskClient, context: Context, taxed: int, isp: Isp, clock: Clock
) -> None:
    house = _house(context, taxed, "buyer", clock.now, topped_up=20)
    _log_in(browser, "buyer")
    listed = browser.get("/my/buy").get_data(as_text=True)
    assert "5.95 USD" in listed and "Home 50" not in listed
    page = browser.get(f"/my/buy/{isp.plan_id}").get_data(as_text=True)
    assert "5.95 USD" in page and "14.05 USD" in page
    form = {name: _hidden(page, name) for name in ("csrf_token", "key", "total")}
    cheaper = browser.post(f"/my/buy/{isp.plan_id}", data={**form, "total": "1"})
    assert cheaper.status_code == 422
    assert "nothing was bought" in cheaper.get_data(as_text=True)
    for _ in range(3):
        answer = browser.post(f"/my/buy/{isp.plan_id}", data=form, follow_redirects=True)
        assert "Week 20 GB is yours for 5.95 USD" in answer.get_data(as_text=True)
    assert "nothing was bought twice" in answer.get_data(as_text=True)
    view = subscribers.show(context, house.subscription_id, clock.now)
    assert len(view.entitlements) == 1
    assert view.wallet.available_micros == 14_050_000

    page = browser.get(f"/my/buy/{isp.plan_id}").get_data(as_text=True)
    assert "after what you have" in page
    code, page = _post(browser, f"/my/buy/{isp.plan_id}?begin=now")
    assert code == 200
    both = subscribers.show(context, house.subscription_id, clock.now).entitlements
    assert [one.status for one in both] == ["running", "running"]


@pytest.mark.rule("P12")
def test_too_little_money_says_what_is_missing(
    browser: FlaskClient, context: Context, taxed: int, isp: Isp, clock: Clock
) -> None:
    house = _house(context, taxed, "poor", clock.now, topped_up=2)
    _log_in(browser, "poor")
    assert "your wallet lacks 3.95 USD" in browser.get("/my/buy").get_data(as_text=True)
    page = browser.get(f"/my/buy/{isp.plan_id}").get_data(as_text=True)
    assert "3.95 USD more is needed" in page and 'name="key"' not in page
    assert subscribers.show(context, house.subscription_id, clock.now).entitlements == ()


@pytest.mark.rule("B8")
def test_a_monthly_customer_pays_its_bills_and_buys_nothing(
    browser: FlaskClient, context: Context, monthly: int, isp: Isp, clock: Clock
) -> None:
    house = _billed(context, monthly, "billed", clock.now)
    _log_in(browser, "billed")
    assert "nothing to buy here" in browser.get("/my/buy").get_data(as_text=True)
    home = catalog.find_plan(context, "Home 50", clock.now).plan_id
    assert "rule B8" in browser.get(f"/my/buy/{home}").get_data(as_text=True)
    page = browser.get("/my/bills").get_data(as_text=True)
    assert house.bill in page and "30.00 USD" in page
    page = browser.get(f"/my/bills/{house.invoice_id}/pay").get_data(as_text=True)
    assert "Missing" in page and 'name="key"' not in page
    pdf = browser.get(f"/my/bills/{house.invoice_id}.pdf")
    assert pdf.mimetype == "application/pdf" and pdf.data.startswith(b"%PDF")


@pytest.mark.rule("I4", "M5")
def test_a_bill_is_paid_once_from_the_wallet(
    browser: FlaskClient, context: Context, monthly: int, clock: Clock
) -> None:
    house = _billed(context, monthly, "payer", clock.now)
    _credit(context, house, 50, clock.now)
    _log_in(browser, "payer")
    path = f"/my/bills/{house.invoice_id}/pay"
    page = browser.get(path).get_data(as_text=True)
    assert "20.00 USD" in page
    form = {name: _hidden(page, name) for name in ("csrf_token", "key", "amount")}
    for _ in range(2):
        answer = browser.post(path, data=form, follow_redirects=True)
        assert "30.00 USD was paid" in answer.get_data(as_text=True)
    assert browser.post(path, data={**form, "key": "other"}).status_code in (302, 422)
    assert customer_record.open_bills(context, house.customer_id, clock.now) == ()
    wallet = customers.get_customer(context, house.customer_id).wallets[0]
    assert wallet.available_micros == 20 * UNIT
    page = browser.get("/my/bills").get_data(as_text=True)
    assert ">paid<" in page and "/pay" not in page


def _credit(context: Context, house: House, units: int, now: datetime) -> None:
    """Money that came after the bill, in another way than by a top-up, which would settle it."""
    wallet = customers.get_customer(context, house.customer_id).wallets[0]
    lines = [
        ledger.Line(ledger.WALLET, units * UNIT, wallet.wallet_id),
        ledger.Line(ledger.BAD_DEBT, -units * UNIT),
    ]
    with context.transaction() as tx:
        ledger.post(
            tx,
            customer_id=house.customer_id,
            org_id=1,
            kind="adjustment",
            memo="found",
            lines=lines,
            currency="USD",
            now=now,
        )


def test_settings_are_kept(
    browser: FlaskClient, context: Context, taxed: int, clock: Clock
) -> None:
    house = _house(context, taxed, "setter", clock.now, topped_up=10)
    _log_in(browser, "setter")
    code, page = _post(
        browser,
        "/my/settings",
        balance_percent="20",
        usage_percents="80 100",
        addresses="me@home.example\n",
    )
    assert code == 200 and "Saved" in page
    watch = spending.watches(context, house.customer_id, clock.now)[0]
    assert (watch.alert_percent, watch.usage_alert_percents) == (20, (80, 100))
    view = customers.get_customer(context, house.customer_id)
    assert view.alert_addresses == ("me@home.example",)
    code, page = _post(
        browser, "/my/settings", balance_percent="200", usage_percents="", addresses="nowhere"
    )
    assert code == 422 and "1 to 99" in page
    assert customers.get_customer(context, house.customer_id).alert_addresses == (
        "me@home.example",
    )


NOBODY = "Wrong user name or password"


def test_nobody_is_told_whether_a_user_name_exists(
    browser: FlaskClient, context: Context, taxed: int, clock: Clock
) -> None:
    _house(context, taxed, "exists", clock.now)
    known = _log_in(browser, "exists", "a wrong guess")
    unknown = _log_in(browser, "nobody-has-this", "a wrong guess")
    for page in (known, unknown):
        assert NOBODY in page
    for _ in range(self_care.PAIR_FAILURES - 1):
        _log_in(browser, "exists", "a wrong guess")
        _log_in(browser, "nobody-has-this", "a wrong guess")
    for name in ("exists", "nobody-has-this"):
        assert "Too many wrong passwords" in _log_in(browser, name, "a wrong guess")
    clock.now += self_care.THROTTLE_WINDOW
    assert "Wallet" in _log_in(browser, "exists")


def test_a_stranger_does_not_lock_the_customer_out(
    app: Flask, context: Context, taxed: int, clock: Clock
) -> None:
    _house(context, taxed, "busy", clock.now)
    used, stranger, fresh = app.test_client(), app.test_client(), app.test_client()
    assert "Wallet" in _log_in(used, "busy")
    used.post("/my/logout", data={"csrf_token": _token(used, "/my/")})
    for _ in range(self_care.PAIR_FAILURES):
        assert NOBODY in _log_in(stranger, "busy", "a wrong guess")
    assert "Too many" in _log_in(stranger, "busy")
    assert "Wallet" in _log_in(used, "busy")
    fresh.environ_base["REMOTE_ADDR"] = "127.9.9.9"
    assert "Wallet" in _log_in(fresh, "busy")


@pytest.mark.parametrize("stored", ["nt_hash", "pbkdf2"])
def test_hashed_passwords_log_in(
    browser: FlaskClient, context: Context, taxed: int, clock: Clock, stored: str
) -> None:
    """As FreeRADIUS checks them (rule A2)."""
    salt = b"salt and pepper."
    digest = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt, 10_000)
    parts = ((10_000).to_bytes(4), salt, digest)
    made = {
        "nt_hash": nthash.hash(PASSWORD),
        "pbkdf2": ":".join(["HMACSHA2+256", *(b64encode(part).decode() for part in parts)]),
    }
    customer = customers.add_customer(context, name=stored, profile_id=taxed, now=clock.now)
    customers.add_subscription(
        context,
        customer_id=customer.customer_id,
        username=f"by-{stored}",
        now=clock.now,
        **{stored: made[stored]},
    )
    assert NOBODY in _log_in(browser, f"by-{stored}", PASSWORD + "x")
    assert "Wallet" in _log_in(browser, f"by-{stored}")


def test_a_login_without_a_password_or_closed_stays_out(
    browser: FlaskClient, context: Context, taxed: int, clock: Clock
) -> None:
    customer = customers.add_customer(context, name="By MAC", profile_id=taxed, now=clock.now)
    customers.add_subscription(
        context, customer_id=customer.customer_id, username="by-mac", now=clock.now
    )
    for password in ("x", "nobody's password"):
        assert NOBODY in _log_in(browser, "by-mac", password)
    house = _house(context, taxed, "leaver", clock.now)
    assert "Wallet" in _log_in(browser, "leaver")
    holds.close(context, house.subscription_id, clock.now)
    assert browser.get("/my/").status_code == 302
    assert NOBODY in _log_in(browser, "leaver", "a wrong guess")
    assert "closed" in _log_in(browser, "leaver")


def test_a_session_ends_by_itself_and_by_logout(
    app: Flask, context: Context, taxed: int, clock: Clock
) -> None:
    _house(context, taxed, "sleepy", clock.now)
    phone, laptop = app.test_client(), app.test_client()
    _log_in(phone, "sleepy")
    _log_in(laptop, "sleepy")
    with laptop.session_transaction("/my/") as held:
        stolen = dict(held)
    laptop.post("/my/logout", data={"csrf_token": _token(laptop, "/my/")})
    with laptop.session_transaction("/my/") as held:
        held.update(stolen)
    assert laptop.get("/my/").status_code == 302
    for _ in range(12):  # what the page asks for by itself keeps nobody logged in
        clock.now += timedelta(hours=1)
        assert phone.get("/my/now").status_code == 200
    clock.now += timedelta(seconds=1)
    answer = phone.get("/my/now", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/my/login")
    assert phone.get("/my/").status_code == 302


def test_staff_and_customers_are_kept_apart(
    app: Flask, context: Context, taxed: int, owner: str, clock: Clock
) -> None:
    _house(context, taxed, "both", clock.now)
    browser = app.test_client()
    _log_in(browser, "both")
    assert browser.get("/").status_code == 302
    assert browser.get("/customers").status_code == 302
    form = {"email": OWNER, "password": STAFF_PASSWORD, "csrf_token": _token(browser, "/login")}
    assert browser.post("/login", data=form).status_code == 302
    assert browser.get("/customers").status_code == 200
    assert browser.get("/my/").status_code == 200
    mine = browser.get_cookie("tollway-my")
    theirs = browser.get_cookie("tollway-session")
    assert mine is not None and theirs is not None
    for name, value in (("tollway-my", theirs.value), ("tollway-session", mine.value)):
        forger = app.test_client()
        forger.set_cookie(name, value, domain="localhost")
        assert forger.get("/my/").status_code == 302
        assert forger.get("/customers").status_code == 302


def test_forms_need_their_token_and_lead_to_no_other_site(
    browser: FlaskClient, context: Context, taxed: int, isp: Isp, clock: Clock
) -> None:
    house = _house(context, taxed, "careful", clock.now, topped_up=20)
    assert browser.get("/my/bills?before=3").headers["Location"].startswith("/my/login?next=")
    for target, leads in (
        ("https://elsewhere.example/my/", "/my/"),
        ("//elsewhere.example/my/", "/my/"),
        ("/my\\elsewhere.example", "/my/"),
        ("/customers", "/my/"),
        ("/my/usage", "/my/usage"),
    ):
        client = browser.application.test_client()
        form = {
            "username": "careful",
            "password": PASSWORD,
            "csrf_token": _token(client, "/my/login"),
        }
        sent = client.post("/my/login", query_string={"next": target}, data=form)
        assert sent.headers["Location"] == leads, target
    _log_in(browser, "careful")
    for path in (f"/my/buy/{isp.plan_id}", "/my/settings", "/my/password", "/my/logout"):
        assert browser.post(path, data={"key": "x", "total": "5950000"}).status_code == 400
    assert subscribers.show(context, house.subscription_id, clock.now).entitlements == ()
