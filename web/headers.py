"""Cookies, security headers and error pages (security.md 5 and 6)."""

from __future__ import annotations

from flask import Flask, Response, g, render_template, request
from flask.typing import ResponseReturnValue
from flask_talisman import Talisman
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.middleware.proxy_fix import ProxyFix

from billing.errors import NotFound, Refused, TollwayError, Unavailable
from web.options import Options

_STATUS = {NotFound: 404, Refused: 409, Unavailable: 503}
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "font-src": "'self'",
    "form-action": "'self'",
    "frame-src": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


def init_app(app: Flask, options: Options) -> None:
    """Cookies are `__Host-` and Secure when the public address is https. Browsers refuse such
    cookies over plain HTTP, so on loopback (nothing else is served plainly) they have another name.
    """
    options.check()
    https = options.https
    app.config.update(
        SECRET_KEY=options.cookie_key,
        SESSION_COOKIE_NAME=cookie_name("session", https),
        SESSION_COOKIE_SECURE=https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        SEND_FILE_MAX_AGE_DEFAULT=3600,
        MAX_CONTENT_LENGTH=1_000_000,
        WTF_CSRF_TIME_LIMIT=None,  # ends with the session
        TRUSTED_HOSTS=options.host_names,
        TOLLWAY_HTTPS=https,
    )
    if https:  # one proxy in front ends TLS
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1)  # type: ignore[method-assign]
    app.after_request(_allow_forms)  # after Talisman, which comes before what it finds
    Talisman(
        app,
        force_https=https,
        strict_transport_security=https,
        session_cookie_secure=https,
        session_cookie_samesite="Lax",
        frame_options="DENY",
        referrer_policy="same-origin",
        content_security_policy=_POLICY,
        content_security_policy_nonce_in=["script-src"],
    )
    CSRFProtect(app)
    app.after_request(_keep_private)
    app.register_error_handler(TollwayError, _tollway_error)
    app.register_error_handler(CSRFError, _csrf_error)
    app.register_error_handler(HTTPException, _http_error)


def cookie_name(name: str, https: bool) -> str:
    return f"__Host-tollway-{name}" if https else f"tollway-{name}"


def send_forms_to(origin: str) -> None:
    """Let forms of this answer go to another site, too; `origin` is one that was registered."""
    g.forms_to = origin


def _allow_forms(response: Response) -> Response:
    origin = g.get("forms_to")
    if origin:
        policy = response.headers["Content-Security-Policy"]
        allowed = policy.replace("form-action 'self'", f"form-action 'self' {origin}")
        response.headers["Content-Security-Policy"] = allowed
    return response


def _keep_private(response: Response) -> Response:
    """Only files that are the same for everybody may stay in a cache."""
    if request.endpoint not in ("static", "portal.style"):
        response.headers["Cache-Control"] = "no-store"
    return response


def _tollway_error(error: TollwayError) -> ResponseReturnValue:
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 400)
    return _page(status, error.message)


def _csrf_error(_error: CSRFError) -> ResponseReturnValue:
    return _page(400, "This form is out of date or did not come from this site. Open it again.")


_WORDS = {
    403: "Your role does not allow this. Ask an owner.",
    404: "There is no such page.",
    413: "That is longer than the panel takes (1 MB): send less at a time.",
    405: "This address does not take that kind of request.",
}


def _http_error(error: HTTPException) -> ResponseReturnValue:
    if isinstance(error, SecurityError) or error.code is None or error.code < 400:
        return error.get_response()
    return _page(error.code, _WORDS.get(error.code, error.description or error.name))


def _page(status: int, message: str) -> ResponseReturnValue:
    g.is_down = status == _STATUS[Unavailable]
    if g.get("at_hotspots"):
        return render_template("portal/error.html", message=message), status
    home = "/my/" if request.path.startswith("/my/") else "/"
    return render_template("error.html", status=status, message=message, home=home), status
