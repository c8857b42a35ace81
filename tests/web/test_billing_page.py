"""The bill run before it runs, and whether the books agree."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from playwright.sync_api import expect

from billing.services import bill_run, books, catalog, customers
from billing.services.context import Context
from tests.web.conftest import Visitor
from tests.web.isp import MONTHLY, Isp


@pytest.mark.rule("B7")
def test_what_a_run_would_issue_is_listed_and_bad_days_are_told(
    at_desk: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    profile = replace(MONTHLY, name="Homes billed", automatic_bill=True)
    profile_id = catalog.add_profile(context, profile, began).profile_id
    home = catalog.find_plan(context, "Home 50", began)
    customer = customers.add_customer(context, name="Gustav Holm", profile_id=profile_id, now=began)
    customers.add_subscription(
        context,
        customer_id=customer.customer_id,
        username="gustav",
        password="long enough 7",
        plan_id=home.plan_id,
        now=began,
    )
    page = at_desk.open("/billing")
    row = page.locator("#preview tbody tr", has_text="gustav")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("30.00 USD")
    expect(row.get_by_role("link", name="gustav")).to_have_attribute(
        "href", f"/customers/{customer.customer_id}"
    )
    page.get_by_role("link", name="Add up all of them").click()
    expect(page.locator("#totals")).to_contain_text("1 bill, 30.00 USD in all")
    page = at_desk.open(f"/billing?on={began.date().isoformat()}")
    expect(page.locator("#preview")).to_contain_text("Nothing")
    page = at_desk.open("/billing?on=yesterday")
    expect(page.get_by_role("status").first).to_contain_text("2026-03-01")
    assert list(bill_run.preview_by(context, began.date())) == []


def test_a_run_is_queued_once_for_the_worker(at_desk: Visitor) -> None:
    page = at_desk.open("/billing")
    expect(page.locator("#run")).to_contain_text("No run has issued anything yet")
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_role("status").first).to_contain_text("queued; the worker begins it")
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_role("status").first).to_contain_text("queued already")


@pytest.mark.rule("M4")
def test_the_page_tells_whether_the_books_agree(
    at_desk: Visitor, context: Context, began: datetime
) -> None:
    books.check_ledger(context, began)
    expect(at_desk.open("/billing").get_by_role("status").first).to_contain_text("books agree")
