"""What radiusd and its decision processes send each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from socket import socketpair
from threading import Thread

import pytest

from billing.model.account import Credential
from billing.model.decision import Accept, Admission, Limits, Reason, Reject, Service, Suspended
from billing.model.events import AccessRequest
from billing.model.network import Vendor
from billing.model.own_reply import OwnReply, ReplyAttribute
from billing.services.access import AccessOutcome
from radius_plugin.answers import Decider
from radius_plugin.frames import receive, send

NOW = datetime(2026, 3, 10, 14, 30, tzinfo=UTC)
SERVICE = Service(
    pool="p",
    speed_up_kbps=1,
    speed_down_kbps=2,
    idle_timeout_seconds=3,
    limits=Limits(session_seconds=4, total_octets=2**40),
    session_class="tw1:5:n",
    own_reply=OwnReply(
        framed_ipv6_prefix="2001:db8::/64",
        attributes=(ReplyAttribute(name="Filter-Id", operator=":=", value="gold"),),
    ),
)
PAIRS = (("User-Name", "ann"), ("Tollway-Client-Address", "192.0.2.1"))


class Desk:
    """Decides what it is told."""

    def __init__(self, outcome: AccessOutcome) -> None:
        self.outcome = outcome

    def decide_batch(
        self, _lane: object, requests: list[AccessRequest], _clock: Callable[[], datetime]
    ) -> list[AccessOutcome]:
        return [self.outcome for _ in requests]


@pytest.mark.parametrize("vendor", Vendor)
@pytest.mark.parametrize(
    "decision",
    [
        Accept(service=SERVICE),
        Accept(service=replace(SERVICE, pool=None, framed_ip="10.0.0.1", own_reply=None)),
        Suspended(reason=Reason.OVERDUE, service=SERVICE),
        *(Reject(reason=reason) for reason in Reason),
    ],
)
def test_every_answer_can_travel(vendor: Vendor, decision: Accept | Suspended | Reject) -> None:
    """Marshal takes plain texts and numbers only, no members of enumerations."""
    for admission in (None, Admission(session_limit=2)):
        for credential in (None, Credential(cleartext="x"), Credential(nt_hash=bytes(16))):
            outcome = AccessOutcome(decision, credential, 1, 2, None, admission, vendor)
            decider = Decider(Desk(outcome), print)  # type: ignore[arg-type]
            for link in ("PPP", "none"):
                requests = [(*PAIRS, ("Framed-Protocol", link))]
                settled = decider.settle_batch(None, requests)  # type: ignore[arg-type]
                here, there = socketpair()
                with here, there:
                    send(here, settled)
                    assert receive(there) == settled


def test_messages_of_any_length_arrive_whole() -> None:
    here, there = socketpair()
    messages = ["", "x" * 3_000_000, [("a", None, 1)] * 50_000, b"\0"]
    with here, there:
        sender = Thread(target=lambda: [send(here, message) for message in messages])
        sender.start()
        assert [receive(there) for _ in messages] == messages
        sender.join()
        here.close()
        with pytest.raises(EOFError):
            receive(there)


def test_a_message_that_is_cut_short_is_an_end() -> None:
    here, there = socketpair()
    with here, there:
        here.sendall(b"\0\0\0\x09abc")
        here.close()
        with pytest.raises(EOFError):
            receive(there)
