"""A customer with a phone ends a session elsewhere, sets alerts, and is recharged as it uses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from billing.model.enforcement import BY_SUBSCRIBER, Goal
from billing.model.messages import MessageKind
from billing.model.payments import PaymentPurpose, PaymentState
from billing.services import coa, customers, payments, spending
from billing.services.context import Context
from rig.nas import SimulatedNas
from rig.provider import Provider
from tests.factories import PASSWORD, Factory
from tests.integration.talker import BY_THE_MIB, Talker
from tests.integration.till import Till
from tests.web.conftest import PHONE, Visitor

MINUTE = timedelta(minutes=1)


@pytest.fixture
def router(make: Factory, began: datetime) -> Iterator[SimulatedNas]:
    with make.simulated_nas(began) as simulated:
        yield simulated


@pytest.fixture
def ada(
    visitor: Visitor, context: Context, make: Factory, router: SimulatedNas, began: datetime
) -> Iterator[Talker]:
    """Pays 1.00 a MiB, 10.00 in the wallet; a session of another device runs, and she is logged
    in with her phone, whose browser complains of nothing."""
    talker = Talker(context, make, make.subscriber(began, plan=BY_THE_MIB), router)
    talker.top_up(10, began)
    talker.start(began)
    page = visitor.page
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    visitor.open("/my/login")
    page.fill("#username", talker.who.username)
    page.fill("#password", PASSWORD)
    page.click("button[type=submit]")
    expect(page.locator("#balance")).to_have_text("10.00 USD")
    yield talker
    assert [text for text in visitor.complaints if "422" not in text] == []


def to(visitor: Visitor, path: str) -> Page:
    """Nothing there is wider than the phone."""
    page = visitor.open(path)
    assert visitor.overflow() == 0, path
    return page


@pytest.mark.rule("C1")
def test_the_session_of_another_device_is_ended(
    visitor: Visitor, ada: Talker, began: datetime
) -> None:
    page = to(visitor, "/my/usage")
    session = page.locator(".my-session")
    expect(session).to_have_count(1)
    expect(session).to_contain_text("online")
    session.get_by_role("button", name="End").click()
    expect(page.get_by_role("status")).to_have_text("The device is being disconnected.")
    assert visitor.overflow() == 0
    assert ada.orders() == [(Goal.DISCONNECT, BY_SUBSCRIBER)]
    session.get_by_role("button", name="End").click()
    expect(page.get_by_role("status")).to_have_text("That was asked for already.")
    (order,) = coa.list_orders(ada.context, subscription_id=ada.who.subscription_id)
    assert order.goal is Goal.DISCONNECT
    # The router obeys: a Stop comes, which the page shows.
    ada.stop(began + MINUTE)
    page = to(visitor, "/my/usage")
    expect(session).to_have_count(1)
    expect(session).not_to_contain_text("online")
    expect(session.get_by_role("button", name="End")).to_have_count(0)


@pytest.mark.rule("P6")
def test_alerts_are_set(visitor: Visitor, ada: Talker, began: datetime) -> None:
    page = to(visitor, "/my/settings")
    page.fill("#balance_percent", "200")
    page.fill("#usage_percents", "80 100")
    page.fill("#addresses", "ada@net.example")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#field-balance_percent .panel-error")).to_contain_text("1 to 99")
    assert visitor.overflow() == 0
    assert customers.get_customer(ada.context, ada.who.customer_id).alert_addresses == ()
    page.fill("#balance_percent", "50")
    page.fill("#addresses", "ada@net.example\nbob@net.example")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    expect(page.locator("#balance_percent")).to_have_value("50")
    expect(page.locator("#usage_percents")).to_have_value("80 100")
    expect(page.locator("#addresses")).to_have_value("ada@net.example\nbob@net.example")
    assert visitor.overflow() == 0
    (watch,) = spending.watches(ada.context, ada.who.customer_id, began)
    assert (watch.alert_percent, watch.usage_alert_percents) == (50, (80, 100))
    # They are what is watched: at less than half of the last top-up both are told.
    ada.use(6, began + MINUTE)
    told = [one for one in ada.log() if one.kind == MessageKind.LOW_BALANCE]
    assert sorted(address for one in told for address in one.addresses) == [
        "ada@net.example",
        "bob@net.example",
    ]
    expect(to(visitor, "/my/").locator("#balance")).to_have_text("4.00 USD")


@pytest.mark.rule("P5", "P7")
def test_a_wallet_that_is_used_up_is_recharged_and_shows_it(
    visitor: Visitor, context: Context, make: Factory, ada: Talker, began: datetime
) -> None:
    with Provider().serving() as provider:
        till = Till(context, make, provider, began)
        till.method(ada.who)
        page = to(visitor, "/my/recharge")
        page.fill("#threshold", "5")
        page.fill("#amount", "20")
        page.get_by_role("button", name="Turn it on").click()
        expect(page.locator("#setting")).to_contain_text("20.00 USD from card ok when 5.00 USD")
        ada.use(4, began + MINUTE)
        till.work(2 * MINUTE)
        expect(to(visitor, "/my/").locator("#balance")).to_have_text("6.00 USD")
        ada.use(1, began + 3 * MINUTE)
        expect(to(visitor, "/my/").locator("#balance")).to_have_text("5.00 USD")
        expect(to(visitor, "/my/recharge").locator("#setting")).to_contain_text("on its way")
        till.work(2 * MINUTE)
        assert provider.taken_minor() == 2000
    expect(to(visitor, "/my/").locator("#balance")).to_have_text("25.00 USD")
    expect(page.locator("#state")).to_contain_text("Your service is on")
    listed = to(visitor, "/my/payments").locator("#payments li")
    expect(listed).to_have_count(1)
    expect(listed).to_contain_text("20.00 USD")
    (one,) = payments.listed(context, customer_id=ada.who.customer_id)
    assert (one.purpose, one.state) == (PaymentPurpose.RECHARGE, PaymentState.SUCCEEDED)
