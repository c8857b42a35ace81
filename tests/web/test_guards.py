"""What the panel refuses, whoever asks: HTTP as an attacker would write it (security.md 4–8)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, event

from billing.errors import InvalidInput
from billing.model.staff import StaffRole
from billing.services import staff
from billing.services.context import Context
from billing.settings import Settings
from tests.web.isp import Isp
from tests.web.people import PASSWORD, enrolled
from web import create_app

COOKIE = "tollway-session"


class Clock:
    """The panel's clock, moved by hand."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(began: datetime) -> Clock:
    return Clock(began)


@pytest.fixture
def app(settings: Settings, isp: Isp, clock: Clock) -> Iterator[Flask]:
    made = create_app(settings, clock=clock)
    yield made
    made.extensions["tollway"].close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def _token(client: FlaskClient, path: str = "/login") -> str:
    page = client.get(path).get_data(as_text=True)
    return page.split('name="csrf_token"', 1)[1].split('value="', 1)[1].split('"', 1)[0]


def _log_in(client: FlaskClient, email: str, password: str = PASSWORD) -> str:
    """The page after the attempt."""
    form = {"email": email, "password": password, "csrf_token": _token(client)}
    return client.post("/login", data=form, follow_redirects=True).get_data(as_text=True)


@pytest.mark.parametrize(
    "path",
    [
        "/login",
        "/logout",
        "/profiles/new",
        "/plans/new",
        "/pools/1/release",
        "/orders/1/retry",
        "/customers/new",
        "/customers/1/pay",
        "/customers/1/credit",
        "/customers/1/promise",
        "/billing/run",
        "/payments/1/cancel",
        "/payments/1/look-up",
        "/payments/1/refund",
        "/suspense/1/match",
        "/suspense/1/return",
        "/bank/1/try",
        "/bank/1/import",
        "/shifts",
        "/shifts/1/close",
    ],
)
def test_unsafe_requests_without_a_csrf_token_are_refused(
    client: FlaskClient, owner: str, path: str
) -> None:
    if path != "/login":
        _log_in(client, owner)
    answer = client.post(path, data={"email": owner, "password": PASSWORD, "name": "x"})
    assert answer.status_code == 400
    assert "did not come from this site" in answer.get_data(as_text=True)


def test_what_is_too_long_is_told_so(client: FlaskClient) -> None:
    answer = client.post("/login", data={"email": "x" * 1_000_001})
    assert answer.status_code == 413
    assert "longer than the panel takes (1 MB)" in answer.get_data(as_text=True)


def test_headers_keep_pages_private_and_scripts_own(client: FlaskClient, owner: str) -> None:
    _log_in(client, owner)
    answer = client.get("/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "'nonce-" in policy and "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-store"
    assert client.get("/").headers["Content-Security-Policy"] != policy


def test_session_cookie_is_closed_to_scripts_and_changes_at_login(
    client: FlaskClient, owner: str
) -> None:
    _token(client)
    before = client.get_cookie(COOKIE)
    _log_in(client, owner)
    after = client.get_cookie(COOKIE)
    assert before is not None and after is not None
    assert before.value != after.value
    assert after.http_only and after.same_site == "Lax"


def test_behind_https_cookies_are_host_bound_and_secure(settings: Settings, isp: Isp) -> None:
    public = settings.model_copy(update={"panel_url": "https://panel.isp.example"})
    app = create_app(public)
    try:
        headers = {"X-Forwarded-Proto": "https", "Host": "panel.isp.example"}
        answer = app.test_client().get("/login", headers=headers)
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("__Host-tollway-session=")
        assert "Secure" in cookie and "Path=/" in cookie and "Domain" not in cookie
        assert "max-age=" in answer.headers["Strict-Transport-Security"]
        plain = app.test_client().get("/login", headers={"Host": "panel.isp.example"})
        assert plain.status_code == 302 and plain.location.startswith("https://")
    finally:
        app.extensions["tollway"].close()


def test_plain_http_is_served_on_loopback_only(settings: Settings) -> None:
    with pytest.raises(InvalidInput, match="plain HTTP"):
        create_app(settings.model_copy(update={"http_address": "0.0.0.0"}))  # noqa: S104


def test_a_foreign_host_name_is_refused(client: FlaskClient) -> None:
    assert client.get("/login", headers={"Host": "rebound.example"}).status_code == 400


def test_health_needs_no_login_and_tells_nothing(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})


def test_without_the_database_the_panel_says_so(settings: Settings, tmp_path: Path) -> None:
    nowhere = f"postgresql://postgres@/postgres?host={tmp_path}"
    app = create_app(settings.model_copy(update={"database_url": nowhere}))
    try:
        client = app.test_client()
        assert client.get("/healthz").status_code == 503
        answer = client.get("/enrol/anything")
        assert answer.status_code == 503
        assert "does not answer" in answer.get_data(as_text=True)
    finally:
        app.extensions["tollway"].close()


def test_a_page_costs_the_same_statements_however_many_rows(
    client: FlaskClient, owner: str, isp: Isp
) -> None:
    _log_in(client, owner)
    assert _statements(client, "/?q=amina") <= 16
    assert _statements(client, "/") <= 18  # monthly customers have bills
    assert _statements(client, f"/subscribers/{isp.running_id}") <= 60
    assert _statements(client, "/customers") <= 10
    assert _statements(client, f"/customers/{isp.customer_id}") <= 64  # fifteen cards


def _statements(client: FlaskClient, path: str) -> int:
    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_more: object) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert client.get(path).status_code == 200
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    return len(seen)


def test_a_session_ends_when_idle_and_after_its_absolute_time(
    client: FlaskClient, owner: str, clock: Clock
) -> None:
    _log_in(client, owner)
    for _ in range(2):
        clock.now += timedelta(minutes=29)
        assert client.get("/").status_code == 200
    clock.now += timedelta(minutes=31)
    assert client.get("/").status_code == 302
    _log_in(client, owner)
    for _ in range(36):
        clock.now += timedelta(minutes=20)
        assert client.get("/").status_code == 200
    clock.now += timedelta(minutes=1)
    assert client.get("/").status_code == 302


def test_disabling_somebody_ends_every_session_at_once(
    client: FlaskClient, context: Context, clock: Clock
) -> None:
    email = enrolled(context, "leaver@isp.example", StaffRole.OWNER, clock.now).email
    _log_in(client, email)
    assert client.get("/").status_code == 200
    staff.set_active(context, email, False, clock.now)
    assert client.get("/").status_code == 302
    assert "disabled" in _log_in(client, email)


def test_a_cookie_alone_is_no_session(client: FlaskClient, owner: str) -> None:
    """Signed by the same key, but naming a person instead of a session."""
    with client.session_transaction() as forged:
        forged["_user_id"] = "guessed"
        forged["staff_session"] = "guessed"
    assert client.get("/").status_code == 302


def test_support_reads_but_does_not_edit(
    client: FlaskClient, context: Context, clock: Clock, isp: Isp
) -> None:
    _log_in(client, enrolled(context, "desk@isp.example", StaffRole.SUPPORT, clock.now).email)
    assert client.get("/profiles").status_code == 200
    assert client.get("/profiles/new").status_code == 403
    assert client.get(f"/plans/{isp.plan_id}").status_code == 403
    assert "/profiles/new" not in client.get("/profiles").get_data(as_text=True)


def test_guesses_are_throttled_without_locking_the_person_out(
    app: Flask, context: Context, clock: Clock
) -> None:
    email = enrolled(context, "busy@isp.example", StaffRole.OWNER, clock.now).email
    known, stranger = app.test_client(), app.test_client()
    assert "Subscribers" in _log_in(known, email)
    known.post("/logout", data={"csrf_token": _token(known, "/")})
    for _ in range(staff.ACCOUNT_FAILURES):
        assert "Wrong email" in _log_in(stranger, email, "a wrong guess")
    assert "too many failed logins" in _log_in(stranger, email).lower()
    assert "<h1>Subscribers" in _log_in(known, email)
    clock.now += staff.THROTTLE_WINDOW
    assert "<h1>Subscribers" in _log_in(stranger, email)


def test_a_second_factor_is_owed_at_once_and_guarded(
    client: FlaskClient, context: Context, clock: Clock
) -> None:
    email = enrolled(context, "careful@isp.example", StaffRole.OWNER, clock.now, exempt=False).email
    assert "Second factor" in _log_in(client, email)
    assert client.get("/").status_code == 302
    form = {"setup": "authenticator", "csrf_token": _token(client, "/tf-setup")}
    assert "totp-key" in client.post("/tf-setup", data=form).get_data(as_text=True)
    wrong = {"code": "123456", "csrf_token": form["csrf_token"]}
    for _ in range(staff.CODE_FAILURES):
        assert "Invalid code" in client.post("/tf-validate", data=wrong).get_data(as_text=True)
    assert "too many wrong codes" in client.post("/tf-validate", data=wrong).get_data(as_text=True)
    clock.now += timedelta(minutes=11)
    assert client.post("/tf-validate", data=wrong).status_code == 302


def test_a_running_session_cannot_change_the_second_factor(client: FlaskClient, owner: str) -> None:
    _log_in(client, owner)
    assert client.get("/tf-setup").status_code == 404
    token = _token(client, "/")
    for path in ("/tf-setup", "/tf-validate", "/tf-rescue", "/verify"):
        answer = client.post(path, data={"csrf_token": token, "setup": "authenticator"})
        assert answer.status_code == 404


def test_demo_staff_logs_in_with_the_password_alone(
    client: FlaskClient, context: Context, clock: Clock
) -> None:
    email, password = staff.create_demo_staff(context, clock.now)
    assert "<h1>Subscribers" in _log_in(client, email, password)
    again = staff.create_demo_staff(context, clock.now)
    assert again != (email, password)
    assert client.get("/").status_code == 302
