"""Address pools of our own: made, looked through, an address given back."""

from __future__ import annotations

from datetime import datetime

import pytest
from playwright.sync_api import expect

from billing.model.pools import LeaseState, PoolKind
from billing.services import pools
from billing.services.context import Context
from tests.web.conftest import Visitor
from tests.web.isp import Isp


@pytest.mark.rule("A6")
def test_a_pool_is_added_and_impossible_ones_are_refused_at_their_field(
    at_desk: Visitor, context: Context, began: datetime
) -> None:
    page = at_desk.open("/pools/new")
    page.fill("#name", "leased here")
    page.fill("#ranges", "10.30.0.0/40")
    page.locator(".panel-buttons button").click()
    expect(page.locator("#field-ranges")).to_contain_text("10.20.0.0/24")
    page.fill("#ranges", "10.30.0.0/29 10.30.0.20 - 10.30.0.29")
    page.locator(".panel-buttons button").click()
    expect(page.locator("#field-name")).to_contain_text("exists")
    page.fill("#name", "walled here")
    page.fill("#netmask", "255.255.255.0")
    page.check("input[name=kind][value=suspended]")
    page.locator(".panel-buttons button").click()
    expect(page.get_by_role("status")).to_contain_text("walled here was added: 16 addresses")
    view = pools.find_pool(context, "walled here", began)
    assert (view.kind, view.netmask, view.addresses) == (PoolKind.SUSPENDED, "255.255.255.0", 16)


@pytest.mark.rule("A6")
def test_an_address_without_a_session_is_released(
    at_desk: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    page = at_desk.open("/pools")
    page.get_by_role("link", name="leased here").click()
    running = page.locator("tbody tr", has_text="10.20.0.7")
    expect(running).to_contain_text("amina")
    expect(running).to_contain_text("tower-north")
    expect(running.get_by_role("button")).to_have_count(0)
    waiting = page.locator("tbody tr", has_text="10.20.0.8")
    expect(waiting).to_contain_text("bruno.c")
    page.fill("input[type=search]", "bruno")
    page.press("input[type=search]", "Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("button", name="Release").click()
    expect(page.get_by_role("status")).to_contain_text("10.20.0.8 is free")
    (left,) = pools.leases(context, isp.pool_id, began)
    assert (left.username, left.state) == ("amina", LeaseState.RUNNING)
    assert at_desk.complaints == []
