"""Login by Flask-Security over `billing.services.staff` (security.md 4, 5 and 8)."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, after_this_request, current_app, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import user_logged_out
from flask_security import (
    LoginForm,
    RoleMixin,
    Security,
    UserDatastore,
    UserMixin,
    user_authenticated,
)
from flask_wtf import FlaskForm
from itsdangerous import BadSignature, URLSafeSerializer

from billing.errors import TollwayError
from billing.model.staff import SessionLimits, StaffMember
from billing.services import staff
from billing.settings import Settings
from web import parts
from web.headers import cookie_name

_SESSION_KEY = "staff_session"
_DEVICE_SECONDS = 365 * 86_400


class StaffRoleName(RoleMixin):
    """A role as Flask-Security wants it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.permissions: list[str] = []


class StaffUser(UserMixin):
    """A StaffMember as Flask-Security wants it."""

    fs_uniquifier = ""

    def __init__(self, member: StaffMember) -> None:
        self.member = member
        self.email = member.email
        self.fs_uniquifier = member.session_token
        self.active = member.active
        self.roles = [StaffRoleName(role) for role in sorted(member.roles)]


class StaffDatastore(UserDatastore):
    """Finds people by their browser session only: whoever has none is nobody."""

    def __init__(self) -> None:
        super().__init__(StaffUser, StaffRoleName)

    def commit(self) -> None:
        """Nothing to do: every service commits its own transaction."""

    def find_user(self, case_insensitive: bool = False, **identity: Any) -> StaffUser | None:
        token = session.get(_SESSION_KEY)
        if token is None:
            return None
        member = staff.session_member(
            parts.login_context(), str(token), SessionLimits(), parts.now()
        )
        if member is None or member.session_token != identity.get("fs_uniquifier"):
            return None
        return StaffUser(member)


class StaffLoginForm(LoginForm):
    """Email and password; the service checks and throttles."""

    remember = None

    def validate(self, **kwargs: Any) -> bool:
        if not FlaskForm.validate(self, **kwargs):
            return False
        device = _known_device()
        attempt = staff.LoginAttempt(
            email=str(self.email.data),
            password=str(self.password.data),
            address=request.remote_addr or "unknown",
            device=device[1] if device else None,
            device_staff_id=device[0] if device else None,
        )
        try:
            self.user = StaffUser(staff.log_in(parts.login_context(), attempt, parts.now()))
        except TollwayError as error:
            self.form_errors.append(error.message)
            return False
        return True


def init_app(app: Flask, settings: Settings) -> None:
    """Login and logout pages, and who `current_user` is."""
    app.config.update(
        SECURITY_PASSWORD_SALT=settings.subkey("panel salt").hex(),
        SECURITY_LOGOUT_METHODS=["POST"],
        SECURITY_POST_LOGIN_VIEW="/",
        SECURITY_POST_LOGOUT_VIEW="/login",
        SECURITY_REDIRECT_ALLOW_SUBDOMAINS=False,
        SECURITY_API_ENABLED_METHODS=["session"],
        SECURITY_USE_REGISTER_V2=True,
        SECURITY_MSG_UNAUTHENTICATED=("Log in to go on.", "info"),
        SECURITY_MSG_LOGIN=("Log in to go on.", "info"),
    )
    security = Security(app, StaffDatastore(), login_form=StaffLoginForm)
    security.unauthn_handler(_ask_to_log_in)
    user_authenticated.connect(_begin_session, app)
    user_logged_out.connect(_end_session, app)


def _begin_session(_app: Flask, user: StaffUser, **_more: Any) -> None:
    """A new token and a new CSRF secret at each login; the browser is remembered for throttling."""
    session.pop("csrf_token", None)
    session[_SESSION_KEY] = staff.open_session(parts.login_context(), user.member, parts.now())
    device = _known_device()
    if device is None or device[0] != user.member.staff_id:
        token = secrets.token_urlsafe(16)
        after_this_request(lambda response: _remember(response, user.member.staff_id, token))


def _end_session(_app: Flask, **_more: Any) -> None:
    token = session.pop(_SESSION_KEY, None)
    if token is not None:
        staff.close_session(parts.login_context(), str(token))


def _ask_to_log_in(_methods: list[str], headers: Any = None) -> ResponseReturnValue:
    """The login page; a part of a page that asks for more is told to load it as a whole."""
    target = request.full_path.rstrip("?") if request.method == "GET" else "/"
    if "HX-Request" in request.headers:
        here = urlsplit(request.headers.get("HX-Current-URL", "/")).path or "/"
        return Response(status=401, headers={"HX-Redirect": url_for("security.login", next=here)})
    login_url = url_for("security.login", **({"next": target} if target != "/" else {}))
    return Response(status=302, headers={"Location": login_url})


def _device_cookie() -> tuple[str, URLSafeSerializer]:
    name = cookie_name("device", bool(current_app.config["TOLLWAY_HTTPS"]))
    return name, URLSafeSerializer(current_app.secret_key or "", salt="device")


def _known_device() -> tuple[int, str] | None:
    """Whose browser this is, and its token: proof of an earlier login."""
    name, signer = _device_cookie()
    try:
        staff_id, token = signer.loads(request.cookies.get(name, ""))
    except (BadSignature, ValueError):
        return None
    return int(staff_id), str(token)


def _remember(response: Response, staff_id: int, token: str) -> Response:
    name, signer = _device_cookie()
    response.set_cookie(
        name,
        signer.dumps([staff_id, token]),
        max_age=_DEVICE_SECONDS,
        secure=bool(current_app.config["TOLLWAY_HTTPS"]),
        httponly=True,
        samesite="Lax",
        path="/",
    )
    return response
