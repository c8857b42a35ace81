"""A customer with a phone promises to pay, pauses its service and caps what it spends."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from billing.clock import utc_now
from billing.model.commerce import MoneyChannel
from billing.model.promises import PromiseState
from billing.services import (
    bills,
    catalog,
    customers,
    enforcement,
    holds,
    promises,
    sales,
    spending,
    subscribers,
)
from billing.services.context import Context
from tests.web.conftest import Visitor
from tests.web.isp import DAILY, HOME, MONTHLY, WEEK, Isp

SMALL = {"width": 360, "height": 640}
PASSWORD = "river stone 12"
UNIT = 1_000_000
LIMITS = {"promise_count": 1, "promise_amount_micros": 40 * UNIT}
HOURLY = replace(
    WEEK,
    plan_name="By the MiB",
    price_micros=0,
    validity_minutes=None,
    seconds=None,
    octets=None,
    payg_octet_step=2**20,
    payg_octet_step_micros=UNIT,
)


@pytest.fixture(scope="module")
def pausing(context: Context, isp: Isp, began: datetime) -> int:
    plan = replace(HOME, plan_name="Home with pauses", pause_days=30)
    return catalog.add_plan(context, plan, began - timedelta(days=90)).plan_id


@pytest.fixture(scope="module")
def monthly(context: Context, isp: Isp, began: datetime) -> int:
    profile = replace(MONTHLY, name="Monthly with promises", **LIMITS)
    return catalog.add_profile(context, profile, began - timedelta(days=90)).profile_id


@pytest.fixture(scope="module")
def daily(context: Context, isp: Isp, began: datetime) -> int:
    profile = replace(DAILY, name="Daily with promises", **LIMITS)
    return catalog.add_profile(context, profile, began - timedelta(days=90)).profile_id


def _customer(
    context: Context, username: str, profile_id: int, now: datetime, plan_id: int | None = None
) -> tuple[int, int]:
    """Numbers of the customer and its subscription."""
    made = customers.add_customer(context, name=f"Of {username}", profile_id=profile_id, now=now)
    number = customers.add_subscription(
        context,
        customer_id=made.customer_id,
        username=username,
        password=PASSWORD,
        plan_id=plan_id,
        now=now,
    )
    return made.customer_id, number


def _log_in(visitor: Visitor, username: str) -> Page:
    page = visitor.page
    page.set_viewport_size(SMALL)
    visitor.open("/my/login")
    page.fill("#username", username)
    page.fill("#password", PASSWORD)
    page.click("button[type=submit]")
    return page


@pytest.mark.rule("B19")
def test_an_overdue_customer_promises_to_pay(
    visitor: Visitor, context: Context, monthly: int, pausing: int, began: datetime
) -> None:
    ago = began - timedelta(days=60)
    customer_id, number = _customer(context, "overdue.p", monthly, ago, pausing)
    bills.issue_bill(
        context,
        number,
        cycle_from=ago.date(),
        cycle_until=ago.date() + timedelta(days=30),
        amount_micros=30 * UNIT,
        now=ago,
    )
    enforcement.sweep(context, began)
    page = _log_in(visitor, "overdue.p")
    expect(page.locator("#state")).to_contain_text("30.00 USD is open")
    page.get_by_role("link", name="Promise to pay").click()
    expect(page.locator("#offer")).to_contain_text("You can promise once more in 30 days")
    assert visitor.overflow() == 0
    too_late = (began + timedelta(days=9)).date()
    page.fill("#until", too_late.isoformat())
    page.get_by_role("button", name="I promise to pay").click()
    expect(page.locator("#field-until [role=alert]")).to_contain_text("Choose a day from today to")
    page.fill("#until", (began + timedelta(days=2)).date().isoformat())
    page.get_by_role("button", name="I promise to pay").click()
    expect(page.get_by_role("status")).to_contain_text("Thank you: pay by the end of")
    expect(page.locator("#state")).to_contain_text("Your service is on")
    (made,) = promises.of_customer(context, customer_id)
    assert (made.by_customer, made.state) == (True, PromiseState.STANDS)
    visitor.open("/my/promise")
    expect(page.locator("#offer")).to_contain_text("You have promised")
    assert page.get_by_role("button", name="I promise to pay").count() == 0
    assert visitor.overflow() == 0
    visitor.open("/my/bills")
    expect(page.get_by_role("link", name="Promise to pay")).to_be_visible()
    assert visitor.overflow() == 0
    assert [one for one in visitor.complaints if "422" not in one] == []


@pytest.mark.rule("B19", "P8")
def test_a_used_up_wallet_is_lent_what_is_promised(
    visitor: Visitor, context: Context, daily: int, began: datetime
) -> None:
    plan_id = catalog.add_plan(context, HOURLY, began - timedelta(days=1)).plan_id
    customer_id, number = _customer(context, "used.up", daily, began, plan_id)
    page = _log_in(visitor, "used.up")
    expect(page.locator("#state")).to_contain_text("Your wallet is used up")
    page.get_by_role("link", name="Promise to pay").click()
    page.get_by_role("button", name="I promise to pay").click()
    expect(page.locator("#field-credit [role=alert]")).to_contain_text(
        "Say how much you need, up to 40.00 USD"
    )
    page.fill("#credit", "41")
    page.get_by_role("button", name="I promise to pay").click()
    expect(page.locator("#field-credit [role=alert]")).to_contain_text("up to 40.00 USD")
    page.fill("#credit", "5")
    page.get_by_role("button", name="I promise to pay").click()
    expect(page.locator("#state")).to_contain_text("Your service is on")
    assert subscribers.show(context, number, began).row.state.effect == "normal"
    (made,) = promises.of_customer(context, customer_id)
    assert made.credit_micros == 5 * UNIT


@pytest.mark.rule("S3")
def test_a_monthly_customer_pauses_and_is_told_before_what_it_is_good_for(
    visitor: Visitor, context: Context, monthly: int, pausing: int, began: datetime
) -> None:
    _, number = _customer(context, "paused.m", monthly, began - timedelta(days=2), pausing)
    page = _log_in(visitor, "paused.m")
    visitor.open("/my/settings")
    assert visitor.overflow() == 0
    page.get_by_role("link", name="Pause my service").click()
    expect(page.locator("#good-for")).to_contain_text("not charged for whole days of the pause")
    expect(page.locator("#good-for")).to_contain_text("for 30 days (your plan has 30 a year)")
    assert visitor.overflow() == 0
    page.get_by_role("button", name="Pause it now").click()
    expect(page.get_by_role("status")).to_contain_text("Your service is paused")
    expect(page.locator("#paused")).to_contain_text("No whole day was paused")
    assert subscribers.show(context, number, utc_now()).row.state.rule == "S3"
    visitor.open("/my/")
    expect(page.locator("#state")).to_contain_text("It is paused")
    page.get_by_role("link", name="End the pause").click()
    page.get_by_role("button", name="End the pause").click()
    expect(page.get_by_role("status")).to_contain_text("The pause has ended")
    expect(page.locator("#state")).to_contain_text("Your service is on")
    assert visitor.complaints == []


@pytest.mark.rule("S3", "S2")
def test_a_customer_without_pauses_is_told_so_and_lifts_no_suspension(
    visitor: Visitor, context: Context, monthly: int, isp: Isp, began: datetime
) -> None:
    home = catalog.find_plan(context, "Home 50", began).plan_id
    _, number = _customer(context, "no.pause", monthly, began, home)
    page = _log_in(visitor, "no.pause")
    visitor.open("/my/pause")
    expect(page.locator("#refused")).to_have_text("Your plan has no pause: ask your provider")
    assert page.get_by_role("button", name="Pause it now").count() == 0
    holds.pause(context, number, began)
    holds.suspend(context, number, note="abuse", now=began)
    visitor.open("/my/pause")
    page.get_by_role("button", name="End the pause").click()
    expect(page.get_by_role("status")).to_contain_text("The pause has ended")
    assert subscribers.show(context, number, began).row.state.rule == "S2"


@pytest.mark.rule("P14")
def test_a_customer_caps_what_it_spends_and_lifts_it(
    visitor: Visitor, context: Context, daily: int, isp: Isp, began: datetime
) -> None:
    customer_id, number = _customer(context, "capped.c", daily, began)
    sales.topup(
        context,
        customer_id,
        50 * UNIT,
        channel=MoneyChannel.CASH,
        idempotency_key="capped.c",
        now=began,
    )
    page = _log_in(visitor, "capped.c")
    visitor.open("/my/settings")
    page.get_by_role("link", name="Spending cap").click()
    page.fill("#cap_micros", "much")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#field-cap_micros [role=alert]")).to_be_visible()
    page.fill("#cap_micros", "0")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#field-cap_micros [role=alert]")).to_contain_text("more than zero")
    page.fill("#cap_micros", "7")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#spent")).to_contain_text("0.00 USD of 7.00 USD")
    assert visitor.overflow() == 0
    sales.sell(context, number, isp.plan_id, idempotency_key="capped.c buys", now=began)
    visitor.open("/my/cap")
    expect(page.locator("#spent")).to_contain_text("5.00 USD of 7.00 USD")
    page.get_by_role("button", name="Lift it").click()
    expect(page.locator("#spent")).to_contain_text("Lifted")
    assert spending.watches(context, customer_id, began)[0].cap_lifted
    page.fill("#cap_micros", "")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("There is no cap any more")
    assert spending.watches(context, customer_id, began)[0].cap_micros is None
