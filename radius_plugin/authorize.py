"""Hooks of the auth server: `authorize` decides, `post_auth` enforces and remembers (rules A).

The decision is made before the password is verified and enforced after, so that nobody without
the password learns whether an account exists or why it is refused (rule A3).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace

from billing.clock import utc_now
from billing.errors import Unavailable
from billing.model.decision import Reason
from billing.model.events import AccessRequest, LoginRecord
from billing.model.grants import GrantLimits
from billing.model.network import Vendor
from billing.services.login_lines import line_of
from radius_plugin import codes, runtime, vendors
from radius_plugin.answers import attempt, denied
from radius_plugin.attributes import access_request
from radius_plugin.batcher import Overloaded, TimedOut
from radius_plugin.client import client
from radius_plugin.codes import Answer
from radius_plugin.pairs import Pairs, first_values, source_address
from radius_plugin.reply import (
    DecisionTag,
    Verdict,
    address_pairs,
    grant_pairs,
    message_pair,
)
from radius_plugin.vendors import Pair
from radius_plugin.watch import SHUT

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
    parts = runtime.runtime()
    try:
        if parts.watch.shut:
            raise SHUT
        return parts.answers.answer(parts.decisions.submit(p))
    except _REFUSED as error:
        return _without_database(p, error)


def _without_database(p: Pairs, error: Exception) -> Answer:
    """Grant what the plan allows during an outage, by what was last authorised; never silently."""
    parts = runtime.runtime()
    problem = runtime.named(error)
    out_since = parts.watch.outage_of(error)
    answer = None
    if out_since is not None:
        try:
            source = source_address(p) or ""
            answer = parts.answers.answer_without_database(p, source, utc_now(), out_since)
        except sqlite3.Error as second:
            problem = f"{problem}; the snapshot: {second}"
    if answer is None:
        parts.complaints.say("authorize", f"{problem}; refused (rule A8)")
        return denied(Reason.UNAVAILABLE)
    parts.complaints.say("authorize", f"{problem}; granted by the snapshot (rule A8)")
    return answer


def post_auth(p: Pairs) -> Answer:
    """For what `authorize` did not settle: enforce a refusal after the password was verified,
    take what the login needs, keep the attempt (rules A1, A3)."""
    request = access_request(p)
    values = first_values(p)
    tag = _tag(values.get("Tollway-Decision"))
    held = tag.attempt
    if "Tollway-Malformed" in values or not request.username:
        tag = DecisionTag(Verdict.REJECT, Reason.BAD_REQUEST)
    elif "Tollway-Verified" not in values:
        tag = _as_seen_from_outside(tag)
    login = attempt(request, tag, utc_now())
    if tag.admission.grant_version_id:
        return _granted(login, tag, request)
    if tag.takes_something:
        return _admitted(login)
    if tag.reason is Reason.BAD_PASSWORD:
        _note_failure(login)
    _keep(login, held)
    if tag.verdict is Verdict.REJECT:
        return codes.REJECT, {"reply": (message_pair(tag.reason),)}
    return codes.OK


def _granted(login: LoginRecord, tag: DecisionTag, request: AccessRequest) -> Answer:
    """The same for a login that takes a slice of its allowance (rule Q4): the limits of the grant
    are in the dialect of its NAS."""
    known = runtime.runtime().clients.remembered(request.nas_address)
    vendor = known.traits.vendor.value if known else Vendor.GENERIC.value
    able = vendors.for_nas(vendor, request.link).capabilities.nas_can
    return _admitted(
        replace(login, nas_can=able),
        lambda number, grant: grant_pairs(tag, number, grant, vendor, request.link),
    )


def _no_grant(_number: int, _grant: GrantLimits) -> tuple[Pair, ...]:
    return ()


def _admitted(
    login: LoginRecord,
    limits_of: Callable[[int, GrantLimits], tuple[Pair, ...]] = _no_grant,
) -> Answer:
    """Wait until everything is taken. A package used unstarted would last for ever (rule B2), a
    session without its slot or address break rules A6 and A7: so without the write, no access."""
    parts = runtime.runtime()
    try:
        if parts.watch.shut:
            raise SHUT
        admitted = parts.logins.submit(login)
    except _REFUSED as error:
        parts.complaints.say("post_auth", f"{runtime.named(error)}; refused (rule A8)")
        parts.history.decided[Verdict.REJECT.value, Reason.UNAVAILABLE.value] += 1
        return codes.REJECT, {"reply": (message_pair(Reason.UNAVAILABLE),)}
    granted = admitted.reason == login.reason
    outcome = login.outcome if granted else Verdict.REJECT.value
    parts.history.decided[outcome, admitted.reason] += 1
    if granted and login.entitlement_id:
        _note_start(login)
    if not granted:
        return codes.REJECT, {"reply": (message_pair(Reason(admitted.reason)),)}
    pairs: tuple[Pair, ...] = ()
    if admitted.address is not None:
        pairs = address_pairs(admitted.address, admitted.netmask)
    if admitted.reservation_id is not None and admitted.grant is not None:
        pairs += limits_of(admitted.reservation_id, admitted.grant)
    return (codes.UPDATED, {"reply": pairs}) if pairs else codes.OK


def _note_start(login: LoginRecord) -> None:
    """The package has begun: an outage must not find it waiting for its first login."""
    parts = runtime.runtime()
    try:
        parts.snapshot.started(login.username, login.entitlement_id, login.at)
    except sqlite3.Error as error:
        parts.complaints.say("snapshot", str(error))


def _note_failure(login: LoginRecord) -> None:
    """The throttle counts in the database; while that is out, here (rule A4)."""
    parts = runtime.runtime()
    if parts.watch.out_since is not None:
        parts.snapshot.failed(login.username, login.calling_station)


def _keep(login: LoginRecord, held: int) -> None:
    """The line of history, written behind the answer; waited for where too many wait already."""
    parts = runtime.runtime()
    if parts.history.amend(held, line_of(login)):
        return
    try:
        if parts.watch.shut:
            raise SHUT
        parts.logins.submit(login)
    except _REFUSED as error:
        parts.complaints.say("login history", f"{runtime.named(error)}; a line is lost")


def _tag(text: str | None) -> DecisionTag:
    if text is None:
        return DecisionTag(Verdict.REJECT, Reason.UNAVAILABLE)
    return DecisionTag.decode(text)


def _as_seen_from_outside(tag: DecisionTag) -> DecisionTag:
    """The attempt failed at the password; only our own records tell an unknown user apart."""
    reason = tag.reason if tag.reason in _NOT_ABOUT_PASSWORDS else Reason.BAD_PASSWORD
    return DecisionTag(
        Verdict.REJECT,
        reason,
        tag.customer_id,
        tag.subscription_id,
        login_name=tag.login_name,
    )
