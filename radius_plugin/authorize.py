"""Hooks of the auth server: `authorize` decides, `post_auth` enforces and remembers (rules A).

The decision is made before the password is verified and enforced after, so that nobody without
the password learns whether an account exists or why it is refused (rule A3).
"""

from __future__ import annotations

from billing.clock import utc_now
from billing.errors import Unavailable
from billing.model.decision import Reason, Reject
from billing.model.events import AccessRequest, LoginRecord
from radius_plugin import codes, runtime
from radius_plugin.attributes import access_request
from radius_plugin.batcher import Overloaded, TimedOut
from radius_plugin.client import client
from radius_plugin.codes import Answer
from radius_plugin.pairs import Pairs, first_values
from radius_plugin.reply import (
    DecisionTag,
    Verdict,
    address_pairs,
    control_pairs,
    message_pair,
    reply_pairs,
    tag_of,
)

__all__ = ["authorize", "client", "detach", "instantiate", "post_auth"]

_REFUSED = (Overloaded, TimedOut, Unavailable)
_NOT_ABOUT_PASSWORDS = frozenset(
    {
        Reason.UNKNOWN_USER,
        Reason.UNAVAILABLE,
        Reason.BAD_REQUEST,
        Reason.NO_CREDENTIAL,
        Reason.TUNNEL_FAILED,
        Reason.OUTER_NAME,
    }
)


def instantiate(_p: object) -> int:
    """Once per module instance: −1 stops the server (radius.md F7)."""
    return runtime.instantiate("auth")


def detach(_p: object = None) -> int:
    """Once per module instance at the end: what waits to be written is written."""
    return runtime.detach()


def authorize(p: Pairs) -> Answer:
    """Decide; hand FreeRADIUS the credential, the reply and the decision (rules A1-A6)."""
    request = access_request(p)
    parts = runtime.runtime()
    if not request.username:
        return _denied(Reason.BAD_REQUEST)
    try:
        outcome = parts.decisions.submit(request)
    except _REFUSED as error:
        runtime.log(runtime.L_ERR, f"authorize: {runtime.named(error)}; refused (rule A8)")
        return _denied(Reason.UNAVAILABLE)
    if outcome.problem is not None:
        runtime.log(runtime.L_ERR, f"authorize: {outcome.problem}")
    tag = tag_of(outcome.decision, outcome.customer_id, outcome.subscription_id, outcome.admission)
    known = parts.clients.remembered(request.nas_address)
    try:
        lists = {"config": control_pairs(outcome.credential, tag)}
        if tag.verdict is not Verdict.REJECT:
            vendor = known.traits.vendor.value if known else "generic"
            lists["reply"] = reply_pairs(outcome.decision, vendor, request.link)
    except ValueError as error:
        runtime.log(runtime.L_ERR, f"subscription {outcome.subscription_id}: {error}")
        return _denied(Reason.UNAVAILABLE)
    lists["config"] += (_follow_up(request, tag),)
    return codes.UPDATED, lists


def post_auth(p: Pairs) -> Answer:
    """For what `authorize` did not settle: enforce a refusal after the password was verified,
    take what the login needs, keep the attempt (rules A1, A3)."""
    request = access_request(p)
    values = first_values(p)
    tag = _tag(values.get("Tollway-Decision"))
    if "Tollway-Malformed" in values or not request.username:
        tag = DecisionTag(Verdict.REJECT, Reason.BAD_REQUEST)
    elif "Tollway-Verified" not in values:
        tag = _as_seen_from_outside(tag)
    attempt = _attempt(request, tag)
    if tag.takes_something:
        return _admitted(attempt)
    _keep(attempt, int(values.get("Tollway-Attempt", "0")))
    if tag.verdict is Verdict.REJECT:
        return codes.REJECT, {"reply": (message_pair(tag.reason),)}
    return codes.OK


def _follow_up(request: AccessRequest, tag: DecisionTag) -> tuple[str, str, str]:
    """What happens after the password was verified: nothing more for a plain grant, whose line
    of history is held already; else `post_auth` is asked."""
    if tag.verdict is not Verdict.REJECT and not tag.takes_something:
        number = runtime.runtime().history.hold(_attempt(request, tag))
        if number is not None:
            return ("Tollway-Attempt", ":=", str(number))
    return ("Tollway-Post-Auth", ":=", "1")


def _attempt(request: AccessRequest, tag: DecisionTag) -> LoginRecord:
    return LoginRecord(
        username=request.username,
        customer_id=tag.customer_id or 0,
        subscription_id=tag.subscription_id or 0,
        nas_address=request.nas_address,
        calling_station=request.calling_station,
        outcome=tag.verdict.value,
        reason=tag.reason.value,
        entitlement_id=tag.entitlement_id or 0,
        at=utc_now(),
        session_limit=tag.admission.session_limit,
        pool_id=tag.admission.pool_id,
        silence_seconds=tag.admission.silence_seconds,
    )


def _admitted(attempt: LoginRecord) -> Answer:
    """Wait until everything is taken. A package used unstarted would last for ever (rule B2), a
    session without its slot or address break rules A6 and A7: so without the write, no access."""
    parts = runtime.runtime()
    try:
        admitted = parts.logins.submit(attempt)
    except _REFUSED as error:
        runtime.log(runtime.L_ERR, f"post_auth: {runtime.named(error)}; refused (rule A8)")
        return codes.REJECT, {"reply": (message_pair(Reason.UNAVAILABLE),)}
    if admitted.reason != attempt.reason:
        return codes.REJECT, {"reply": (message_pair(Reason(admitted.reason)),)}
    if admitted.address is not None:
        return codes.UPDATED, {"reply": address_pairs(admitted.address, admitted.netmask)}
    return codes.OK


def _keep(attempt: LoginRecord, held: int) -> None:
    """The line of history, written behind the answer; waited for where too many wait already."""
    parts = runtime.runtime()
    if parts.history.amend(held, attempt):
        return
    try:
        parts.logins.submit(attempt)
    except _REFUSED as error:
        runtime.log(runtime.L_ERR, f"post_auth: {runtime.named(error)}: {attempt.username}")


def _denied(reason: Reason) -> Answer:
    pairs = (("Tollway-Decision", ":=", tag_of(Reject(reason=reason)).encode()),)
    return codes.REJECT, {"reply": (message_pair(reason),), "config": pairs}


def _tag(text: str | None) -> DecisionTag:
    if text is None:
        return DecisionTag(Verdict.REJECT, Reason.UNAVAILABLE)
    return DecisionTag.decode(text)


def _as_seen_from_outside(tag: DecisionTag) -> DecisionTag:
    """The attempt failed at the password; only our own records tell an unknown user apart."""
    reason = tag.reason if tag.reason in _NOT_ABOUT_PASSWORDS else Reason.BAD_PASSWORD
    return DecisionTag(Verdict.REJECT, reason, tag.customer_id, tag.subscription_id)
