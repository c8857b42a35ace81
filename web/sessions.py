"""Three cookies, one for each kind of person: nothing that staff's browser session holds is known
at the customers' addresses or the captive portal's, nor the other way round (security.md 5, 6)."""

from __future__ import annotations

from flask import Flask, Request, Response, request
from flask.sessions import SecureCookieSessionInterface, SessionInterface, SessionMixin

from web.headers import cookie_name

CUSTOMERS = "/my"
"""Where the addresses of the customers' own pages begin."""
GUESTS = "/hotspot"
"""Where those of the captive portal begin."""


def of_customers(path: str) -> bool:
    return path == CUSTOMERS or path.startswith(CUSTOMERS + "/")


def of_guests(path: str) -> bool:
    return path == GUESTS or path.startswith(GUESTS + "/")


class _CustomersCookie(SecureCookieSessionInterface):
    """Signed for itself: a value of the other cookie is none of this one."""

    salt = "customer-session"

    def get_cookie_name(self, app: Flask) -> str:
        return cookie_name("my", bool(app.config["TOLLWAY_HTTPS"]))


class _GuestsCookie(SecureCookieSessionInterface):
    """Kept when the browser is closed: a guest who has paid may come back."""

    salt = "guest-session"

    def get_cookie_name(self, app: Flask) -> str:
        return cookie_name("guest", bool(app.config["TOLLWAY_HTTPS"]))


class SessionsByPart(SessionInterface):
    """Chooses the cookie by the address that was asked for."""

    def __init__(self) -> None:
        self._staff, self._customers = SecureCookieSessionInterface(), _CustomersCookie()
        self._guests = _GuestsCookie()

    def open_session(self, app: Flask, request: Request) -> SessionMixin | None:
        return self._of(request.path).open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        self._of(request.path).save_session(app, session, response)

    def _of(self, path: str) -> SecureCookieSessionInterface:
        if of_guests(path):
            return self._guests
        return self._customers if of_customers(path) else self._staff
