"""A large amount on a phone: the form asks who it is, keeps what was filled in, and is carried out
once (security.md 16)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date, datetime

import pytest
from passlib.totp import TOTP
from playwright.sync_api import Page, expect
from sqlalchemy import select, update

from billing.model.staff import StaffRole
from billing.services import bills, confirmations, staff
from billing.services.context import Context
from billing.services.customers import get_customer
from billing.store import tables
from tests.factories import MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.web.conftest import PHONE, Visitor
from tests.web.people import PASSWORD

UNIT = 1_000_000
SENT_FIVE_TIMES = """async () => {
    const body = () => new URLSearchParams(new FormData(document.querySelector("#content form")));
    const sent = () => fetch(location.href, {method: "POST", body: body()});
    return (await Promise.all([1, 2, 3, 4, 5].map(sent))).map((answer) => answer.status);
}"""


@pytest.fixture
def limit(context: Context, began: datetime) -> Iterator[None]:
    """More than 20.00 has to be confirmed."""
    confirmations.set_limit(context, 1, 20 * UNIT, began)
    yield
    confirmations.set_limit(context, 1, None, began)


@pytest.fixture
def who(make: Factory, began: datetime) -> Subscriber:
    return make.subscriber(began, profile=MONTHLY, plan=MONTH_PLAN)


@pytest.fixture
def phone(at_desk: Visitor, context: Context) -> Visitor:
    """The owner's, who has no second factor and has proved nothing yet."""
    at_desk.page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    with context.transaction() as tx:
        tx.execute(update(tables.StaffSession).values(proved_at=None))
    return at_desk


def send(page: Page) -> None:
    page.locator(".panel-form .panel-buttons button[type=submit]").click()


def cents(context: Context, who: Subscriber) -> int:
    return get_customer(context, who.customer_id).wallets[0].available_micros // 10_000


def confirmed(context: Context) -> list[str]:
    """Who confirmed, oldest first."""
    with context.transaction() as tx:
        return list(
            tx.scalars(
                select(tables.AuditLog.actor)
                .where(tables.AuditLog.action == "money.confirmed")
                .order_by(tables.AuditLog.audit_id)
            )
        )


def credited(context: Context, invoice_id: int) -> int:
    """In micros."""
    with context.transaction() as tx:
        table = tables.Invoice
        found = tx.scalar(select(table.credited_micros).where(table.invoice_id == invoice_id))
    return found or 0


def code(key: str, steps_ahead: int = 0) -> str:
    """What an authenticator app shows now, or one step on (its clock may run ahead)."""
    return str(TOTP(key=key).generate(time.time() + 30 * steps_ahead).token)


@pytest.mark.usefixtures("limit")
def test_a_top_up_above_the_limit_takes_the_password_and_a_new_code(
    visitor: Visitor, context: Context, who: Subscriber, began: datetime
) -> None:
    page = visitor.page
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    token = staff.enrol(context, "till@isp.example", [StaffRole.BILLING], began)
    visitor.open(f"/enrol/{token}")
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    page.click("button[type=submit]")
    page.click("text=Show the QR code")
    key = (page.locator("#totp-key").text_content() or "").replace("-", "").strip()
    used = code(key)
    page.fill("#code", used)
    page.keyboard.press("Enter")
    page.wait_for_selector("#rows")
    visitor.open(f"/customers/{who.customer_id}/pay")
    page.fill("#amount_micros", "20.01")
    page.fill("#reference", "slip 17")
    page.get_by_label("Bank transfer").check()
    send(page)
    expect(page.get_by_role("alert").first).to_contain_text(
        "20.01 USD is more than 20.00 USD: enter your password again"
    )
    assert visitor.overflow() <= 0
    for password, digits, place, words in (
        ("not the password", used, "password", "Wrong password"),
        (PASSWORD, "", "code", "Must be filled in"),
        (PASSWORD, used, "code", "Wrong code"),
    ):
        page.fill("#proof_password", password)
        page.fill("#proof_code", digits)
        send(page)
        expect(page.locator(f"#field-proof_{place} .panel-error")).to_contain_text(words)
        expect(page.locator("#proof_password")).to_have_value("")
        assert (cents(context, who), confirmed(context)) == (0, [])
    assert visitor.overflow() <= 0
    expect(page.locator("#amount_micros")).to_have_value("20.01")
    expect(page.locator("#reference")).to_have_value("slip 17")
    expect(page.get_by_label("Bank transfer")).to_be_checked()
    page.fill("#proof_password", PASSWORD)
    page.fill("#proof_code", code(key, steps_ahead=1))
    send(page)
    expect(page.get_by_role("status").first).to_contain_text("20.01 USD was taken")
    assert (cents(context, who), confirmed(context)) == (2001, ["till@isp.example"])
    # It holds for five minutes.
    visitor.open(f"/customers/{who.customer_id}/pay")
    page.fill("#amount_micros", "30.00")
    send(page)
    expect(page.get_by_role("status").first).to_contain_text("30.00 USD was taken")
    assert (cents(context, who), len(confirmed(context))) == (5001, 2)
    assert [text for text in visitor.complaints if "422" not in text] == []


@pytest.mark.usefixtures("limit")
def test_sent_five_times_at_once_it_is_taken_once(
    phone: Visitor, context: Context, who: Subscriber
) -> None:
    before = len(confirmed(context))
    page = phone.open(f"/customers/{who.customer_id}/pay")
    page.fill("#amount_micros", "20.00")
    send(page)
    expect(page.get_by_role("status").first).to_contain_text("20.00 USD was taken")
    page = phone.open(f"/customers/{who.customer_id}/pay")
    page.fill("#amount_micros", "25.00")
    send(page)
    expect(page.locator("#proof_code")).to_have_count(0)
    page.fill("#proof_password", PASSWORD)
    assert set(page.evaluate(SENT_FIVE_TIMES)) == {200}
    assert (cents(context, who), len(confirmed(context))) == (4500, before + 1)


@pytest.mark.usefixtures("limit")
def test_what_is_shown_first_is_confirmed_by_the_same_form(
    phone: Visitor, context: Context, who: Subscriber, began: datetime
) -> None:
    bill = bills.issue_bill(
        context,
        who.subscription_id,
        cycle_from=date(2026, 3, 1),
        cycle_until=date(2026, 4, 1),
        amount_micros=25 * UNIT,
        now=began,
    )
    page = phone.open(f"/customers/{who.customer_id}/credit?bill={bill.number}")
    page.fill("#reason", "never connected")
    send(page)
    expect(page.locator("#proof")).to_be_visible()
    expect(page.locator("#quote")).to_have_count(0)
    page.fill("#proof_password", PASSWORD)
    send(page)
    expect(page.locator("#quote")).to_contain_text("is owed no more")
    expect(page.locator("#proof")).to_have_count(0)
    assert credited(context, bill.invoice_id) == 0
    send(page)
    expect(page.get_by_role("status").first).to_contain_text("is credited")
    assert credited(context, bill.invoice_id) == bill.total_micros
