"""Where providers of payments tell us what has happened (security.md 6 and 12).

No cookie and no form: what counts is the signature, which the gateway checks over the raw body
before anything in it is read. The address holds a token, so that nobody finds it by counting.
"""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from billing.payments.protocol import WebhookRefused
from billing.services import provider_events
from web import parts
from web.guards import public

blueprint = Blueprint("hooks", __name__)


@blueprint.post("/hooks/<token>")
@public
def hook(token: str) -> ResponseReturnValue:
    """Public: the provider's signature is the credential. Told again, an event changes nothing;
    what could not be carried out is answered by an error, and told again."""
    # Before it is read; one without a length is bound by what the panel takes at all.
    if (request.content_length or 0) > provider_events.BODY_LIMIT:
        return {"error": "too long"}, 413
    try:
        body = request.get_data(cache=False)
        known = parts.parts()
        done = provider_events.take(
            known.nobody, known.gateways, token, body, request.headers, parts.now()
        )
    except WebhookRefused as error:
        provider_events.refused(error, token)
        return {"error": str(error)}, 400
    if done is None:
        return {"error": "no such address"}, 404
    return {"received": len(done)}
