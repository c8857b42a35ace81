"""Money at the desk, in a real browser on a phone: entered, matched, undone, tried again, asked for
each month (rules P1, P5, M5)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from playwright.sync_api import Page, expect

from billing.model.payments import PaymentState, SavedMethod
from billing.services import books, gateways, payment_calls, payments, prepayments, suspense
from billing.services.context import Context
from billing.services.customers import changing_customer, get_customer
from billing.services.payment_steps import save_method
from rig.provider import Provider
from tests.web.conftest import PHONE, Visitor
from tests.web.isp import Isp
from tests.web.payers import GATEWAYS, UNIT, House, add_gateway, house


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider().serving() as running:
        yield running


@pytest.fixture
def who(context: Context, isp: Isp, began: datetime) -> House:
    return house(context, isp, began)


@pytest.fixture
def phone(at_desk: Visitor, context: Context, began: datetime) -> Iterator[Visitor]:
    at_desk.page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    yield at_desk
    assert [text for text in at_desk.complaints if "422" not in text] == []
    assert books.check_ledger(context, began).findings == ()


def send(page: Page) -> None:
    page.locator(".panel-form .panel-buttons button[type=submit]").click()


def balance(context: Context, who: House) -> int:
    return get_customer(context, who.customer_id).wallets[0].available_micros // UNIT


@pytest.mark.rule("P1")
def test_money_is_entered_matched_and_the_match_undone(
    phone: Visitor, context: Context, who: House
) -> None:
    page = phone.page
    phone.open("/suspense")
    page.get_by_role("link", name="Enter money").click()
    expect(page.locator("#reference")).to_be_visible()
    assert phone.overflow() == 0
    send(page)
    expect(page.locator("#field-reference")).to_contain_text("Must be filled in")
    for _ in range(2):
        page.fill("#amount", "25.00")
        page.fill("#reference", "slip 4711")
        page.fill("#note", "an old man, in cash")
        send(page)
        if phone.page.url.endswith("/suspense"):
            expect(page.get_by_role("status").first).to_contain_text("25.00 USD waits")
            phone.open("/suspense/receive")
    expect(page.locator("#field-reference")).to_contain_text("kept already")
    (one,) = [row for row in suspense.listed(context) if row.reference == "slip 4711"]
    phone.open(f"/suspense/{one.suspense_id}/match")
    page.fill("#customer", str(who.customer_id))
    send(page)
    expect(page.locator(".panel-form")).to_contain_text("25.00 USD")
    send(page)
    expect(page.get_by_role("link", name="Undo")).to_be_visible()
    assert balance(context, who) == 25
    page.get_by_role("link", name="Undo").click()
    expect(page.locator("#reason")).to_be_visible()
    assert phone.overflow() == 0
    page.fill("#reason", "of another man")
    send(page)
    expect(page.locator(".panel-form")).to_contain_text("25.00 USD leaves the wallet")
    assert balance(context, who) == 25
    send(page)
    expect(page.locator("#left")).to_have_text("25.00 USD left")
    assert balance(context, who) == 0 and phone.overflow() == 0
    expect(page.get_by_role("link", name="Undo")).to_have_count(0)


@pytest.mark.rule("M5")
def test_a_failed_payment_is_tried_again_once(
    phone: Visitor, context: Context, who: House, provider: Provider, began: datetime
) -> None:
    gateway_id = gateways.find(context, add_gateway(context, provider, began)).gateway_id
    with changing_customer(context, who.customer_id) as (tx, customer):
        saved = SavedMethod(reference="soft", label="Card …0341")
        method_id = save_method(tx, customer, gateway_id, saved, began)
    made = payments.top_up(
        context, who.customer_id, gateway_id, 10 * UNIT, idempotency_key="web", now=began,
        method_id=method_id,
    )  # fmt: skip
    payment_calls.run_due(context, GATEWAYS, lambda: began)
    assert payments.history(context, made.attempt_id).payment.state is PaymentState.FAILED
    page = phone.open(f"/payments/{made.attempt_id}")
    again = page.get_by_role("button", name="Try again")
    token = page.locator("form:has-text('Try again') input[name=csrf_token]").input_value()
    key = page.locator("form:has-text('Try again') input[name=key]").input_value()
    again.click()
    expect(page.get_by_role("status").first).to_contain_text("Begun anew")
    assert phone.overflow() == 0
    page.request.post(
        f"{phone.base_url}/payments/{made.attempt_id}/retry",
        form={"csrf_token": token, "key": key},
    )
    assert len(payments.listed(context, customer_id=who.customer_id)) == 2


@pytest.mark.rule("P5")
def test_prepayment_invoices_are_set_up_and_stopped(
    phone: Visitor, context: Context, who: House
) -> None:
    page = phone.open(f"/customers/{who.customer_id}/prepay")
    assert phone.overflow() == 0
    page.fill("#amount_micros", "30.00")
    page.fill("#due_days", "99")
    send(page)
    expect(page.locator("#field-due_days")).to_contain_text("0 to 60 days")
    page.fill("#due_days", "10")
    send(page)
    expect(page.locator("#content")).to_contain_text("30.00 USD each month, within 10 days")
    (setting,) = prepayments.settings(context, who.customer_id)
    assert (setting.amount_micros, setting.due_days) == (30 * UNIT, 10)
    phone.open(f"/customers/{who.customer_id}/stop-prepay")
    send(page)
    expect(page.locator("#content")).not_to_contain_text("30.00 USD each month, within 10 days")
    assert prepayments.settings(context, who.customer_id) == []


@pytest.mark.rule("P5")
def test_a_prepayment_invoice_is_paid_at_the_desk_once_and_in_whole(
    phone: Visitor, context: Context, who: House, began: datetime
) -> None:
    before = balance(context, who)
    prepayments.set_up(context, who.customer_id, 30 * UNIT, now=began)
    prepayments.run(context, began)
    (asked,) = [
        one for one in prepayments.invoices_of(context, who.customer_id) if one.state == "open"
    ]
    page = phone.open(f"/customers/{who.customer_id}")
    expect(page.locator("#content")).to_contain_text(f"{asked.number}")
    assert phone.overflow() == 0
    page.get_by_role("link", name="Paid", exact=True).click()
    assert page.locator("#bill").input_value() == f"prepayment-{asked.number}"
    assert phone.overflow() == 0
    page.fill("#amount_micros", "29.00")
    send(page)
    expect(page.locator("#field-amount_micros")).to_contain_text("paid with 30.00 USD")
    page.fill("#amount_micros", "")
    page.check("input[name=channel][value=wallet]")
    send(page)
    expect(page.locator("#field-channel")).to_contain_text("say how the money came")
    page.check("input[name=channel][value=cash]")
    assert balance(context, who) == before
    token = page.locator("input[name=csrf_token]").last.input_value()
    key = page.locator("input[name=key]").input_value()
    send(page)
    expect(page.get_by_role("status").first).to_contain_text("30.00 USD was taken")
    assert balance(context, who) == before + 30
    (paid,) = [
        one for one in prepayments.invoices_of(context, who.customer_id)
        if one.number == asked.number
    ]  # fmt: skip
    assert paid.state == "paid"
    expect(page.get_by_role("link", name="Paid", exact=True)).to_have_count(0)
    page.request.post(
        f"{phone.base_url}/customers/{who.customer_id}/pay",
        form={"csrf_token": token, "key": key, "channel": "cash",
              "bill": f"prepayment-{asked.number}"},
    )  # fmt: skip
    assert balance(context, who) == before + 30
    prepayments.stop(context, who.customer_id, began)
