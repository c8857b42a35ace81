"""What other programs of a subscriber call: JSON over HTTPS, no cookie and no form (security.md 8).

The subscription's user name and password stand in the request (HTTP Basic), and are throttled as at
the login of `/my/`; what is typed as a code is throttled as anywhere else (rule R3).
"""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from billing.errors import Conflict, InvalidInput, NotFound, Refused, TollwayError
from billing.model.self_care import SubscriberAttempt
from billing.model.vouchers import Redemption, serial_text
from billing.services import self_care, voucher_redeem
from web import parts
from web.guards import public

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")

_BODY_LIMIT = 4_096
_STATUS: dict[type[TollwayError], int] = {
    Conflict: 409,
    InvalidInput: 422,
    NotFound: 404,
    Refused: 422,
}
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="Tollway", charset="UTF-8"'}


@blueprint.post("/vouchers/redeem")
@public
def redeem() -> ResponseReturnValue:
    """Public: the subscription's own password is the credential. `code`, `password` of a card that
    has one, and `idempotency_key`: the same one again answers with what was done."""
    if (request.content_length or 0) > _BODY_LIMIT:
        return _problem(413, "too long")
    sent = request.get_json(silent=True)
    told = request.authorization
    if told is None or told.type != "basic" or not told.username:
        return _unknown("send the user name and password of the subscription")
    if not isinstance(sent, dict):
        return _problem(400, "send a JSON object")
    wanted = {name: sent.get(name, "") for name in ("code", "password", "idempotency_key")}
    for name, value in wanted.items():
        if not isinstance(value, str) or (name != "password" and not 1 <= len(value) <= 200):
            return _problem(422, "must be a text of 1 to 200 characters", name)
    nobody, now = parts.login_context(), parts.now()
    attempt = SubscriberAttempt(
        username=str(told.username),
        password=str(told.password or ""),
        address=request.remote_addr or "unknown",
    )
    try:
        login = self_care.proven(nobody, attempt, now)
    except InvalidInput as error:
        return _unknown(error.message)
    except Refused as error:
        return _problem(429, error.message)
    try:
        done = voucher_redeem.redeem_own(
            nobody,
            login,
            wanted["code"],
            idempotency_key=wanted["idempotency_key"],
            now=now,
            password=wanted["password"],
        )
    except (Conflict, InvalidInput, NotFound, Refused) as error:
        return _problem(_STATUS[type(error)], error.message, error.field)
    return _answer(done)


def _answer(done: Redemption) -> ResponseReturnValue:
    return {
        "serial": serial_text(done.serial),
        "plan": done.plan_name,
        "worth_micros": done.face_micros,
        "currency": done.currency,
        "available_micros": done.available_micros,
        "receipt": done.receipt_number,
        "repeated": done.repeated,
    }


def _unknown(message: str) -> ResponseReturnValue:
    return {"error": message, "field": None}, 401, _CHALLENGE


def _problem(status: int, message: str, field: str | None = None) -> ResponseReturnValue:
    return {"error": message, "field": field}, status
