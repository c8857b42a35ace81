"""Every page, with the eyes of a browser: no complaint, no sideways scrolling on a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.web.conftest import PHONE, Visitor
from tests.web.isp import Isp

PAGES = (
    "/",
    "/subscribers/{running}",
    "/subscribers/{expired}",
    "/subscribers/{overdue}",
    "/customers",
    "/customers/new",
    "/customers/{customer}",
    "/customers/{customer}/bills",
    "/customers/{customer}/ledger",
    "/customers/{customer}/pay",
    "/customers/{customer}/credit",
    "/customers/{customer}/sell",
    "/customers/{customer}/hold",
    "/customers/{customer}/details",
    "/customers/{customer}/numbers",
    "/customers/{customer}/profile",
    "/customers/{customer}/charge",
    "/billing",
    "/messages",
    "/profiles",
    "/profiles/new",
    "/profiles/{profile}",
    "/plans",
    "/plans/new",
    "/plans/{plan}",
    "/pools",
    "/pools/new",
    "/pools/{pool}",
    "/orders",
    "/anomalies",
)

NAMELESS = """[...document.querySelectorAll("input:not([type=hidden]), select, textarea")]
    .filter((one) => !one.labels.length && !one.ariaLabel).map((one) => one.name)"""
"""Fields that no label names."""


def _path(template: str, isp: Isp) -> str:
    return template.format(
        running=isp.running_id,
        expired=isp.expired_id,
        overdue=isp.overdue_id,
        profile=isp.profile_id,
        plan=isp.plan_id,
        pool=isp.pool_id,
        customer=isp.customer_id,
    )


@pytest.mark.parametrize("template", PAGES)
def test_no_errors_and_fits_a_phone(at_desk: Visitor, isp: Isp, template: str) -> None:
    page = at_desk.open(_path(template, isp))
    expect(page.locator("h1")).to_be_visible()
    assert at_desk.overflow() == 0
    assert page.evaluate(NAMELESS) == []
    page.set_viewport_size(PHONE)
    at_desk.open(_path(template, isp))
    assert at_desk.overflow() == 0
    assert at_desk.complaints == []


def test_login_page_fits_a_phone(visitor: Visitor) -> None:
    visitor.page.set_viewport_size(PHONE)
    visitor.open("/login")
    assert visitor.overflow() == 0
    assert visitor.complaints == []


def test_scripts_that_somebody_injects_do_not_run(at_desk: Visitor) -> None:
    page = at_desk.open("/")
    page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
        " document.body.append(s); }"
    )
    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in text for text in at_desk.complaints)
