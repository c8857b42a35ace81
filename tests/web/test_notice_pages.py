"""What a customer was told, on its page; what needs somebody, on the page Billing."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from playwright.sync_api import expect

from billing.model.messages import (
    Handed,
    MessageChannel,
    MessageDraft,
    MessageKind,
    Outcome,
)
from billing.services import contacts, customers, mailing, messages
from billing.services.context import Context
from billing.store import billing_jobs
from billing.store import messages as store
from billing.store.customers import customer_of
from tests.web.conftest import PHONE, Visitor
from tests.web.isp import Isp


@pytest.fixture
def customer_id(context: Context, isp: Isp) -> int:
    """A customer without any address."""
    with context.transaction() as tx:
        found = customer_of(tx, isp.overdue_id)
    assert found is not None
    return found


def _tell(context: Context, customer_id: int, percent: int, at: datetime) -> None:
    draft = MessageDraft(
        customer_id=customer_id,
        kind=MessageKind.ALLOWANCE_USED,
        idempotency_key=f"allowance:{percent}",
        facts={
            "username": "greta",
            "package": "Home <5>",
            "percent": percent,
            "recharge_url": None,
        },
    )
    with context.transaction() as tx:
        store.queue(tx, [draft], at)


@pytest.mark.rule("P6")
def test_what_was_told_is_shown_with_and_without_an_address(
    at_desk: Visitor, context: Context, customer_id: int, began: datetime
) -> None:
    later = began + timedelta(days=300)  # Newer than all else.
    messages.set_alerts(context, customer_id, began, addresses=[])
    before = customers.get_customer(context, customer_id)
    contacts.change(context, customer_id, began, name=before.name, email=None, phone=before.phone)
    _tell(context, customer_id, 80, later)
    page = at_desk.open(f"/customers/{customer_id}")
    page.locator("#notices").get_by_role("link", name="Text messages").click()
    page.fill("#numbers", "600123456")
    page.get_by_role("button", name="Text messages").click()
    expect(page.locator("#field-numbers")).to_contain_text("write it like +34600123456")
    page.fill("#numbers", "+34600123456")
    page.get_by_role("button", name="Text messages").click()
    expect(page.get_by_role("status").first).to_contain_text("numbers were saved")
    messages.set_alerts(context, customer_id, began, addresses=["g@net.example"])
    _tell(context, customer_id, 100, later + timedelta(days=1))
    page = at_desk.open(f"/customers/{customer_id}")
    rows = page.locator("#notices tbody tr")
    expect(rows.nth(0)).to_contain_text("100 % of Home <5> is used (greta).")
    expect(rows.nth(0)).to_contain_text("g@net.example: waits")
    expect(rows.nth(0)).to_contain_text("+34600123456: waits")
    expect(rows.nth(1)).to_contain_text("80 % of Home <5> is used (greta).")
    expect(rows.nth(1)).to_contain_text("nobody: there was no address")
    page.set_viewport_size(PHONE)
    assert at_desk.overflow() == 0
    messages.set_alerts(context, customer_id, began, addresses=[], numbers=[])
    contacts.change(
        context, customer_id, began, name=before.name, email=before.email, phone=before.phone
    )


def test_what_needs_somebody_is_counted_with_links(
    at_desk: Visitor, context: Context, customer_id: int, began: datetime
) -> None:
    with context.transaction() as tx:
        # One customer, whatever the number of jobs.
        billing_jobs.park(tx, "bill_run", customer_id, "no price", began)
        billing_jobs.park(tx, "dunning", customer_id, "no price", began)
    messages.set_alerts(context, customer_id, began, numbers=["+34600123456"])
    _tell(context, customer_id, 90, began)
    way = MessageChannel.WEBHOOK
    for taken in mailing.take(context, way, "", began):
        mailing.settle(context, taken, Handed(Outcome.NEVER, "404 no such number"), began)
    page = at_desk.open("/billing")
    needed = page.locator("#attention")
    expect(needed).to_contain_text("1 customer parked by a job")
    needed.get_by_role("link", name="of the last week given up").click()
    expect(page.locator("#log")).to_contain_text("404 no such number")
    page.goto(f"{at_desk.base_url}/billing")
    page.set_viewport_size(PHONE)
    assert at_desk.overflow() == 0
    assert at_desk.complaints == []
    with context.transaction() as tx:
        billing_jobs.unpark_all(tx, "bill_run")
        billing_jobs.unpark_all(tx, "dunning")
    messages.set_alerts(context, customer_id, began, numbers=[])
