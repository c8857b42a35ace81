"""The captive portal in a real browser, of a phone: a hotspot's gateway sends its guest there, the
portal sends his login back, and the gateway asks real FreeRADIUS (rule B13)."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from itertools import count

import pytest
from playwright.sync_api import Page, expect

from billing.model.vouchers import Code, CodeFormat
from billing.rules.vouchers import SOURCE_FAILURES_LIMIT, grouped
from billing.services import brands, customers, hotspots, resellers, voucher_sales
from billing.services.context import Context
from billing.services.voucher_codes import new_codes
from billing.services.voucher_logins import READ_AGAIN
from billing.services.voucher_sales import Range
from billing.store import tables
from tests.factories import DAY_PLAN, PASSWORD, Factory
from tests.integration.voucher_desk import Desk
from tests.web.conftest import PORTAL_HOST, OpenHotspot, Visitor
from tests.web.hotspots import Chilli, Gateway, Mikrotik
from tests.web.isp import Isp

pytestmark = pytest.mark.rule("B13")
FIRST_PAGE_MOST = 30_000
_names = count(1)


def sold(desk: Desk, now: datetime, count: int = 1, **options: object) -> list[Code]:
    """Vouchers for a day that log in."""
    options = {"plan": DAY_PLAN, "as_login": True, "expires_at": now + timedelta(days=9), **options}
    return desk.sold(count, now=now, **options)


def arrive(page: Page, gateway: Gateway) -> None:
    """Ask for any page: the hotspot brings the guest to the portal."""
    page.goto(gateway.address)
    expect(page.locator("h1")).to_have_text("Wi-Fi")


def use(page: Page, code: str, pin: str = "") -> None:
    page.fill("#code", code)
    page.fill("#pin", pin)
    page.get_by_role("button", name="Use the voucher").click()


@pytest.mark.rule("R3")
@pytest.mark.parametrize("chap", [False, True], ids=["pap", "chap"])
def test_a_voucher_logs_in_at_a_mikrotik(
    phone: Visitor, place: OpenHotspot, desk: Desk, now: datetime, chap: bool
) -> None:
    gateway = place(Mikrotik, chap=chap)
    (code,) = sold(desk, now)
    page = phone.page
    arrive(page, gateway)
    use(page, grouped(code.code).lower())
    expect(page.locator("#left")).to_contain_text("Good for 1 d from when you connect")
    page.click("#connect")
    expect(page.locator("h1")).to_have_text("You are connected")
    assert [one.result for one in gateway.logins] == ["accept"]
    assert page.url.endswith("/online")
    expect(page.locator("#left")).to_contain_text("Good until")
    expect(page.locator("#wanted")).to_have_attribute("href", f"{gateway.address}/news?a=b&c=d")
    expect(page.locator("#log-off")).to_have_attribute("href", f"{gateway.address}/logout")
    # By CHAP the code's password does not cross the air.
    assert (gateway.sent[-1]["password"] == code.code) is not chap
    assert phone.complaints == []


@pytest.mark.rule("R3")
def test_a_voucher_logs_in_at_a_coovachilli(
    phone: Visitor, place: OpenHotspot, desk: Desk, now: datetime
) -> None:
    gateway = place(Chilli)
    pair = CodeFormat(length=12, password_length=6)
    (code,) = sold(desk, now, code=pair)
    time.sleep(READ_AGAIN.total_seconds())  # by then radiusd knows a format that is new
    page = phone.page
    arrive(page, gateway)
    use(page, code.code, "WRONGS")
    expect(page.get_by_role("alert")).to_contain_text("No voucher has this code")
    use(page, code.code, code.password.lower())
    page.click("#connect")
    expect(page.locator("h1")).to_have_text("You are connected")
    assert [one.result for one in gateway.logins] == ["accept"]
    expect(page.locator("#log-off")).to_have_attribute("href", f"{gateway.address}/logoff")


@pytest.mark.parametrize("password", ["river stone 12", "a password of many letters"])
@pytest.mark.parametrize("kind", [Mikrotik, Chilli])
def test_a_subscriber_logs_in(
    one_phone: Visitor,
    place: OpenHotspot,
    context: Context,
    isp: Isp,
    now: datetime,
    kind: type[Gateway],
    password: str,
) -> None:
    customers.set_password(context, isp.running_id, password, now)
    gateway, page = place(kind), one_phone.page
    arrive(page, gateway)
    page.locator("summary").click()
    page.fill("#username", "amina")
    page.fill("#password", "wrong one")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("Wrong user name or password")
    page.fill("#username", "Amina")
    page.fill("#password", password)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#left")).to_contain_text("Week 20 GB")
    page.click("#connect")
    expect(page.locator("h1")).to_have_text("You are connected")
    assert [one.result for one in gateway.logins] == ["accept"]


def test_what_the_hotspot_refuses_is_told_with_what_to_do(
    one_phone: Visitor, place: OpenHotspot, context: Context, make: Factory, now: datetime
) -> None:
    """It is RADIUS that refuses: the subscriber may not log in at this place."""
    gateway, page = place(Chilli), one_phone.page
    with make.simulated_nas(now) as elsewhere:
        who = make.subscriber(now, nas_ids=(elsewhere.nas_id,))
    make.package(who, now)
    arrive(page, gateway)
    page.locator("summary").click()
    page.fill("#username", who.username)
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.click("#connect")
    expect(page.locator("#refused")).to_contain_text("It is not for this place.")
    assert [one.result for one in gateway.logins] == ["reject"]
    # What anybody may have written is not repeated.
    page.goto(f"{gateway.page}?error=Call+0900+for+your+prize")
    expect(page.locator("#refused")).to_contain_text("The hotspot has not let you in.")
    assert "0900" not in page.content()


def test_what_is_used_up_is_told_before(
    one_phone: Visitor, place: OpenHotspot, desk: Desk, now: datetime
) -> None:
    gateway, page = place(), one_phone.page
    used, unsold = sold(desk, now, 2)
    view = desk.look(used)
    with desk.context.transaction() as tx:
        (row,) = desk.rows("SELECT entitlement_id FROM voucher WHERE serial = :it", it=used.serial)
        key = {"customer_id": view.customer_id, "entitlement_id": row.entitlement_id}
        package = tx.get_one(tables.Entitlement, key)
        package.valid_from = now - timedelta(days=2)
        package.valid_until = now - timedelta(days=1)
    arrive(page, gateway)
    use(page, used.code)
    expect(page.locator("#refused")).to_contain_text("This has expired. Use another voucher")
    use(page, unsold.code[:-1] + ("2" if unsold.code[-1] != "2" else "3"))
    expect(page.get_by_role("alert")).to_contain_text("A character is wrong or missing")
    stock = desk.batch(now=now, plan=DAY_PLAN, as_login=True, expires_at=None)
    use(page, desk.codes(stock, now)[0].code)
    expect(page.get_by_role("alert")).to_contain_text("was not sold yet")
    use(page, sold(desk, now, as_login=False)[0].code)
    expect(page.get_by_role("alert")).to_contain_text("is for an account")
    assert gateway.logins == []


def test_nothing_is_sent_to_a_forged_login_page(
    one_phone: Visitor, place: OpenHotspot, desk: Desk, now: datetime
) -> None:
    here, other, page = place(), place(), one_phone.page
    (code,) = sold(desk, now)
    for forged in ("http://evil.example/login", f"{other.address}/login"):
        page.goto(f"{here.page}?link-login-only={forged}")
        expect(page.get_by_role("alert")).to_contain_text("not one of this hotspot's")
        assert page.locator("form").count() == 0
    # Nor after it, when the form of an earlier page is sent.
    page.goto(here.page)
    use(page, code.code)
    expect(page.locator("form")).to_have_attribute("action", f"{here.address}/login")
    # And what was kept of one hotspot is nothing at another.
    arrive(page, here)
    page.goto(other.page)
    use(page, code.code)
    expect(page.locator("form")).to_have_attribute("action", f"{other.address}/login")


def test_a_nas_that_is_not_known_and_one_that_is_closed(
    one_phone: Visitor, place: OpenHotspot, portal: str, context: Context, now: datetime
) -> None:
    gateway, page = place(), one_phone.page
    page.goto(f"{portal}/hotspot/nosuchkey?link-login-only={gateway.address}/login")
    expect(page.get_by_role("alert")).to_contain_text("not known here")
    hotspots.change(context, gateway.name, now, closed=True)
    page.goto(gateway.page)
    expect(page.get_by_role("alert")).to_contain_text("not known here")
    hotspots.change(context, gateway.name, now, closed=False)
    page.goto(gateway.page)
    expect(page.locator("#code")).to_be_visible()
    page.goto(portal)
    expect(page.locator("main")).to_contain_text("Connect to the hotspot's Wi-Fi")


def test_an_old_challenge_is_asked_for_anew(
    one_phone: Visitor, place: OpenHotspot, desk: Desk, now: datetime
) -> None:
    gateway, page = place(Chilli), one_phone.page
    (code,) = sold(desk, now)
    page.goto(gateway.page)  # as by a bookmark: no challenge came along
    use(page, code.code)
    expect(page.locator("#again")).to_have_attribute("href", f"{gateway.address}/prelogin")
    page.click("#again")
    use(page, code.code)
    page.click("#connect")
    expect(page.locator("h1")).to_have_text("You are connected")
    assert [one.result for one in gateway.logins] == ["accept"]


def test_the_portal_and_the_panel_are_apart(
    one_phone: Visitor, place: OpenHotspot, portal: str
) -> None:
    gateway, page = place(), one_phone.page
    panel = portal.replace(PORTAL_HOST, "127.0.0.1")
    for path in ("/login", "/my/login", "/api/v1/vouchers/redeem", "/static/panel.css", "/healthz"):
        answer = page.goto(portal + path)
        assert answer is not None and answer.status == 404, path
        assert "Tollway" not in page.content()
    assert page.request.get(f"{panel}/my/login").status == 200
    for path in ("/hotspot/", "/hotspot/style.css", gateway.page.split("/", 3)[3]):
        assert page.request.get(f"{panel}/{path.lstrip('/')}").status == 404, path
    arrive(page, gateway)
    assert [one["name"] for one in page.context.cookies(portal)] == ["tollway-guest"]


def test_the_first_page_is_small_and_fits(one_phone: Visitor, place: OpenHotspot) -> None:
    gateway, page = place(), one_phone.page
    loaded: list[int] = []

    def note(response: object) -> None:
        sizes = response.request.sizes()  # type: ignore[attr-defined]
        loaded.append(sizes["responseBodySize"] + sizes["responseHeadersSize"])

    page.on("requestfinished", lambda request: note(request.response()))
    page.goto(gateway.page)
    page.wait_for_load_state("networkidle")
    assert len(loaded) == 2  # the page and its style
    assert 1_000 < sum(loaded) < FIRST_PAGE_MOST
    assert page.locator("script").count() == 0
    assert one_phone.overflow() == 0
    assert one_phone.complaints == []


def test_a_reseller_s_hotspot_has_its_brand(
    one_phone: Visitor, place: OpenHotspot, context: Context, isp: Isp, now: datetime
) -> None:
    shop = resellers.add(
        context,
        name=f"Shop {next(_names)}",
        parent_org_id=1,
        profile_id=isp.profile_id,
        now=now,
    )
    brands.save(context, shop.org_id, now, accent="#aa3300", logo=None, contact=["Tel. 555 0100"])
    gateway, page = place(org_id=shop.org_id), one_phone.page
    arrive(page, gateway)
    expect(page.locator("header")).to_have_text(shop.name)
    expect(page.locator("footer")).to_contain_text("Tel. 555 0100")
    border = "getComputedStyle(document.body).borderTopColor"
    assert page.evaluate(border) == "rgb(170, 51, 0)"
    assert one_phone.complaints == []


@pytest.mark.rule("R3")
def test_guesses_are_slowed_down(
    one_phone: Visitor, place: OpenHotspot, desk: Desk, now: datetime
) -> None:
    gateway, page = place(), one_phone.page
    (code,) = sold(desk, now)
    desk.rows("DELETE FROM voucher_guess RETURNING 1")
    arrive(page, gateway)
    for guess in new_codes(CodeFormat(length=12), SOURCE_FAILURES_LIMIT):
        use(page, guess)
        expect(page.get_by_role("alert")).to_contain_text("No voucher has this code")
    use(page, code.code)
    expect(page.get_by_role("alert")).to_contain_text("Too many wrong codes")
    desk.rows("DELETE FROM voucher_guess RETURNING 1")


@pytest.mark.rule("R3")
def test_a_guest_reads_the_language_of_the_browser(
    one_phone: Visitor, place: OpenHotspot, desk: Desk, now: datetime
) -> None:
    page, gateway = one_phone.page, place(Mikrotik)
    page.set_extra_http_headers({"Accept-Language": "es-ES,es;q=0.9"})
    (code,) = sold(desk, now)
    desk_batch = desk.look(code).batch_id
    page.goto(gateway.address)
    expect(page.locator("html")).to_have_attribute("lang", "es")
    page.fill("#code", "wrong")
    page.get_by_role("button", name="Usar el vale").click()
    expect(page.get_by_role("alert")).to_contain_text("mire otra vez la tarjeta")
    page.fill("#code", code.code)
    page.get_by_role("button", name="Usar el vale").click()
    expect(page.locator("#left")).to_contain_text("desde que se conecte")
    voucher_sales.revoke(desk.context, Range(batch_id=desk_batch), now)
    page.goto(gateway.address)
    page.fill("#code", code.code)
    page.get_by_role("button", name="Usar el vale").click()
    expect(page.get_by_role("alert")).to_contain_text("fue anulado: pregunte donde lo compró")
    assert one_phone.overflow() == 0
    assert [said for said in one_phone.complaints if "422" not in said] == []
