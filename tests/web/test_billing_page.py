"""The bill run before it runs, and whether the books agree."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import expect

from billing.model.money import Money
from billing.model.revenue import RevenueKind
from billing.model.staff import StaffRole
from billing.rules.cycles import next_month
from billing.services import bill_run, books, catalog, customers, recognition
from billing.services.context import Context
from billing.store import billing_jobs
from tests.web.conftest import Visitor
from tests.web.isp import MONTHLY, Isp
from tests.web.people import enrolled


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


@pytest.mark.rule("B7", "P10")
def test_whom_any_job_could_not_serve_is_listed(
    at_desk: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    with context.transaction() as tx:
        billing_jobs.park(tx, "renewals", isp.customer_id, "its plan is no longer sold", began)
        billing_jobs.park(tx, "bill_run", isp.customer_id, "it has no plan", began)
    rows = at_desk.open("/billing").locator("#parked tbody tr")
    expect(rows).to_have_count(2)
    for job, problem in (("renewals", "no longer sold"), ("bill run", "it has no plan")):
        expect(rows.filter(has_text=job)).to_contain_text(problem)
    rows.filter(has_text="renewals").get_by_role("button", name="Seen to").click()
    expect(at_desk.page.get_by_role("status").first).to_contain_text("is off the list")
    expect(at_desk.page.locator("#parked tbody tr")).to_have_count(1)
    with context.transaction() as tx:
        assert [one.job for one in billing_jobs.parked(tx, None)] == ["bill_run"]


@pytest.mark.rule("I6")
def test_what_was_earned_in_a_month_is_told_to_those_who_take_money(
    at_desk: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    page = at_desk.open("/billing")
    page.get_by_role("link", name="What was earned").click()
    page = at_desk.open(f"/revenue?month={began:%Y-%m}")
    report = recognition.report(
        context, began.date().replace(day=1), next_month(began.date()) - timedelta(days=1)
    )
    packages = next(line for line in report.lines if line.kind is RevenueKind.PACKAGE)
    assert packages.earned_micros > 0
    row = page.locator("#revenue tbody tr", has_text="packages")
    expect(row).to_contain_text(str(Money(packages.earned_micros, packages.currency)))
    expect(row).to_contain_text(str(Money(packages.added_micros, packages.currency)))
    page = at_desk.open("/revenue?month=soon")
    expect(page.get_by_role("status").first).to_contain_text("2026-03")
    enrolled(context, "support@isp.example", StaffRole.SUPPORT, began)
    page.get_by_role("button", name="Log out").click()
    at_desk.log_in("support@isp.example").wait_for_selector("#rows")
    assert page.request.get(f"{at_desk.base_url}/revenue").status == 403
    expect(at_desk.open("/billing").get_by_role("link", name="What was earned")).to_have_count(0)
