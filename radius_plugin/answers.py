"""A batch of Access-Requests → a batch of answers for FreeRADIUS (rules A1-A6).

The thread that leads a batch does this work for all of it: one loop over the same few functions
costs a CPU less than each thread doing its own part (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from billing.model.decision import Reason, Reject
from billing.model.events import AccessRequest, LoginRecord
from billing.services.access import AccessDesk, AccessOutcome, Lane
from billing.services.clients import ClientBook
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
    reply_pairs,
    tag_of,
)


class LoginAnswers:
    """What `authorize` answers; granted logins are held for the history."""

    def __init__(
        self,
        desk: AccessDesk,
        clients: ClientBook,
        history: History,
        log_error: Callable[[str], None],
    ) -> None:
        self._desk = desk
        self._clients = clients
        self._history = history
        self._log_error = log_error

    def answer_batch(self, lane: Lane, requests: Sequence[Pairs], now: datetime) -> list[Answer]:
        """One answer a request, in order. Raises Unavailable when the database is out."""
        typed = [access_request(pairs) for pairs in requests]
        outcomes = self._desk.decide_batch(lane, typed, now)
        return [
            self._answer(request, outcome, now)
            for request, outcome in zip(typed, outcomes, strict=True)
        ]

    def _answer(self, request: AccessRequest, outcome: AccessOutcome, now: datetime) -> Answer:
        """The credential, the reply and the decision."""
        if not request.username:
            return denied(Reason.BAD_REQUEST)
        if outcome.problem is not None:
            self._log_error(f"authorize: {outcome.problem}")
        tag = tag_of(
            outcome.decision, outcome.customer_id, outcome.subscription_id, outcome.admission
        )
        return self._carried_out(request, outcome, tag, now)

    def answer_without_database(
        self, pairs: Pairs, now: datetime, out_since: datetime
    ) -> Answer | None:
        """By what was last authorised, marked as such in the history; None: refused (rule A8)."""
        request = access_request(pairs)
        known = self._clients.remembered(request.nas_address)
        nas_id = known.traits.nas_id if known else 0
        outcome = self._desk.decide_without_database(request, nas_id, now, out_since)
        if outcome is None:
            return None
        tag = tag_of(outcome.decision, outcome.customer_id, outcome.subscription_id)
        return self._carried_out(request, outcome, replace(tag, reason=Reason.SNAPSHOT), now)

    def _carried_out(
        self, request: AccessRequest, outcome: AccessOutcome, tag: DecisionTag, now: datetime
    ) -> Answer:
        known = self._clients.remembered(request.nas_address)
        try:
            lists = {"config": control_pairs(outcome.credential, tag)}
            if tag.verdict is not Verdict.REJECT:
                vendor = known.traits.vendor.value if known else "generic"
                lists["reply"] = reply_pairs(outcome.decision, vendor, request.link)
        except ValueError as error:
            self._log_error(f"subscription {outcome.subscription_id}: {error}")
            return denied(Reason.UNAVAILABLE)
        lists["config"] += (self._follow_up(request, tag, now),)
        return codes.UPDATED, lists

    def _follow_up(
        self, request: AccessRequest, tag: DecisionTag, now: datetime
    ) -> tuple[str, str, str]:
        """What happens after the password was verified: nothing more for a plain grant, whose line
        of history is held already; else `post_auth` is asked."""
        if tag.verdict is not Verdict.REJECT and not tag.takes_something:
            number = self._history.hold(attempt(request, tag, now))
            if number is not None:
                return ("Tollway-Attempt", ":=", str(number))
        return ("Tollway-Post-Auth", ":=", "1")


def attempt(request: AccessRequest, tag: DecisionTag, now: datetime) -> LoginRecord:
    """The line of the history."""
    return LoginRecord(
        username=request.username,
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


def denied(reason: Reason) -> Answer:
    """A refusal that needs no account."""
    pairs = (("Tollway-Decision", ":=", tag_of(Reject(reason=reason)).encode()),)
    return codes.REJECT, {"reply": (message_pair(reason),), "config": pairs}
