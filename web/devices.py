"""Browsers that somebody logged in from: they have a login budget of their own, so that guesses
from elsewhere cannot lock the person out (security.md 8)."""

from __future__ import annotations

import secrets

from flask import Response, current_app, request
from itsdangerous import BadSignature, URLSafeSerializer

from web.headers import cookie_name

STAFF = "device"
_KEPT_SECONDS = 365 * 86_400


def known(kind: str = STAFF) -> tuple[int, str] | None:
    """Whose browser this is (by id), and its token; None for a new one."""
    name, signer = _cookie(kind)
    try:
        person_id, token = signer.loads(request.cookies.get(name, ""))
    except (BadSignature, ValueError):
        return None
    return int(person_id), str(token)


def remember(response: Response, person_id: int, kind: str = STAFF) -> Response:
    """Give the browser a signed token that proves this login."""
    name, signer = _cookie(kind)
    response.set_cookie(
        name,
        signer.dumps([person_id, secrets.token_urlsafe(16)]),
        max_age=_KEPT_SECONDS,
        secure=bool(current_app.config["TOLLWAY_HTTPS"]),
        httponly=True,
        samesite="Lax",
        path="/",
    )
    return response


def _cookie(kind: str) -> tuple[str, URLSafeSerializer]:
    name = cookie_name(kind, bool(current_app.config["TOLLWAY_HTTPS"]))
    return name, URLSafeSerializer(current_app.secret_key or "", salt=kind)
