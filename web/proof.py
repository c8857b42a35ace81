"""A person proves again who it is, in the form whose command asks for it (security.md 16)."""

from __future__ import annotations

from dataclasses import replace

from flask import current_app, request, session
from flask_security import current_user

from billing.errors import InvalidInput
from billing.services import confirmations, staff
from billing.services.context import Context
from web import devices, parts
from web.accounts import SESSION_KEY

_CODE_WINDOW_SECONDS = 30
"""As at the login: what clocks may differ by."""


def prove(context: Context, password: str, code: str) -> Context:
    """The caller's context with what it has just proved, which holds for five minutes in this
    browser. Wrong ones count as at the login.

    Raises InvalidInput (at the field that is wrong), Refused (too many were wrong).
    """
    nobody, now, member = parts.login_context(), parts.now(), parts.member()
    if not member.two_factor_exempt and not code:
        raise InvalidInput("must be filled in", field="proof_code")
    device = devices.known()
    attempt = staff.LoginAttempt(
        email=member.email,
        password=password,
        address=request.remote_addr or "unknown",
        device=device[1] if device else None,
        device_staff_id=device[0] if device else None,
    )
    try:
        staff.log_in(nobody, attempt, now)
    except InvalidInput:
        raise InvalidInput("wrong password", field="proof_password") from None
    if not member.two_factor_exempt:
        _check_code(code)
    confirmations.note_proof(nobody, str(session[SESSION_KEY]), now)
    return replace(context, proved_at=now)


def _check_code(code: str) -> None:
    staff_id = parts.member().staff_id
    staff.check_code_budget(parts.login_context(), staff_id, parts.now())
    if not current_app.extensions["security"].totp_factory.verify_totp(
        token=code,
        totp_secret=current_user.tf_totp_secret,
        user=current_user,
        window=_CODE_WINDOW_SECONDS,
    ):
        staff.code_failed(parts.login_context(), staff_id, parts.now())
        raise InvalidInput("wrong code, or one that was used: wait for the next",
                           field="proof_code")  # fmt: skip
