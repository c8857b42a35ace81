"""Vouchers of a reseller in the panel: the operator makes a batch for it, its owner prints, sells,
takes back and replaces; on a phone (rules R1, R3)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from billing.model.commerce import MoneyChannel
from billing.model.staff import StaffRole
from billing.model.vouchers import CodeFormat, NewBatch
from billing.services import reseller_money, resellers, vouchers
from billing.services.context import Context
from tests.web.conftest import OWNER, PHONE, Desks
from tests.web.isp import Isp
from tests.web.people import enrolled

pytestmark = pytest.mark.rule("R1", "R3")
BOSS, CLERK, ABOVE = "boss@print.example", "clerk@print.example", "boss@above.example"


@dataclass(frozen=True)
class Shop:
    """It pays 4.00 for the week, and has a reseller above it that pays 3.00."""

    org_id: int
    above_org_id: int
    context: Context

    def wallet(self) -> int:
        """In cents."""
        return resellers.show(self.context, self.org_id).available_micros // 10_000


@pytest.fixture(scope="module")
def shop(context: Context, isp: Isp, began: datetime, owner: str) -> Shop:
    assert owner == OWNER
    found: list[int] = []
    for name, cost_micros, channel in (
        ("Wholesale Net", 3_000_000, MoneyChannel.CASH),
        ("Print Shop", 4_000_000, None),
    ):
        made = resellers.add(
            context, name=name, parent_org_id=found[0] if found else 1,
            profile_id=isp.profile_id, now=began,
        )  # fmt: skip
        found.append(made.org_id)
        resellers.set_cost(context, made.org_id, isp.plan_id, cost_micros, began)
        reseller_money.transfer(
            context, made.org_id, 100_000_000 if channel else 30_000_000,
            idempotency_key="fund", now=began, channel=channel,
        )  # fmt: skip
    enrolled(context, ABOVE, StaffRole.RESELLER, began, org_id=found[0])
    enrolled(context, BOSS, StaffRole.RESELLER, began, org_id=found[1])
    enrolled(context, CLERK, StaffRole.SHOP_CASHIER, began, org_id=found[1])
    return Shop(found[1], found[0], context)


def send(page: Page) -> None:
    page.locator(".panel-form .panel-buttons button[type=submit]").click()


def batch_of(shop: Shop, isp: Isp, began: datetime, name: str, count: int = 2) -> str:
    """The address of a batch of weeks, made by the operator."""
    wanted = NewBatch(
        name=name, count=count, code=CodeFormat(length=12), plan_id=isp.plan_id, org_id=shop.org_id
    )
    made = vouchers.make_batch(shop.context, wanted, began)
    assert made.org_id == shop.org_id
    return f"/vouchers/batches/{made.batch_id}"


@pytest.mark.parametrize("size", [(PHONE["width"], PHONE["height"]), (1280, 800)])
def test_made_above_printed_sold_taken_back_and_replaced_by_the_shop(
    desks: Desks, shop: Shop, isp: Isp, tmp_path: Path, size: tuple[int, int]
) -> None:
    name = f"weeks {size[0]}"
    before = shop.wallet()
    operator = desks.seat(OWNER)
    page = operator.page
    page.set_viewport_size({"width": size[0], "height": size[1]})
    operator.open("/vouchers/new")
    assert operator.overflow() == 0
    page.select_option("#org_id", label="Print Shop")
    page.fill("#name", name)
    page.fill("#count", "3")
    page.select_option("#plan", str(isp.plan_id))
    send(page)
    expect(page.get_by_role("status")).to_contain_text("The reseller takes their codes next")
    batch = page.url.removeprefix(operator.base_url)

    seller = desks.seat(BOSS)
    page = seller.page
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.get_by_role("link", name="Vouchers", exact=True).click()
    expect(page.get_by_role("link", name="Make a batch")).to_have_count(0)
    page.get_by_role("link", name=name).click()
    assert seller.overflow() == 0
    page.check("input[name=form][value=csv]")
    with page.expect_download() as started:
        page.get_by_role("button", name="Take the codes").click()
    started.value.save_as(tmp_path / "codes.csv")
    rows = list(csv.DictReader((tmp_path / "codes.csv").read_text().splitlines()))
    assert len(rows) == 3
    seller.open(batch)
    expect(page.get_by_role("button", name="Take the codes")).to_have_count(0)
    # Two are sold, at cost.
    page.locator("#content").get_by_role("link", name="Sell").click()
    page.fill("#first", rows[0]["serial"])
    page.fill("#last", rows[1]["serial"])
    send(page)
    expect(page.get_by_role("status").first).to_contain_text("2 vouchers are sold")
    assert before - shop.wallet() == 800
    # The second by mistake: it is taken back within the window, and its cost with it.
    page.get_by_role("link", name="Revoke").click()
    expect(page.locator("#content")).to_contain_text("15 minutes ago")
    assert page.locator("input[name=money]:checked").get_attribute("value") == "wallet"
    assert seller.overflow() == 0
    page.fill("#first", rows[1]["serial"])
    page.fill("#last", rows[1]["serial"])
    send(page)
    expect(page.get_by_role("status")).to_contain_text("1 vouchers are revoked")
    assert before - shop.wallet() == 400
    # The first is damaged.
    seller.open(f"/vouchers/{int(rows[0]['serial'])}")
    assert seller.overflow() == 0
    page.get_by_role("button", name="Replace the damaged card").click()
    assert page.locator("#code").inner_text() != rows[0]["code"]
    assert seller.overflow() == 0
    expect(page.get_by_role("button", name="Replace the damaged card")).to_have_count(0)
    assert before - shop.wallet() == 400
    seller.open(batch)
    cells = [cell.strip() for cell in page.locator("#stock tbody td").all_inner_texts()]
    assert cells == ["1", "1", "0", "0", "1", "1"]
    for one in (operator, seller):
        assert [text for text in one.complaints if "422" not in text] == []


def test_neither_its_cashier_nor_who_is_above_it_holds_its_codes(
    desks: Desks, shop: Shop, isp: Isp, began: datetime
) -> None:
    batch = batch_of(shop, isp, began, "to be printed")
    serial = vouchers.get_batch(shop.context, int(batch.rsplit("/", 1)[1])).first_serial
    for who in (CLERK, ABOVE):
        visitor = desks.seat(who)
        page = visitor.open(batch)
        expect(page.get_by_role("button", name="Take the codes")).to_have_count(0)
        expect(page.locator("#content")).to_contain_text("the owner of the shop does that")
        expect(page.locator("#content")).not_to_contain_text("4.00")
        visitor.open(f"/vouchers/{serial}")
        expect(page.get_by_role("button", name="Replace")).to_have_count(0)
        token = page.locator("input[name=csrf_token]").first.get_attribute("value") or ""
        for path in (f"{batch}/codes", f"/vouchers/{serial}/replace"):
            answer = page.request.post(
                visitor.base_url + path,
                form={"csrf_token": token, "form": "csv"},
                headers={"Referer": visitor.base_url},
            )
            assert answer.status == 403, (who, path)
        revokes = page.request.get(f"{visitor.base_url}{batch}/revoke").status
        assert revokes == (403 if who == CLERK else 200)
        assert page.request.get(f"{visitor.base_url}/vouchers/new").status == 403
    assert vouchers.get_batch(shop.context, int(batch.rsplit("/", 1)[1])).codes_kept


def test_a_closed_reseller_gets_no_batch(
    desks: Desks, context: Context, shop: Shop, isp: Isp, began: datetime
) -> None:
    made = resellers.add(
        context, name="Shut Shop", parent_org_id=1, profile_id=isp.profile_id, now=began
    )
    page = desks.seat(OWNER).open("/vouchers/new")
    page.select_option("#org_id", label="Shut Shop")
    page.fill("#name", "too late")
    page.fill("#count", "1")
    page.fill("#amount_micros", "10")
    resellers.change(
        context, made.org_id, began, undo_minutes=0, max_customers=None, max_nas=None,
        max_plans=None, alert_percent=None, closed=True,
    )  # fmt: skip
    send(page)
    expect(page.locator("#field-org_id")).to_contain_text("Not a valid choice")
    assert all(one.name != "too late" for one in vouchers.list_batches(context))
