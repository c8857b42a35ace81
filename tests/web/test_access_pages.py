"""Access, IPv6 and reply attributes of a subscriber, changed on a phone (rules A4, A6)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from billing.model.access_settings import AccessSettings
from billing.model.staff import StaffRole
from billing.services import own_reply, subscriber_settings, subscribers
from billing.services.context import Context
from billing.store import tables
from tests.web.conftest import PHONE, Visitor
from tests.web.isp import Isp
from tests.web.people import enrolled

MAC = "0242ac110002"


@pytest.fixture
def phone(at_desk: Visitor) -> Visitor:
    at_desk.page.set_viewport_size(PHONE)
    return at_desk


@pytest.fixture
def number(context: Context, isp: Isp, began: datetime) -> Iterator[int]:
    """A subscriber who is online, with nothing of its own; afterwards so again."""
    yield isp.running_id
    subscriber_settings.change(
        context,
        isp.running_id,
        began,
        macs=(),
        nas_ids=(),
        login_hours=None,
        session_limit=None,
        framed_ip=None,
    )


def _send(page: Page) -> None:
    page.locator(".panel-buttons button").click()


def _customer_id(context: Context, number: int, began: datetime) -> int:
    return subscribers.show(context, number, began).customer.customer_id


def _orders(context: Context, number: int) -> list[str]:
    intent = tables.CoaIntent
    with context.transaction() as tx:
        return list(
            tx.scalars(
                select(intent.reason).where(
                    intent.subscription_id == number, intent.goal == "disconnect"
                )
            )
        )


@pytest.mark.rule("A4")
def test_the_device_of_a_session_is_locked_by_the_link_beside_it(
    phone: Visitor, context: Context, number: int, began: datetime
) -> None:
    page = phone.open(f"/subscribers/{number}")
    lock = page.get_by_role("link", name=f"Allow only {MAC}")
    lock.first.click()
    expect(page.locator("#macs")).to_have_value(MAC)
    assert phone.overflow() <= 0
    _send(page)
    expect(page.get_by_role("status").first).to_contain_text("Access was changed")
    expect(page.get_by_role("status").nth(1)).to_contain_text("1 session is going on as it was")
    assert subscriber_settings.settings(context, number) == AccessSettings(macs=(MAC,))
    page = phone.open(f"/subscribers/{number}")
    expect(page.locator("#access")).to_contain_text(MAC)
    expect(lock).to_have_count(0)
    assert phone.overflow() <= 0
    assert phone.complaints == []


@pytest.mark.rule("A4", "A7", "C1")
def test_all_is_changed_with_the_present_values_shown_and_bad_ones_named(
    phone: Visitor, context: Context, number: int, began: datetime
) -> None:
    page = phone.open(f"/customers/{_customer_id(context, number, began)}")
    page.get_by_role("link", name="change access").first.click()
    for name, bad, words in (
        ("macs", "02:00:5e:10:00:01\nnot one", "is not a MAC address"),
        ("login_hours", "at night", "mon-fri 08:00-20:00"),
        ("session_limit", "0", "at least 1"),
        ("session_limit", "two", "whole number"),
        ("framed_ip", "198.51.100.300", "not an address"),
    ):
        page.fill(f"#{name}", bad)
        _send(page)
        expect(page.locator(f"#field-{name} .panel-error")).to_contain_text(words)
        expect(page.locator(f"#{name}")).to_have_value(bad)
        page.fill(f"#{name}", "")
    assert subscriber_settings.settings(context, number) == AccessSettings()
    page.fill("#macs", "02:00:5e:10:00:01\n02-00-5E-10-00-02")
    page.fill("#login_hours", "mon-sun 00:00-24:00")
    page.fill("#session_limit", "2")
    page.fill("#framed_ip", "198.51.100.77")
    page.get_by_label("tower-north").check()
    _send(page)
    expect(page.get_by_role("status").first).to_contain_text("Access was changed")
    assert _orders(context, number) == []
    page = phone.open(f"/subscribers/{number}")
    page.locator("#access").get_by_role("link", name="Change").click()
    expect(page.locator("#macs")).to_have_value("02005e100001\n02005e100002")
    expect(page.locator("#login_hours")).to_have_value("mon-sun 00:00-24:00")
    expect(page.locator("#session_limit")).to_have_value("2")
    expect(page.locator("#framed_ip")).to_have_value("198.51.100.77")
    expect(page.get_by_label("tower-north")).to_be_checked()
    for name in ("login_hours", "session_limit", "framed_ip"):
        page.fill(f"#{name}", "")
    page.get_by_label("tower-north").uncheck()
    page.check("#end_sessions")
    _send(page)
    expect(page.get_by_role("status").nth(1)).to_contain_text("1 session is disconnected")
    assert _orders(context, number) == ["settings-changed"]
    wanted = AccessSettings(macs=("02005e100001", "02005e100002"))
    assert subscriber_settings.settings(context, number) == wanted
    assert all("422" in text for text in phone.complaints)


def test_a_subscription_is_added_with_its_limits(
    phone: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    page = phone.open(f"/customers/{_customer_id(context, isp.expired_id, began)}/subscription")
    page.fill("#username", "farid-laptop")
    page.fill("#macs", "nothing")
    _send(page)
    expect(page.locator("#field-macs .panel-error")).to_contain_text("not a MAC address")
    page.fill("#macs", "02:00:5e:10:00:09")
    page.fill("#session_limit", "1")
    _send(page)
    expect(page.locator("#quote")).to_contain_text("farid-laptop is added")
    _send(page)
    expect(page.get_by_role("status").first).to_contain_text("farid-laptop is added")
    (row,) = subscribers.search(context, "farid-laptop", began).rows
    made = subscriber_settings.settings(context, row.subscription_id)
    assert made == AccessSettings(macs=("02005e100009",), session_limit=1)


@pytest.mark.rule("A6")
def test_ipv6_and_attributes_are_set_checked_and_removed(
    phone: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    page = phone.open(f"/subscribers/{isp.running_id}")
    own = page.locator("#own-reply")
    own.get_by_role("link", name="IPv6").click()
    page.fill("#delegated_ipv6_prefix", "2001:db8:1::1/56")
    _send(page)
    expect(page.locator("#field-delegated_ipv6_prefix .panel-error")).to_contain_text("host bits")
    page.fill("#delegated_ipv6_prefix", "2001:db8:100::/56")
    _send(page)
    expect(page.get_by_role("status").first).to_contain_text("IPv6 was changed")
    page = phone.open(f"/subscribers/{isp.running_id}")
    expect(own).to_contain_text("Delegated-IPv6-Prefix := 2001:db8:100::/56")
    own.get_by_role("link", name="Add an attribute").click()
    for name, value, field, words in (
        ("No-Such-Thing", "1", "name", "know no attribute"),
        ("Session-Timeout", "60", "name", "Tollway ends a session by"),
        ("Idle-Timeout", "soon", "value", "a number from 0 to"),
    ):
        page.fill("#name", name)
        page.fill("#value", value)
        _send(page)
        expect(page.locator(f"#field-{field} .panel-error")).to_contain_text(words)
    page.fill("#name", "mikrotik-rate-limit")
    page.fill("#value", "10M/50M")
    assert phone.overflow() <= 0
    _send(page)
    expect(page.get_by_role("status").first).to_contain_text("Mikrotik-Rate-Limit := 10M/50M")
    page = phone.open(f"/subscribers/{isp.running_id}")
    assert phone.overflow() <= 0
    own.get_by_role("link", name="Remove Mikrotik-Rate-Limit").click()
    _send(page)
    expect(page.get_by_role("status").first).to_contain_text("not sent any more")
    assert own_reply.own_reply(context, isp.running_id).attributes == ()
    page = phone.open(f"/subscribers/{isp.running_id}")
    own.get_by_role("link", name="IPv6").click()
    expect(page.locator("#delegated_ipv6_prefix")).to_have_value("2001:db8:100::/56")
    page.fill("#delegated_ipv6_prefix", "")
    _send(page)
    assert own_reply.own_reply(context, isp.running_id).lines == []
    assert all("422" in text for text in phone.complaints)


def test_support_sees_it_and_changes_nothing(
    visitor: Visitor, context: Context, isp: Isp, began: datetime
) -> None:
    enrolled(context, "support@isp.example", StaffRole.SUPPORT, began)
    visitor.log_in("support@isp.example").wait_for_selector("#rows")
    page = visitor.open(f"/subscribers/{isp.running_id}")
    expect(page.locator("#own-reply")).to_be_visible()
    expect(page.get_by_role("link", name="Add an attribute")).to_have_count(0)
    expect(page.get_by_role("link", name=f"Allow only {MAC}")).to_have_count(0)
    customer_id = _customer_id(context, isp.running_id, began)
    for name in ("access", "ipv6", "attribute", "remove-attribute"):
        answer = page.request.get(f"{visitor.base_url}/customers/{customer_id}/{name}")
        assert answer.status == 403, name
