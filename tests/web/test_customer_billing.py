"""Billing from the customer's page in a real browser: plans, pauses, bills, limits, papers."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from billing.model.commerce import MoneyChannel
from billing.model.plan_changes import ChangeState
from billing.services import (
    books,
    catalog,
    customer_record,
    customers,
    pauses,
    plan_changes,
    receipts,
    sales,
    spending,
    subscribers,
    write_offs,
)
from billing.services.context import Context
from tests.documents.paper import text_of
from tests.web.conftest import PHONE, Visitor
from tests.web.isp import HOME, MONTHLY, Isp


def _send(page: Page) -> None:
    page.locator(".panel-buttons button").click()


@pytest.fixture(scope="module")
def billed_id(context: Context, isp: Isp, began: datetime) -> int:
    """A subscription on Home 50, billed by itself."""
    profile = replace(MONTHLY, name="Homes billed", automatic_bill=True)
    profile_id = catalog.add_profile(context, profile, began).profile_id
    faster = replace(HOME, plan_name="Home 100", price_micros=60_000_000, pause_days=30)
    catalog.add_plan(context, faster, began)
    customer = customers.add_customer(
        context, name="Petra Sand", profile_id=profile_id, now=began, email="petra@mail.example"
    )
    return customers.add_subscription(
        context,
        customer_id=customer.customer_id,
        username="petra",
        password="long enough 7",
        plan_id=catalog.find_plan(context, "Home 50", began).plan_id,
        now=began,
    )


def _customer(context: Context, subscription_id: int) -> int:
    return customers.customer_of(context, subscription_id)


@pytest.mark.rule("B17")
def test_a_plan_is_changed_after_its_quote_was_shown_and_a_change_that_waits_is_dropped(
    at_desk: Visitor, context: Context, billed_id: int, began: datetime
) -> None:
    customer_id = _customer(context, billed_id)
    page = at_desk.open(f"/customers/{customer_id}")
    page.get_by_role("link", name="change the plan").click()
    page.select_option("#plan", label="Home 50: 30.00 USD for 1 month")
    _send(page)
    expect(page.locator("#field-plan")).to_contain_text("on Home 50 already")
    page.select_option("#plan", label="Home 100: 60.00 USD for 1 month")
    _send(page)
    quote = page.locator("#quote")
    expect(quote).to_contain_text("petra goes from Home 50 to Home 100, now")
    expect(quote).to_contain_text("difference of")
    assert plan_changes.changes_of(context, billed_id) == []
    _send(page)
    expect(page.locator("#subscriptions")).to_contain_text("Home 100")
    (change,) = plan_changes.changes_of(context, billed_id)
    assert (change.to_plan, change.state) == ("Home 100", ChangeState.DONE)

    page.get_by_role("link", name="change the plan").click()
    page.select_option("#plan", label="Home 50: 30.00 USD for 1 month")
    _send(page)
    expect(quote).to_contain_text("Home 50 begins on")
    _send(page)
    expect(page.locator("#subscriptions")).to_contain_text("Home 50, 30.00 USD, from")
    page.get_by_role("link", name="keep the plan").click()
    _send(page)
    expect(page.locator("#subscriptions")).not_to_contain_text("Home 50, 30.00 USD, from")
    assert plan_changes.changes_of(context, billed_id)[0].state is ChangeState.REVOKED
    assert books.check_ledger(context, began).findings == ()
    assert all("422" in text for text in at_desk.complaints)


@pytest.mark.rule("S3")
def test_service_is_paused_and_resumed(
    at_desk: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    customer_id = _customer(context, isp.running_id)
    page = at_desk.open(f"/customers/{customer_id}")
    page.get_by_role("link", name="pause", exact=True).click()
    _send(page)
    card = page.locator("#subscriptions")
    expect(card).to_contain_text("Paused since")
    assert subscribers.show(context, isp.running_id, began).paused_at is not None
    page.get_by_role("link", name="end the pause").click()
    _send(page)
    expect(page.get_by_role("status").first).to_contain_text("Resumed")
    expect(card).to_contain_text("Active")
    assert len(pauses.pauses_of(context, isp.running_id)) == 1
    page = at_desk.open(f"/customers/{customer_id}/resume?subscription={isp.running_id}")
    _send(page)
    expect(page.locator("main")).to_contain_text("either suspended by staff nor paused")


@pytest.mark.rule("I5")
def test_what_was_done_about_a_bill_is_told_and_it_is_written_off_after_a_confirmation(
    at_desk: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    customer_id = isp.customer_id
    (line,) = customer_record.open_bills(context, customer_id, began)
    number = line.bill.number
    page = at_desk.open(f"/customers/{customer_id}")
    page.locator("#bills").get_by_role("link", name="dunning").click()
    expect(page.locator("h1")).to_contain_text(number)
    expect(page.locator("main")).to_contain_text("no dunning schedule")
    page.get_by_role("link", name="Write off a bill").click()
    expect(page.locator("#bill")).to_have_value(number)
    _send(page)
    expect(page.locator("#field-reason")).to_contain_text("Must be filled in")
    page.fill("#reason", "moved abroad")
    _send(page)
    expect(page.locator("#quote")).to_contain_text(f"30.00 USD of {number} is given up")
    assert write_offs.of_customer(context, customer_id) == []
    _send(page)
    expect(page.locator("#write_offs tbody tr")).to_have_count(1)
    expect(page.locator("#write_offs")).to_contain_text("moved abroad")
    expect(page.locator("#bills")).to_contain_text("30.00 USD written off")
    (view,) = write_offs.of_customer(context, customer_id)
    assert (view.number, view.amount_micros, view.reason) == (number, 30_000_000, "moved abroad")
    page.locator("#bills").get_by_role("link", name="dunning").click()
    expect(page.locator("main")).to_contain_text("it was written off")
    page = at_desk.open(f"/customers/{customer_id}")
    page.locator("#write_offs").get_by_role("link", name="take a payment").click()
    expect(page.locator("#bill")).to_have_value(number)
    page.fill("#amount_micros", "12.00")
    _send(page)
    recovered = page.get_by_role("status").filter(has_text="12.00 USD had been written off")
    expect(recovered).to_contain_text("is recovered")
    expect(page.locator("#write_offs")).to_contain_text("12.00 USD came in after all")
    get = page.request.get
    base = at_desk.base_url
    assert get(f"{base}/customers/{customer_id + 1}/dunning/{number}").status == 404
    assert books.check_ledger(context, began).findings == ()


@pytest.mark.rule("I6", "M3")
def test_receipts_and_a_statement_are_downloaded(
    at_desk: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    customer_id = _customer(context, isp.running_id)
    page = at_desk.open(f"/customers/{customer_id}")
    row = page.locator("#receipts tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("Week 20 GB")
    (receipt,) = receipts.of_customer(context, customer_id)
    number = receipt.number
    expect(row).to_contain_text(number)
    for link in ("PDF", "receipt"):
        address = row.get_by_role("link", name=link).get_attribute("href")
        answer = page.request.get(f"{at_desk.base_url}{address}")
        assert answer.headers["content-type"] == "application/pdf"
        assert number in text_of(answer.body()) and "5.00" in text_of(answer.body())
    get = page.request.get
    other = f"{at_desk.base_url}/customers/{customer_id + 1}/receipts/{number}.pdf"
    assert get(other).status == 404

    page.get_by_role("link", name="Statement of account").click()
    last_month = (began.replace(day=1) - timedelta(days=1)).date()
    expect(page.locator("#to")).to_have_value(last_month.isoformat())
    page.fill("#from", began.date().isoformat())
    _send(page)
    expect(page.locator("#field-to")).to_contain_text("not lie before the first day")
    first_day, last_day = (began - timedelta(days=60)).date(), began.date()
    address = f"{at_desk.base_url}/customers/{customer_id}/statement?from={first_day}&to={last_day}"
    answer = get(address)
    assert answer.status == 200 and answer.headers["content-type"] == "application/pdf"
    assert f"statement-{customer_id}-" in answer.headers["content-disposition"]
    text = text_of(answer.body())
    assert "Amina Diallo" in text and "5.00" in text


def test_the_wish_for_monthly_statements_is_kept(
    at_desk: Visitor, context: Context, isp: Isp
) -> None:
    customer_id = _customer(context, isp.running_id)
    page = at_desk.open(f"/customers/{customer_id}")
    expect(page.locator("#receipts")).to_contain_text("as the profile says")
    for value, wanted in (("on", True), ("off", False), ("profile", None)):
        page.get_by_role("link", name="Monthly statements").click()
        page.check(f"input[name=wanted][value={value}]")
        _send(page)
        expect(page.get_by_role("status").first).to_contain_text("saved")
        assert customers.get_customer(context, customer_id).monthly_statement is wanted


@pytest.mark.rule("P6", "P14")
def test_alerts_and_a_cap_are_set_and_the_cap_is_lifted(
    at_desk: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    customer_id = _customer(context, isp.expired_id)
    page = at_desk.open(f"/customers/{customer_id}")
    wallet = page.locator("#wallet")
    wallet.get_by_role("link", name="Alerts").click()
    page.fill("#balance_percent", "100")
    page.fill("#usage_percents", "80 many")
    _send(page)
    expect(page.locator("#field-usage_percents")).to_contain_text("Not a whole number: many")
    page.fill("#usage_percents", "80, 100")
    _send(page)
    expect(page.locator("#field-balance_percent")).to_contain_text("1 to 99")
    page.fill("#balance_percent", "20")
    _send(page)
    expect(wallet).to_contain_text("less than 20 % is left")
    expect(wallet).to_contain_text("Told when 80 %, 100 % of a package is used")
    wallet.get_by_role("link", name="Spending cap").click()
    expect(page.locator("#lift")).to_have_count(0)
    page.fill("#cap_micros", "0")
    _send(page)
    expect(page.locator("#field-cap_micros .panel-error")).to_be_visible()
    page.fill("#cap_micros", "50")
    _send(page)
    expect(wallet).to_contain_text("of 50.00 USD spent this month")
    expect(wallet).to_contain_text("left until")
    wallet.get_by_role("link", name="Spending cap").click()
    page.check("#lift")
    _send(page)
    expect(wallet).to_contain_text("lifted until")
    wallet.get_by_role("link", name="Spending cap").click()
    page.fill("#cap_micros", "")
    _send(page)
    expect(wallet).not_to_contain_text("spent this month")
    (watch,) = spending.watches(context, customer_id, began)
    assert (watch.alert_percent, watch.usage_alert_percents) == (20, (80, 100))
    assert watch.cap_micros is None


@pytest.mark.rule("B7", "I5")
def test_a_customer_is_billed_now_and_a_charge_is_waived(
    at_desk: Visitor, context: Context, billed_id: int, began: datetime
) -> None:
    customer_id = _customer(context, billed_id)
    page = at_desk.open(f"/customers/{customer_id}")
    page.get_by_role("link", name="Bill now").click()
    _send(page)
    expect(page.locator("#quote")).to_contain_text("Nothing is due")
    page.fill("#until", began.date().replace(year=began.year + 2).isoformat())
    _send(page)
    expect(page.locator("#field-until")).to_contain_text("At most 400 days")
    line = customer_record.bills(context, customer_id, began).lines[0]
    assert line.bill.cycle_until is not None
    before = len(customer_record.bills(context, customer_id, began).lines)
    following = (line.bill.cycle_until.replace(day=1) + timedelta(days=32)).replace(day=10)
    page.fill("#until", following.isoformat())
    _send(page)
    expect(page.locator("#quote")).to_contain_text("USD is issued, payable until")
    assert len(customer_record.bills(context, customer_id, began).lines) == before
    _send(page)
    expect(page.locator("#bills tbody tr")).to_have_count(before + 1)

    page.get_by_role("link", name="Add a charge").click()
    page.fill("#text", "Installation")
    page.fill("#price_micros", "-40")
    _send(page)
    expect(page.locator("#field-price_micros")).to_contain_text("more than zero")
    page.fill("#price_micros", "40")
    page.fill("#tax_rate_ppm", "101")
    _send(page)
    expect(page.locator("#field-tax_rate_ppm")).to_contain_text("0 % to 100 %")
    page.fill("#tax_rate_ppm", "7.5")
    page.check("input[name=kind][value=one_off]")
    _send(page)
    expect(page.locator("#extras")).to_contain_text("40.00 USD once, tax 7.5 %")
    page.get_by_role("link", name="Waive Installation").click()
    _send(page)
    expect(page.get_by_role("status").first).to_contain_text("Installation is waived")
    expect(page.locator("#extras")).to_contain_text("waived")
    expect(page.get_by_role("link", name="Waive Installation")).to_have_count(0)


@pytest.mark.rule("P10")
def test_renewal_by_itself_says_what_it_buys_next(
    at_desk: Visitor, context: Context, isp: Isp, billed_id: int, began: datetime
) -> None:
    customer_id = _customer(context, isp.running_id)
    page = at_desk.open(f"/customers/{customer_id}")
    page.get_by_role("link", name="renewal on").click()
    page.check("#on")
    _send(page)
    expect(page.locator("#quote")).to_contain_text("amina renews by itself")
    expect(page.locator("#quote")).to_contain_text("Next: Week 20 GB again for 5.00 USD")
    assert not subscribers.show(context, isp.running_id, began).renews
    _send(page)
    expect(page.locator("#subscriptions")).to_contain_text("Next: Week 20 GB again for 5.00 USD")
    page.get_by_role("link", name="renewal off").click()
    expect(page.locator("#on")).to_be_checked()
    page.uncheck("#on")
    _send(page)
    _send(page)
    expect(page.locator("#subscriptions")).not_to_contain_text("Next:")
    monthly = _customer(context, billed_id)
    page = at_desk.open(f"/customers/{monthly}/renewal")
    page.check("#on")
    _send(page)
    expect(page.locator("#field-subscription")).to_contain_text("rule P10")


def test_a_second_subscription_and_a_new_password(
    at_desk: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    customer_id = _customer(context, isp.expired_id)
    page = at_desk.open(f"/customers/{customer_id}")
    page.get_by_role("link", name="Add a subscription").click()
    password = page.locator("#password").input_value()
    assert len(password) == 12
    page.fill("#username", "farid")
    _send(page)
    expect(page.locator("#field-username")).to_contain_text("taken")
    page.fill("#username", "farid-attic")
    page.check("#own_wallet")
    _send(page)
    expect(page.locator("#quote")).to_contain_text("farid-attic is added")
    expect(page.locator("#password")).to_have_value(password)
    _send(page)
    rows = page.locator("#subscriptions tbody tr")
    expect(rows).to_have_count(2)
    expect(page.locator("#wallet")).to_contain_text("The customer's own")
    view = customers.get_customer(context, customer_id)
    assert len(view.wallets) == 2
    rows.filter(has_text="farid-attic").get_by_role("link", name="new password").click()
    expect(page.locator("#subscription option:checked")).to_have_text("farid-attic")
    page.fill("#password", "")
    _send(page)
    expect(page.locator("#field-password")).to_contain_text("Must be filled in")
    page.fill("#password", "an other one 8")
    _send(page)
    expect(page.get_by_role("status").first).to_contain_text("replaced")
    expect(page.locator("main")).not_to_contain_text("an other one 8")


def test_on_a_phone_nothing_is_wider_than_the_window(
    at_desk: Visitor, context: Context, isp: Isp, billed_id: int
) -> None:
    customer_id = _customer(context, billed_id)
    sales.topup(
        context,
        customer_id,
        1_000_000,
        channel=MoneyChannel.CASH,
        idempotency_key="phone",
        now=datetime.now().astimezone(),
    )
    at_desk.page.set_viewport_size(PHONE)
    number = customer_record.bills(context, customer_id, datetime.now().astimezone()).lines[0]
    for path in (
        f"/customers/{customer_id}",
        f"/customers/{customer_id}/bills",
        f"/customers/{customer_id}/dunning/{number.bill.number}",
        f"/customers/{customer_id}/statement",
        f"/customers/{customer_id}/plan",
        f"/customers/{customer_id}/alerts",
        f"/customers/{customer_id}/write-off",
        f"/profiles/{isp.profile_id}",
        f"/plans/{isp.plan_id}",
        f"/plans/{isp.plan_id}/price",
        "/billing",
        "/revenue",
    ):
        at_desk.open(path)
        assert at_desk.overflow() == 0, path
    assert at_desk.complaints == []
