"""Login by Flask-Security over `billing.services.staff` (security.md 4, 5 and 8)."""

from __future__ import annotations

from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from flask import (
    Flask,
    Response,
    abort,
    after_this_request,
    current_app,
    redirect,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_login import user_logged_out
from flask_security import (
    LoginForm,
    Security,
    TwoFactorRescueForm,
    TwoFactorSetupForm,
    TwoFactorVerifyCodeForm,
    current_user,
    login_user,
    user_authenticated,
)
from flask_wtf import FlaskForm
from wtforms import StringField

from billing.errors import Refused, TollwayError
from billing.services import staff
from web import devices, parts
from web.accounts import SESSION_KEY, StaffDatastore, StaffTotp, StaffUser, begin_login
from web.guards import View
from web.options import Options

# Pages of Flask-Security that the panel does without: a lost second factor is mended by a new
# enrolment link, which an owner makes.
_ABSENT = ("two_factor_rescue", "two_factor_setup_validate", "tf_select", "verify")


class StaffCodeForm(TwoFactorVerifyCodeForm):
    """The second factor, with a budget of wrong codes."""

    def validate(self, **kwargs: Any) -> bool:
        try:
            staff.check_code_budget(parts.login_context(), self.user.member.staff_id, parts.now())
        except Refused as error:
            self.code.errors = [error.message]
            return False
        return bool(super().validate(**kwargs))


class StaffSetupForm(TwoFactorSetupForm):
    """There is one method: no choice to show."""

    setup = StringField()


class StaffRescueForm(TwoFactorRescueForm):
    """Built by Flask-Security beside the code form; its page is absent."""

    help_setup = StringField()


class StaffLoginForm(LoginForm):
    """Email and password; the service checks and throttles."""

    remember = None

    def validate(self, **kwargs: Any) -> bool:
        if not FlaskForm.validate(self, **kwargs):
            return False
        device = devices.known()
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
        begin_login()
        return True


def after_password(user: StaffUser) -> ResponseReturnValue:
    """What follows a password that was just set: the second factor, or the panel."""
    begin_login()
    plugins = current_app.extensions["security"].two_factor_plugins
    answer: ResponseReturnValue | None = plugins.tf_enter(user, False, "password", next_loc=None)
    if answer is not None:
        return answer
    login_user(user, authn_via=["password"])
    return redirect("/")


def init_app(app: Flask, options: Options) -> None:
    """Login and logout pages, and who `current_user` is."""
    app.config.update(
        SECURITY_PASSWORD_SALT=options.salt,
        SECURITY_LOGOUT_METHODS=["POST"],
        SECURITY_POST_LOGIN_VIEW="/",
        SECURITY_POST_LOGOUT_VIEW="/login",
        SECURITY_REDIRECT_ALLOW_SUBDOMAINS=False,
        SECURITY_API_ENABLED_METHODS=["session"],
        SECURITY_USE_REGISTER_V2=True,
        SECURITY_MSG_UNAUTHENTICATED=("Log in to go on.", "info"),
        SECURITY_TWO_FACTOR=True,
        SECURITY_TWO_FACTOR_REQUIRED=True,
        SECURITY_TWO_FACTOR_ENABLED_METHODS=["authenticator"],
        SECURITY_TWO_FACTOR_AUTHENTICATOR_VALIDITY=30,
        SECURITY_TWO_FACTOR_RESCUE_EMAIL=False,
        SECURITY_TOTP_SECRETS={"1": options.second_factor_key},
        SECURITY_TOTP_ISSUER="Tollway",
    )
    security = Security(
        app,
        StaffDatastore(),
        login_form=StaffLoginForm,
        two_factor_setup_form=StaffSetupForm,
        two_factor_verify_code_form=StaffCodeForm,
        two_factor_rescue_form=StaffRescueForm,
        totp_cls=StaffTotp,
    )
    for name in _ABSENT:
        app.view_functions[f"security.{name}"] = _absent
    for name in ("two_factor_setup", "two_factor_token_validation"):
        endpoint = f"security.{name}"
        app.view_functions[endpoint] = _before_login(app.view_functions[endpoint])
    security.unauthn_handler(_ask_to_log_in)
    user_authenticated.connect(_begin_session, app)
    user_logged_out.connect(_end_session, app)


def _absent(**_values: Any) -> ResponseReturnValue:
    abort(404)


def _before_login(view: View) -> View:
    """A stolen session must not be able to set another second factor."""

    @wraps(view)
    def checked(**values: Any) -> ResponseReturnValue:
        if current_user.is_authenticated:
            abort(404)
        return view(**values)

    return checked


def _begin_session(_app: Flask, user: StaffUser, **_more: Any) -> None:
    """A new token and a new CSRF secret at each login; the browser is remembered for throttling."""
    session.pop("csrf_token", None)
    session[SESSION_KEY] = staff.open_session(parts.login_context(), user.member, parts.now())
    device = devices.known()
    if device is None or device[0] != user.member.staff_id:
        after_this_request(lambda response: devices.remember(response, user.member.staff_id))


def _end_session(_app: Flask, **_more: Any) -> None:
    token = session.pop(SESSION_KEY, None)
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
