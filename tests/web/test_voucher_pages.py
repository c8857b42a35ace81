"""Vouchers at the desk: a batch is made, its codes are taken once, sold, redeemed, looked up,
replaced, revoked; with the keyboard alone, and on a phone."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from billing.model.staff import StaffRole
from billing.model.vouchers import CodeFormat, NewBatch
from billing.services import customers, subscribers, vouchers
from billing.services.context import Context
from tests.web.conftest import OWNER, PHONE, Visitor
from tests.web.isp import Isp
from tests.web.people import enrolled

pytestmark = pytest.mark.rule("R3")
NARROW = {"width": 360, "height": 740}


def customer_of(context: Context, isp: Isp, now: datetime) -> int:
    return subscribers.show(context, isp.running_id, now).row.customer_id


def available(context: Context, customer_id: int) -> int:
    return customers.get_customer(context, customer_id).wallets[0].available_micros


def send(page: Page) -> None:
    page.locator(".panel-buttons button[type=submit]").click()


def taken(page: Page, kind: str, into: Path) -> Path:
    """The codes of the batch that is open."""
    page.check(f"input[name=form][value={kind}]")
    with page.expect_download() as started:
        page.get_by_role("button", name="Take the codes").click()
    started.value.save_as(into)
    return into


def table_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


@contextmanager
def zipped(archive: Path) -> Iterator[tuple[bytes, bytes]]:
    """The table and the cards."""
    with zipfile.ZipFile(archive) as inside:
        names = sorted(inside.namelist())
        yield inside.read(names[0]), inside.read(names[1])


def made(page: Page, visitor: Visitor, name: str, count: int, amount: str = "10") -> str:
    """The address of a new batch for money."""
    visitor.open("/vouchers/new")
    page.fill("#name", name)
    page.fill("#count", str(count))
    page.fill("#amount_micros", amount)
    send(page)
    expect(page.get_by_role("status")).to_contain_text(f"{count} vouchers are in stock")
    return page.url.removeprefix(visitor.base_url)


@pytest.mark.parametrize("size", [{"width": 1280, "height": 800}, NARROW, PHONE])
def test_from_the_batch_to_the_balance(
    at_desk: Visitor,
    context: Context,
    isp: Isp,
    began: datetime,
    tmp_path: Path,
    size: dict[str, int],
) -> None:
    page = at_desk.page
    page.set_viewport_size({"width": size["width"], "height": size["height"]})
    who = customer_of(context, isp, began)
    before = available(context, who)
    batch = made(page, at_desk, f"kiosk {size['width']}", 3)
    assert at_desk.overflow() == 0
    # Nobody has the codes yet, so they are not for sale.
    expect(page.get_by_role("link", name="Sell", exact=True)).to_have_count(0)
    with zipped(taken(page, "zip", tmp_path / "codes.zip")) as (table, cards):
        assert cards.startswith(b"%PDF")
        rows = table_of(table.decode())
    assert len(rows) == 3
    at_desk.open(batch)
    expect(page.get_by_role("button", name="Take the codes")).to_have_count(0)
    page.get_by_role("link", name="Sell", exact=True).click()
    page.fill("#first", rows[0]["serial"])
    page.fill("#last", rows[1]["serial"])
    assert at_desk.overflow() == 0
    send(page)
    expect(page.get_by_role("status")).to_contain_text("2 vouchers are sold for 20.00 USD")
    stock = page.locator("#stock tbody td")
    assert [cell.strip() for cell in stock.all_inner_texts()][:3] == ["1", "2", "0"]
    assert at_desk.overflow() == 0
    at_desk.open(f"/customers/{who}")
    page.get_by_role("link", name="Redeem a voucher").click()
    code = rows[0]["code"].lower()
    page.fill("#code", f"{code[:4]}-{code[4:8]} {code[8:]}")
    send(page)
    expect(page.get_by_role("status").first).to_contain_text("is redeemed: 10.00 USD")
    assert available(context, who) == before + 10_000_000
    # It is not worth anything once more.
    at_desk.open(f"/customers/{who}/redeem")
    page.fill("#code", code)
    send(page)
    expect(page.locator("#field-code")).to_contain_text("was redeemed already")
    assert available(context, who) == before + 10_000_000
    at_desk.open("/vouchers")
    assert at_desk.overflow() == 0
    row = page.locator("tbody tr", has_text=f"kiosk {size['width']}")
    expect(row).to_contain_text("10.00 USD")
    at_desk.open("/vouchers/report")
    assert at_desk.overflow() == 0
    expect(page.locator("tbody tr", has_text=f"kiosk {size['width']}")).to_contain_text("10.00 USD")
    assert [text for text in at_desk.complaints if "422" not in text] == []


def test_with_the_keyboard_alone(at_desk: Visitor, context: Context) -> None:
    page = at_desk.open("/vouchers")
    page.get_by_role("link", name="Make a batch").focus()
    page.keyboard.press("Enter")
    page.locator("#name").focus()
    page.keyboard.type("typed")
    page.keyboard.press("Tab")
    page.keyboard.type("1")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("5.50")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="typed")).to_be_visible()
    (batch,) = [one for one in vouchers.list_batches(context) if one.name == "typed"]
    assert (batch.count, batch.face_micros) == (1, 5_500_000)


def test_what_cannot_be_is_said_at_its_field(at_desk: Visitor) -> None:
    page = at_desk.open("/vouchers/new")
    page.fill("#name", "guessable")
    page.fill("#count", "10000")
    send(page)
    expect(page.locator("#field-amount_micros")).to_contain_text("or choose a plan")
    page.fill("#amount_micros", "10")
    page.check("input[name=alphabet][value=digits]")
    page.fill("#length", "8")
    send(page)
    expect(page.locator("#field-length")).to_contain_text("Too easy to guess")
    page.fill("#prefix", "K")
    page.fill("#length", "20")
    send(page)
    expect(page.locator("#field-prefix")).to_contain_text("'K' is not among 0123456789")
    page.fill("#prefix", "")
    page.fill("#last_day", "2020-01-01")
    send(page)
    expect(page.locator("#field-last_day")).to_contain_text("Must lie in the future")


def test_looked_up_replaced_and_revoked(
    at_desk: Visitor, context: Context, isp: Isp, began: datetime, tmp_path: Path
) -> None:
    page = at_desk.page
    batch = made(page, at_desk, "damaged", 2)
    rows = table_of(taken(page, "csv", tmp_path / "codes.csv").read_text())
    at_desk.open(f"{batch}/sell")
    page.check("input[name=pay_by][value=wallet]")
    send(page)
    expect(page.locator("#field-customer")).to_contain_text("whose wallet pays")
    page.check("input[name=pay_by][value=cash]")
    send(page)
    expect(page.get_by_role("status")).to_contain_text("2 vouchers are sold")
    at_desk.open("/vouchers")
    page.fill("input[type=search]", rows[0]["code"])
    page.press("input[type=search]", "Enter")
    expect(page.get_by_role("status")).to_contain_text("never its code")
    page.fill("input[type=search]", rows[0]["serial"])
    page.press("input[type=search]", "Enter")
    expect(page.get_by_role("heading", name=f"Voucher {rows[0]['serial']}")).to_be_visible()
    page.get_by_role("button", name="Replace the damaged card").click()
    code = page.locator("#code").inner_text()
    assert code != rows[0]["code"]
    at_desk.open(f"/vouchers/{int(rows[0]['serial'])}")
    expect(page.locator("h1")).to_contain_text("replaced")
    expect(page.locator("#content")).not_to_contain_text(code)
    at_desk.open(f"{batch}/revoke")
    send(page)
    expect(page.get_by_role("status")).to_contain_text("2 vouchers are revoked")
    at_desk.open(f"/customers/{customer_of(context, isp, began)}/redeem")
    page.fill("#code", code)
    send(page)
    expect(page.locator("#field-code")).to_contain_text("was revoked")


@pytest.mark.parametrize("role", [StaffRole.SUPPORT, StaffRole.BILLING])
def test_others_see_and_do_what_their_role_may(
    visitor: Visitor, owner: str, context: Context, isp: Isp, began: datetime, role: StaffRole
) -> None:
    wanted = NewBatch(
        name=f"for {role}",
        count=1,
        code=CodeFormat(length=12),
        profile_id=isp.profile_id,
        amount_micros=1_000_000,
    )
    batch = vouchers.make_batch(context, wanted, began)
    assert owner == OWNER
    email = enrolled(context, f"{role}.vouchers@isp.example", role, began).email
    visitor.log_in(email).wait_for_selector("#rows")
    page = visitor.open(f"/vouchers/batches/{batch.batch_id}")
    expect(page.get_by_role("button", name="Take the codes")).to_have_count(0)
    expect(page.locator("#content")).to_contain_text("an owner does that")
    may_sell = role is StaffRole.BILLING
    for path, allowed in (
        ("/vouchers/new", False),
        (f"/vouchers/batches/{batch.batch_id}/revoke", False),
        (f"/vouchers/batches/{batch.batch_id}/sell", may_sell),
        ("/vouchers/report", may_sell),
    ):
        answer = page.request.get(visitor.base_url + path)
        assert (answer.status == 200) is allowed, path
