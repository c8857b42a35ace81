"""The panel served for real: its own server, database and browser."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Cookie, Page, sync_playwright
from werkzeug.serving import make_server

from billing.clock import utc_now
from billing.model.network import Vendor
from billing.model.staff import StaffRole
from billing.services import hotspot_setup, hotspots
from billing.services import nas as nas_services
from billing.services.context import Context
from billing.settings import Settings
from rig.loopback import answering
from rig.radius import RadiusServer
from tests.factories import Factory
from tests.integration.voucher_desk import Desk
from tests.waiting import until
from tests.web.hotspots import Chilli, Gateway, Mikrotik
from tests.web.isp import Isp, build
from tests.web.people import PASSWORD, enrolled
from web import create_app

# The same engine as Chromium's without its windows: a new page costs a third of the time.
CHROMIUM = "/usr/bin/chromium-headless-shell"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
OWNER = "owner@isp.example"
PHONE = {"width": 320, "height": 640}
PORTAL_HOST = "localhost"
OpenHotspot = Callable[..., Gateway]


class Visitor:
    """A page that notes every complaint of the browser: console errors, CSP, failed loads."""

    def __init__(self, page: Page, base_url: str) -> None:
        self.page, self.base_url = page, base_url
        self.complaints: list[str] = []
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, message: object) -> None:
        if getattr(message, "type", "") in ("error", "warning"):
            self.complaints.append(getattr(message, "text", ""))

    def open(self, path: str) -> Page:
        self.page.goto(self.base_url + path)
        return self.page

    def log_in(self, email: str, password: str = PASSWORD) -> Page:
        self.open("/login")
        self.page.fill("#email", email)
        self.page.fill("#password", password)
        self.page.click("button[type=submit]")
        return self.page

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window.

        A click returns when the answer has begun to arrive: there may be no element of it yet.
        """
        self.page.wait_for_load_state()
        width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(self.page.evaluate(width))


class Busy:
    """The panel, and which requests it is answering."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self.requests: set[object] = set()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        one = object()
        self.requests.add(one)
        try:
            return self._app(environ, start_response)
        finally:
            self.requests.discard(one)


class Desks:
    """Browsers in which staff stay logged in over the tests of a module, one a person.

    Whoever comes gets a new page that shows the first page of the panel, and the cookies of the
    first log-in whatever the test before has done with them. Where the session is gone he logs in
    again. Tests of the log-in itself take a `visitor`, whose browser is new.
    """

    def __init__(self, browser: Browser, base_url: str) -> None:
        self._browser, self._base_url = browser, base_url
        self._kept: dict[str, tuple[BrowserContext, list[Cookie]]] = {}

    def seat(self, email: str) -> Visitor:
        """A page of somebody whose password is PASSWORD; leave it by `clear`."""
        if email not in self._kept:
            self._kept[email] = (new_browsing(self._browser), [])
        browsing, cookies = self._kept[email]
        browsing.clear_cookies()
        browsing.add_cookies([{**cookie} for cookie in cookies])
        visitor = Visitor(browsing.new_page(), self._base_url)
        page = visitor.open("/")
        if page.locator("#password").count():
            visitor.log_in(email)
        page.wait_for_selector("#rows")
        page.evaluate("localStorage.clear()")
        self._kept[email] = (browsing, browsing.cookies())
        return visitor

    def clear(self) -> None:
        """Close the pages, with whatever they still do."""
        for browsing, _ in self._kept.values():
            for page in browsing.pages:
                page.close()

    def close(self) -> None:
        for browsing, _ in self._kept.values():
            browsing.close()


def new_browsing(browser: Browser) -> BrowserContext:
    """A browser without cookies."""
    opened = browser.new_context(viewport={"width": 1280, "height": 800})
    opened.set_default_timeout(60_000)
    return opened


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def began() -> datetime:
    return utc_now().replace(microsecond=0)


@pytest.fixture(scope="module")
def isp(context: Context, settings: Settings, began: datetime) -> Isp:
    return build(context, settings, began)


@pytest.fixture(scope="module")
def panel(settings: Settings, isp: Isp) -> Iterator[str]:
    """Address of a running panel, as the database role `panel`."""
    app = create_app(settings)
    busy = Busy(app)
    server = make_server("127.0.0.1", 0, busy, threaded=True)
    with answering(server):
        yield f"http://127.0.0.1:{server.server_port}"
    # A page that was closed may have asked for something: its connection has to come back first.
    until(lambda: not busy.requests)
    app.extensions["tollway"].close()


@pytest.fixture(scope="module")
def owner(context: Context, began: datetime) -> str:
    """Email of an enrolled owner; the password is PASSWORD."""
    return enrolled(context, OWNER, StaffRole.OWNER, began).email


@pytest.fixture
def browsing(browser: Browser) -> Iterator[BrowserContext]:
    """A browser without cookies."""
    opened = new_browsing(browser)
    yield opened
    opened.close()


@pytest.fixture
def visitor(browsing: BrowserContext, panel: str) -> Visitor:
    return Visitor(browsing.new_page(), panel)


@pytest.fixture(scope="module")
def kept_desks(browser: Browser, panel: str) -> Iterator[Desks]:
    kept = Desks(browser, panel)
    yield kept
    kept.close()


@pytest.fixture
def desks(kept_desks: Desks) -> Iterator[Desks]:
    """Pages for staff who are logged in."""
    yield kept_desks
    kept_desks.clear()


@pytest.fixture
def at_desk(desks: Desks, owner: str) -> Visitor:
    """The owner, logged in."""
    return desks.seat(owner)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return tmp_path / "page.png"


@pytest.fixture(scope="module")
def portal(settings: Settings, isp: Isp) -> Iterator[str]:
    """Address of the portal, whose host name is not the panel's; the role is `panel`."""
    app = create_app(settings.model_copy(update={"hotspot_url": f"http://{PORTAL_HOST}"}))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    with answering(server):
        yield f"http://{PORTAL_HOST}:{server.server_port}"
    app.extensions["tollway"].close()


@pytest.fixture
def desk(context: Context, make: Factory) -> Desk:
    return Desk(context, make)


@pytest.fixture
def place(
    context: Context, make: Factory, radius: dict[str, RadiusServer], portal: str, now: datetime
) -> Iterator[OpenHotspot]:
    """Opens hotspots that the portal knows."""
    running = []

    def opened(kind: type[Gateway] = Mikrotik, org_id: int = 1, **options: object) -> Gateway:
        vendor = Vendor.MIKROTIK if kind is Mikrotik else Vendor.CHILLI
        nas = make.simulated_nas(
            now,
            vendor=vendor,
            auth_port=radius["auth"].port,
            acct_port=radius["acct"].port,
        )
        nas.__enter__()
        gateway = kind(nas, **options)  # type: ignore[arg-type]
        serving = gateway.serving()
        serving.__enter__()
        running.append((nas, serving))
        known = nas_services.list_nas(context, now)
        name = next(one.name for one in known if one.nas_id == nas.nas_id)
        view, secret = hotspots.add(context, name, [gateway.address], now, org_id=org_id)
        gateway.page, gateway.name = hotspot_setup.portal_page(view, portal), name
        if isinstance(gateway, Mikrotik):
            gateway.login_html = hotspot_setup.login_file(view, portal)
        if isinstance(gateway, Chilli):
            gateway.secret = secret
        return gateway

    yield opened
    for nas, serving in running:
        serving.__exit__(None, None, None)
        nas.__exit__(None, None, None)


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def phone(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """A phone whose browser runs scripts, and one whose does not."""
    browsing = browser.new_context(viewport=PHONE, java_script_enabled=request.param)
    browsing.set_default_timeout(20_000)
    yield Visitor(browsing.new_page(), "")
    browsing.close()


@pytest.fixture
def one_phone(browser: Browser) -> Iterator[Visitor]:
    browsing = browser.new_context(viewport=PHONE)
    browsing.set_default_timeout(20_000)
    yield Visitor(browsing.new_page(), "")
    browsing.close()
