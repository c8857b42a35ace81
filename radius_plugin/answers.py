"""A batch of Access-Requests → a batch of answers for FreeRADIUS (rules A1-A6).

The thread that leads a batch does this work for all of it: one loop over the same few functions
costs a CPU less than each thread doing its own part (docs/performance.md). What is decided here
depends on the request and the database alone, so that it may be done in another process
(radius_plugin/deciders.py); what only radiusd itself knows is added by `LoginAnswers`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from billing.clock import utc_now
from billing.model.decision import Reason, Reject
from billing.model.events import AccessRequest, LoginRecord
from billing.model.network import NasTraits
from billing.model.vouchers import UNKNOWN_LOGIN
from billing.services.access import AccessDesk, AccessOutcome, Lane
from billing.services.clients import ClientBook
from billing.services.login_lines import Line, granted_line, instant_text
from billing.services.voucher_logins import may_be_code
from radius_plugin import codes
from radius_plugin.attributes import access_request
from radius_plugin.codes import Answer
from radius_plugin.history import History
from radius_plugin.pairs import Pairs
from radius_plugin.reply import (
    DecisionTag,
    Verdict,
    control_pairs,
    message_pair,
    noted,
    reply_pairs,
    tag_of,
)

Settled = tuple[int, codes.Pairs, codes.Pairs, Line | None]
"""Code, reply and control list of an answer; the line of history of a granted login that takes
nothing, None where `post_auth` is to be asked. Plain tuples and texts: it may have to travel."""


class Decider:
    """Decides batches and puts the decisions into attributes."""

    def __init__(self, desk: AccessDesk, log_error: Callable[[str], None]) -> None:
        self._desk = desk
        self._log_error = log_error

    def settle_batch(
        self, lane: Lane, requests: Sequence[Pairs], clock: Callable[[], datetime] = utc_now
    ) -> list[Settled]:
        """One settled answer a request, in order. Raises Unavailable when the database is out."""
        typed = [access_request(pairs) for pairs in requests]
        outcomes = self._desk.decide_batch(lane, typed, clock)
        at_text = instant_text(clock())
        return [
            self._settled(request, outcome, at_text)
            for request, outcome in zip(typed, outcomes, strict=True)
        ]

    def settle_without_database(
        self, pairs: Pairs, nas: NasTraits | None, now: datetime, out_since: datetime
    ) -> Settled | None:
        """By what was last authorised, marked as such in the history; None: refused (rule A8)."""
        request = access_request(pairs)
        outcome = self._desk.decide_without_database(request, nas, now, out_since)
        if outcome is None:
            return None
        tag = tag_of(outcome.decision, outcome.customer_id, outcome.subscription_id)
        return self._put(request, outcome, replace(tag, reason=Reason.SNAPSHOT), instant_text(now))

    def _settled(self, request: AccessRequest, outcome: AccessOutcome, at_text: str) -> Settled:
        if not request.username:
            return _denied(Reason.BAD_REQUEST)
        if outcome.problem is not None:
            self._log_error(f"authorize: {outcome.problem}")
        tag = tag_of(
            outcome.decision, outcome.customer_id, outcome.subscription_id, outcome.admission
        )
        if outcome.login_name is not None:
            # From here on nothing knows the code (rule R3).
            tag = replace(tag, login_name=outcome.login_name)
            request = replace(request, username=outcome.login_name, sent_username="")
        return self._put(request, outcome, tag, at_text)

    def _put(
        self, request: AccessRequest, outcome: AccessOutcome, tag: DecisionTag, at_text: str
    ) -> Settled:
        """The credential, the reply and the decision."""
        granted = tag.verdict is not Verdict.REJECT
        try:
            control = control_pairs(outcome.credential, tag)
            reply: codes.Pairs = ()
            if granted:
                reply = reply_pairs(outcome.decision, outcome.vendor, request.link)
                if outcome.login_name is not None:
                    # What the NAS ought to account under (RFC 2865 5.1).
                    reply = (*reply, ("User-Name", ":=", outcome.login_name))
        except ValueError as error:
            self._log_error(f"subscription {outcome.subscription_id}: {error}")
            return _denied(Reason.UNAVAILABLE)
        if not granted or tag.takes_something:
            return codes.UPDATED, reply, control, None
        line = granted_line(
            request,
            tag.customer_id,
            tag.subscription_id,
            tag.verdict.value,
            tag.reason.value,
            at_text,
        )
        return codes.UPDATED, reply, control, line


class LoginAnswers:
    """What `authorize` answers; granted logins are held for the history."""

    def __init__(self, decider: Decider, clients: ClientBook, history: History) -> None:
        self._decider = decider
        self._clients = clients
        self._history = history

    def answer(self, settled: Settled) -> Answer:
        """With what happens after the password was verified: nothing more for a plain grant, whose
        line of history is held already; else `post_auth` is asked."""
        code, reply, control, line = settled
        if code == codes.REJECT:
            return code, {"reply": reply, "config": control}
        number = None if line is None else self._history.hold(line)
        if number is None:
            control = (*control, ("Tollway-Post-Auth", ":=", "1"))
        else:
            decision, *rest = control
            control = (noted(decision, number), *rest)
        lists = {"config": control}
        if reply:
            lists["reply"] = reply
        return code, lists

    def answer_without_database(
        self, pairs: Pairs, nas_address: str, now: datetime, out_since: datetime
    ) -> Answer | None:
        """By what was last authorised; None: refused (rule A8)."""
        known = self._clients.remembered(nas_address)
        traits = None if known is None else known.traits
        settled = self._decider.settle_without_database(pairs, traits, now, out_since)
        return None if settled is None else self.answer(settled)


def attempt(request: AccessRequest, tag: DecisionTag, now: datetime) -> LoginRecord:
    """The line of the history."""
    return LoginRecord(
        username=tag.login_name or _shown(request, tag),
        customer_id=tag.customer_id or 0,
        subscription_id=tag.subscription_id or 0,
        nas_address=request.nas_address,
        calling_station=request.calling_station,
        outcome=tag.verdict.value,
        reason=tag.reason.value,
        entitlement_id=tag.entitlement_id or 0,
        at=now,
        session_limit=tag.admission.session_limit,
        pool_id=tag.admission.pool_id,
        silence_seconds=tag.admission.silence_seconds,
        grant_version_id=tag.admission.grant_version_id,
    )


def _shown(request: AccessRequest, tag: DecisionTag) -> str:
    """The user name; where nobody could ask whether it is a voucher's code, none that may be."""
    if tag.reason is Reason.UNAVAILABLE and tag.customer_id is None:
        return UNKNOWN_LOGIN if may_be_code(request.username) else request.username
    return request.username


def denied(reason: Reason) -> Answer:
    """A refusal that needs no account."""
    code, reply, control, _ = _denied(reason)
    return code, {"reply": reply, "config": control}


def _denied(reason: Reason) -> Settled:
    pairs = (("Tollway-Decision", ":=", tag_of(Reject(reason=reason)).encode()),)
    return codes.REJECT, (message_pair(reason),), pairs, None
