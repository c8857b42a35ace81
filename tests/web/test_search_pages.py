"""In a real browser, at a desk and on a phone: who had an address, why a login was refused,
accounting of nobody (U12, A3, F5)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from billing.model.events import (
    AccountingRecord,
    LoginRecord,
    Status,
    Unusable,
    UnusableRecord,
)
from billing.model.staff import StaffRole
from billing.services import catalog, metering, nat_blocks, subscribers
from billing.services.context import Context
from billing.services.login_lines import line_of, write_lines
from billing.settings import Settings
from billing.store import tables
from billing.store.hotpath import HotConnection
from tests.web.conftest import PHONE, Desks, Visitor
from tests.web.isp import NAS_ADDRESS, Isp
from tests.web.people import enrolled

SUPPORT, BILLING = "support@isp.example", "billing@isp.example"
ADDRESS, INSIDE = "10.77.1.2", "2001:db8:77:1::abcd"
SIZES = {"phone": (PHONE["width"], PHONE["height"]), "desk": (1280, 800)}


@pytest.fixture(scope="module")
def lane(settings: Settings) -> Iterator[HotConnection]:
    opened = HotConnection(settings.dsn("radius"), statement_timeout_ms=9000, lock_timeout_ms=9000)
    with closing(opened):
        yield opened


@pytest.fixture(scope="module", autouse=True)
def past(
    context: Context,
    lane: HotConnection,
    isp: Isp,
    began: datetime,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A session with addresses, attempts of a subscriber and of nobody, accounting of nobody."""
    for person, role in ((SUPPORT, StaffRole.SUPPORT), (BILLING, StaffRole.BILLING)):
        enrolled(context, person, role, began)
    records = [
        AccountingRecord(
            status=Status.START,
            username=username,
            sent_username=username,
            nas_address=NAS_ADDRESS,
            acct_session_id=f"{username}-held",
            arrived_at=began - timedelta(minutes=10),
            event_at=began - timedelta(minutes=10),
            precise_time=True,
            session_seconds=0,
            input_octets=0,
            output_octets=0,
            has_gigawords=True,
            framed_ip=ADDRESS,
            delegated_ipv6_prefix="2001:db8:77::/48",
            calling_station="0242ac110077",
        )
        for username in ("bruno.c", "a-name-that-nobody-has-at-all@a-realm-that-is-long.example")
    ]
    letter = UnusableRecord(
        Unusable.NO_SESSION_ID,
        "127.99.0.1",
        began,
        "User-Name=bob; " + "NAS-Port-Id=abcdefghijklmnop" * 6,
    )
    blocks = tmp_path_factory.mktemp("nat") / "blocks.csv"
    blocks.write_text(
        "outer,first_port,last_port,inner,since\n"
        f"203.0.113.9,1024,2047,{ADDRESS},{(began - timedelta(days=1)).isoformat()}\n"
    )
    nat_blocks.import_blocks(context, blocks, began)
    metering.meter_batch(lane, [metering.prepare(one) for one in (*records, letter)], began)
    row = subscribers.show(context, isp.expired_id, began).row
    for number in range(60):
        write(lane, began - timedelta(seconds=number), row.customer_id, isp.expired_id)
    write_lines(
        lane,
        [
            line_of(
                LoginRecord("ghost", 0, 0, NAS_ADDRESS, None, "reject", "unknown-user", 0, began)
            )
        ],
        began,
    )


def write(lane: HotConnection, at: datetime, customer_id: int, subscription_id: int) -> None:
    refused = LoginRecord(
        "farid",
        customer_id,
        subscription_id,
        NAS_ADDRESS,
        "0242ac110042",
        "reject",
        "expired",
        0,
        at,
    )
    write_lines(lane, [line_of(refused)], at)


@pytest.fixture(params=SIZES)
def sized(request: pytest.FixtureRequest) -> Callable[[Visitor], Page]:
    width, height = SIZES[request.param]

    def resize(visitor: Visitor) -> Page:
        visitor.page.set_viewport_size({"width": width, "height": height})
        return visitor.page

    return resize


def local(context: Context, at: datetime) -> str:
    zone = ZoneInfo(catalog.operator(context).time_zone)
    return at.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S")


def requests(context: Context) -> list[tuple[str, dict[str, object]]]:
    with context.transaction() as tx:
        rows = tx.scalars(
            select(tables.AuditLog)
            .where(tables.AuditLog.action == "address.who_had")
            .order_by(tables.AuditLog.audit_id)
        )
        return [(row.actor, json.loads(row.detail)) for row in rows]


@pytest.mark.rule("U12")
def test_who_had_an_address_is_told_for_a_reason(
    desks: Desks,
    sized: Callable[[Visitor], Page],
    context: Context,
    isp: Isp,
    began: datetime,
) -> None:
    support = desks.seat(SUPPORT)
    page = sized(support)
    support.open("/logins")
    page.get_by_role("link", name="Who had an address").click()
    before = len(requests(context))
    page.get_by_label("Address").fill(ADDRESS)
    page.get_by_label("At", exact=True).fill(local(context, began - timedelta(minutes=9)))
    page.get_by_role("button", name="Look it up").click()
    expect(page.locator("#field-reason")).to_contain_text("Must be filled in")
    expect(page.locator("#found")).to_have_count(0)
    assert len(requests(context)) == before
    page.get_by_label("Reason").fill("court order 7/2026")
    page.get_by_role("button", name="Look it up").click()
    row = page.locator("#found tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("bruno.c")
    expect(row).to_contain_text("tower-north")
    # It has not been heard of since its Start, a minute before.
    expect(row).to_contain_text("Not heard of since")
    assert support.overflow() == 0
    actor, detail = requests(context)[-1]
    assert (actor, detail["reason"]) == (SUPPORT, "court order 7/2026")
    assert len(requests(context)) == before + 1
    page.get_by_label("Address").fill(INSIDE)
    page.get_by_label("Searched").select_option("3600")
    page.get_by_role("button", name="Look it up").click()
    expect(page.locator("#found tbody tr")).to_contain_text("delegated prefix")
    expect(page.locator("#found")).to_contain_text("1 h around")
    page.get_by_label("Address").fill("203.0.113.9")
    page.get_by_label("Port").fill("1500")
    page.get_by_role("button", name="Look it up").click()
    row = page.locator("#found tbody tr")
    expect(row).to_contain_text("bruno.c")
    expect(row).to_contain_text(f"1024–2047 of {ADDRESS}")
    page.get_by_label("Port").fill("1")
    page.get_by_role("button", name="Look it up").click()
    expect(page.locator("#found")).to_contain_text("No port block of it is known")
    page.get_by_label("Port").fill("many")
    page.get_by_role("button", name="Look it up").click()
    expect(page.locator("#field-port")).to_contain_text("Not a whole number")
    page.get_by_label("Port").fill("")
    page.get_by_label("Address").fill("10.0.0.0/8")
    page.get_by_role("button", name="Look it up").click()
    expect(page.locator("#field-address")).to_contain_text("write it like 192.0.2.7")
    assert support.overflow() == 0
    assert [one for one in support.complaints if "422" not in one] == []


@pytest.mark.rule("U12")
def test_who_may_not_ask_is_shown_no_way_to_it(desks: Desks) -> None:
    billing = desks.seat(BILLING)
    page = billing.open("/anomalies")
    expect(page.get_by_role("link", name="Dead letters")).to_be_visible()
    expect(page.get_by_role("link", name="Who had an address")).to_have_count(0)
    answer = page.goto(f"{billing.base_url}/who-had")
    assert answer is not None and answer.status == 403


@pytest.mark.rule("A3")
def test_why_he_cannot_connect_is_on_the_subscribers_page(
    desks: Desks, sized: Callable[[Visitor], Page], isp: Isp
) -> None:
    support = desks.seat(SUPPORT)
    page = sized(support)
    support.open(f"/subscribers/{isp.expired_id}")
    rows = page.locator("#logins tbody tr")
    expect(rows).to_have_count(10)
    expect(rows.first).to_contain_text("The package has expired")
    expect(rows.first).to_contain_text("Refused")
    expect(rows.first).to_contain_text("tower-north")
    assert support.overflow() == 0
    page.locator("#logins").get_by_role("link", name="All attempts").click()
    rows = page.locator("#attempts tbody tr:not(.panel-more)")
    expect(rows).to_have_count(50)
    page.get_by_role("link", name="Older ones").click()
    expect(rows).to_have_count(10)
    assert support.overflow() == 0
    assert support.complaints == []


@pytest.mark.rule("A3")
def test_attempts_are_filtered_and_names_of_nobody_are_there(
    desks: Desks, sized: Callable[[Visitor], Page]
) -> None:
    support = desks.seat(SUPPORT)
    page = sized(support)
    support.open("/logins")
    page.get_by_label("Reason").select_option("unknown-user")
    page.get_by_role("button", name="Find").click()
    rows = page.locator("#attempts tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("ghost")
    expect(rows).to_contain_text("No subscriber has this user name")
    assert support.overflow() == 0
    support.open("/logins?mac=02-42-AC-11-00-42&outcome=reject")
    expect(page.locator("#attempts tbody tr:not(.panel-more)")).to_have_count(50)
    support.open("/logins?username=ghost&outcome=accept")
    expect(rows).to_contain_text("No attempt matches")
    assert support.complaints == []
    for bad in ("nas=nowhere", "first=yesterday", "reason=x", "username=%00", "before=x",
                "outcome=x", "first=2026-02-01&last=2026-01-01"):  # fmt: skip
        answer = page.goto(f"{support.base_url}/logins?{bad}")
        assert answer is not None and answer.status == 422, bad
        expect(page.locator(".alert-danger")).to_be_visible()


def test_accounting_of_nobody_is_counted_and_read(
    desks: Desks, sized: Callable[[Visitor], Page]
) -> None:
    support = desks.seat(SUPPORT)
    page = sized(support)
    support.open("/anomalies")
    page.get_by_role("link", name="Dead letters").click()
    expect(page.locator("#counts tbody tr")).to_have_count(2)
    expect(page.locator("#counts")).to_contain_text("The NAS sent no Acct-Session-Id")
    expect(page.locator("#letters tbody tr")).to_have_count(2)
    assert support.overflow() == 0
    page.get_by_role("link", name="unknown-user").click()
    expect(page.locator("#letters tbody tr")).to_have_count(1)
    expect(page.locator("#letters")).to_contain_text("a-name-that-nobody-has-at-all")
    page.get_by_role("link", name="Show all").click()
    page.get_by_role("link", name="127.99.0.1").click()
    expect(page.locator("#letters tbody tr")).to_have_count(1)
    expect(page.locator("#letters")).to_contain_text("User-Name=bob")
    assert support.overflow() == 0
    assert support.complaints == []
    answer = page.goto(f"{support.base_url}/dead-letters?reason=x")
    assert answer is not None and answer.status == 422
