"""The panel served for real: its own server, database and browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from werkzeug.serving import make_server

from billing.clock import utc_now
from billing.model.staff import StaffRole
from billing.services.context import Context
from billing.settings import Settings
from tests.web.isp import Isp, build
from tests.web.people import PASSWORD, enrolled
from web import create_app

CHROMIUM = "/usr/bin/chromium"
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
        """By how many pixels the page is wider than the window."""
        width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(self.page.evaluate(width))


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
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        app.extensions["tollway"].close()


@pytest.fixture(scope="module")
def owner(context: Context, began: datetime) -> str:
    """Email of an enrolled owner; the password is PASSWORD."""
    return enrolled(context, OWNER, StaffRole.OWNER, began).email


@pytest.fixture
def browsing(browser: Browser) -> Iterator[BrowserContext]:
    """A browser without cookies."""
    opened = browser.new_context(viewport={"width": 1280, "height": 800})
    opened.set_default_timeout(10_000)
    yield opened
    opened.close()


@pytest.fixture
def visitor(browsing: BrowserContext, panel: str) -> Visitor:
    return Visitor(browsing.new_page(), panel)


@pytest.fixture
def at_desk(visitor: Visitor, owner: str) -> Visitor:
    """The owner, logged in."""
    visitor.log_in(owner).wait_for_selector("#rows")
    return visitor


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return tmp_path / "page.png"
