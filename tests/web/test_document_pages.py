"""Bills in the panel: listed, and downloaded as PDF."""

from __future__ import annotations

from datetime import datetime

import pytest
from playwright.sync_api import expect

from billing.services import credits, subscribers
from billing.services.context import Context
from tests.documents.paper import text_of
from tests.web.conftest import Visitor
from tests.web.isp import Isp


@pytest.mark.rule("I3", "I6")
def test_a_bill_is_found_from_its_subscriber_and_downloaded(
    at_desk: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    view = subscribers.show(context, isp.overdue_id, began)
    (bill,) = view.unpaid_bills
    page = at_desk.open(f"/subscribers/{isp.overdue_id}")
    expect(page.get_by_role("link", name=bill.number)).to_have_attribute(
        "href", f"/customers/{bill.customer_id}/bills/{bill.invoice_id}.pdf"
    )
    page.get_by_role("link", name="All bills").click()
    row = page.locator("#bills tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("30.00 USD")
    for link, words in (("PDF", "Please pay 30.00 USD"), ("receipt", "Not paid in full yet")):
        address = row.get_by_role("link", name=link).get_attribute("href")
        answer = page.request.get(f"{at_desk.base_url}{address}")
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/pdf"
        assert f"filename={bill.number}.pdf" in answer.headers["content-disposition"]
        assert answer.headers["cache-control"] == "no-store"
        text = text_of(answer.body())
        assert bill.number in text and "Greta Lind" in text and words in text
    assert at_desk.complaints == []


@pytest.mark.rule("I2")
def test_credit_notes_stand_beside_the_bills(
    at_desk: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    bill = subscribers.show(context, isp.overdue_id, began).unpaid_bills[0]
    note = credits.credit(
        context,
        bill.number,
        reason="two days without service",
        idempotency_key="pages",
        now=began,
        amount_micros=1_000_000,
    )
    page = at_desk.open(f"/customers/{bill.customer_id}")
    row = page.locator("#credit_notes tbody tr")
    expect(row).to_have_count(1)
    for words in (note.number, bill.number, "two days without service", "1.00 USD"):
        expect(row).to_contain_text(words)
    for link in ("PDF", "receipt"):
        address = row.get_by_role("link", name=link).get_attribute("href")
        answer = page.request.get(f"{at_desk.base_url}{address}")
        assert answer.status == 200
        assert f"filename={note.number}.pdf" in answer.headers["content-disposition"]
        text = text_of(answer.body())
        assert "Credit note" in text and note.number in text and bill.number in text
    absent = f"{at_desk.base_url}/customers/{bill.customer_id + 1}/credit-notes/{note.number}.pdf"
    assert page.request.get(absent).status == 404
    assert at_desk.complaints == []


def test_what_is_not_there_is_told(at_desk: Visitor, isp: Isp) -> None:
    get = at_desk.page.request.get
    assert get(f"{at_desk.base_url}/customers/1/bills/999999.pdf").status == 404
    assert get(f"{at_desk.base_url}/customers/999999/bills").status == 404
    bad = get(f"{at_desk.base_url}/customers/1/bills/1.pdf?size=a3")
    assert bad.status == 400 and "a4 or receipt" in bad.text()


def test_a_stranger_gets_no_bill(visitor: Visitor, isp: Isp) -> None:
    answer = visitor.page.request.get(
        f"{visitor.base_url}/customers/1/bills/1.pdf", max_redirects=0
    )
    assert answer.status == 302 and "/login" in answer.headers["location"]
