"""Strict sharing in the panel: the plan form, and who holds what (rule Q4)."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from billing.clock import utc_now
from billing.model.events import LoginRecord
from billing.model.grants import NasCan
from billing.model.plan import FinalUnit, Sharing
from billing.services import catalog, customers, grants, sales
from billing.services.context import Context
from billing.settings import Settings
from billing.store import customers as customers_store
from billing.store.admission import admit_logins
from billing.store.hotpath import HotConnection
from tests.web.conftest import Visitor
from tests.web.isp import NAS_ADDRESS, Isp

pytestmark = pytest.mark.rule("Q4")


def _save(page: Page) -> None:
    page.locator(".panel-buttons button").click()


def test_a_strict_plan_is_sold_and_its_grants_are_shown(
    at_desk: Visitor, context: Context, settings: Settings, isp: Isp
) -> None:
    page = at_desk.open("/plans/new")
    page.fill("#plan_name", "Family 10 GB")
    page.fill("#price_micros", "0.00")
    page.fill("#validity", "30 days")
    page.fill("#octets", "10 GB")
    page.check("input[name=sharing][value=strict]")
    page.select_option("#final_unit_action", "restrict-speed")
    page.fill("#slice_octets", "20 GB")
    _save(page)
    expect(page.locator("#field-slice_octets")).to_contain_text("no more than what the plan")
    expect(page.locator("#field-restricted_down_kbps")).to_contain_text("missing")
    page.fill("#slice_octets", "2 GB")
    page.fill("#restricted_down_kbps", "256 kbit/s")
    _save(page)
    expect(page.get_by_role("status")).to_contain_text("Family 10 GB was added")
    page.get_by_role("link", name="Family 10 GB").click()
    expect(page.locator("input[name=sharing][value=strict]")).to_be_checked()
    expect(page.locator("#slice_octets")).to_have_value("2 GB")
    expect(page.locator("#final_unit_action")).to_have_value("restrict-speed")
    view = catalog.find_plan(context, "Family 10 GB", utc_now())
    assert (view.terms.sharing, view.terms.slice_octets) == (Sharing.STRICT, 2 * 10**9)
    assert view.terms.final_unit_action is FinalUnit.RESTRICT_SPEED
    assert view.terms.grant_valid_seconds == 3600

    subscription_id = _holder(context, settings, isp, view.plan_id, utc_now())
    page = at_desk.open(f"/subscribers/{subscription_id}")
    card = page.locator("#grants")
    expect(card).to_contain_text("free: 8")
    expect(card.locator("tbody tr")).to_have_count(1)
    expect(card).to_contain_text("not begun")
    expect(card).to_contain_text("tower-north")
    expect(card).to_contain_text("held")
    expect(at_desk.open(f"/subscribers/{isp.running_id}").locator("#grants")).to_have_count(0)


def _holder(context: Context, settings: Settings, isp: Isp, plan_id: int, now: datetime) -> int:
    """A subscriber of the plan, one of whose devices has logged in."""
    customer = customers.add_customer(context, name="Ida Berg", profile_id=isp.profile_id, now=now)
    subscription_id = customers.add_subscription(
        context,
        customer_id=customer.customer_id,
        username="ida",
        password="correct horse",
        plan_id=plan_id,
        now=now,
    )
    sales.sell(context, subscription_id, plan_id, idempotency_key="ida", now=now)
    with context.transaction() as tx:
        row = customers_store.get_subscription(tx, subscription_id)
        assert row is not None
        version = row.plan_version_id
    login = LoginRecord(
        username="ida",
        customer_id=customer.customer_id,
        subscription_id=subscription_id,
        nas_address=NAS_ADDRESS,
        calling_station="0242ac110009",
        outcome="accept",
        reason="ok",
        entitlement_id=0,
        at=now,
        grant_version_id=version or 0,
        nas_can=NasCan.LIMITS_TOTAL,
    )
    with closing(
        HotConnection(settings.dsn("radius"), statement_timeout_ms=9000, lock_timeout_ms=9000)
    ) as lane:
        assert admit_logins(lane, [login], now + timedelta(seconds=1))[0].reservation_id
    assert grants.quota_of(context, subscription_id, now).strict
    return subscription_id
