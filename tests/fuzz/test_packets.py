"""Any packet at real FreeRADIUS: no crash, no false answer, and it keeps serving."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func
from sqlalchemy import select as query

from billing.clock import utc_now
from billing.services.context import Context
from billing.settings import Settings
from billing.store import tables
from rig.nas import SimulatedNas
from rig.processes import Process
from rig.radius import RadiusServer
from tests.factories import Factory, Subscriber
from tests.fuzz import packets
from tests.fuzz.packets import (
    CHAP_CHALLENGE,
    CHAP_PASSWORD,
    PROXY_STATE,
    SESSION_ID,
    STATUS_TYPE,
    USER_NAME,
)
from tests.radius import meter

# One example is a volley of packets, told by its seed.
VOLLEY = 30
BOUGHT_OCTETS = 10**12
QUIET_SECONDS = 0.05
ANSWER_SECONDS = 10.0
CANARY_ID = 255

volleys = settings(suppress_health_check=[HealthCheck.too_slow])
seeds = st.integers(0, 2**64 - 1).map(Random)


@dataclass
class World:
    """A NAS, its servers, and subscribers whose names the packets know."""

    context: Context
    make: Factory
    nas: SimulatedNas
    servers: dict[str, RadiusServer]
    subscribers: list[Subscriber]
    canary: Subscriber
    before: dict[str, Process | None] = field(default_factory=dict)

    def volley(
        self, port: int, datagrams: list[bytes], canary: bytes, *, awaited: int = 0
    ) -> list[bytes]:
        """Send all, then the canary, which must be answered; the other answers. So many of them
        are awaited, those after the canary's: batches of two lanes overtake each other."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
            wire.bind((self.nas.address, 0))
            for datagram in datagrams:
                wire.sendto(datagram, (self.nas.server, port))
            deadline = time.monotonic() + ANSWER_SECONDS
            wire.sendto(canary, (self.nas.server, port))
            answers, served = [], False
            while (
                select.select([wire], [], [], QUIET_SECONDS)[0]
                or not served
                or len(answers) <= awaited
            ):
                if time.monotonic() > deadline:
                    assert served, "an honest request was not answered"
                    break
                if select.select([wire], [], [], 0)[0]:
                    answer = wire.recv(packets.PACKET_OCTETS)
                    served = served or answer[1] == canary[1]
                    answers.append(answer)
            return [answer for answer in answers if answer[1] != canary[1]]

    def kept(self) -> int:
        """Records of this NAS in the journal and among the dead letters."""
        journal, letter = tables.AcctJournal, tables.AcctDeadLetter
        with self.context.transaction() as tx:
            counted = [
                tx.scalar(query(func.count()).where(journal.nas_id == self.nas.nas_id)),
                tx.scalar(query(func.count()).where(letter.nas_address == self.nas.address)),
            ]
        return sum(number or 0 for number in counted)

    def granted(self) -> int:
        """Logins that the history holds as granted to those who never logged in rightly."""
        attempt = tables.LoginAttempt
        chosen = attempt.subscription_id.in_([each.subscription_id for each in self.subscribers])
        with self.context.transaction() as tx:
            granted = query(func.count()).where(chosen, attempt.outcome != "reject")
            return tx.scalar(granted) or 0

    @property
    def usernames(self) -> list[bytes]:
        return [each.username.encode() for each in self.subscribers]

    def honest_record(self, draw: Random) -> bytes:
        """An Interim unlike all others: FreeRADIUS answers an identical packet within half a second
        again by itself."""
        content = [
            (STATUS_TYPE, (3).to_bytes(4, "big")),
            (USER_NAME, self.canary.username.encode()),
            (SESSION_ID, b"one"),
            (PROXY_STATE, draw.randbytes(16)),
        ]
        return packets.accounting(CANARY_ID, content, self.nas.secret)

    def honest_login(self, draw: Random) -> bytes:
        """By CHAP."""
        challenge, password = draw.randbytes(16), self.canary.password.encode()
        digest = packets.md5(b"\7" + password + challenge).digest()
        name = self.canary.username.encode()
        content = [(USER_NAME, name), (CHAP_PASSWORD, b"\7" + digest), (CHAP_CHALLENGE, challenge)]
        return packets.access(draw, CANARY_ID, content, self.nas.secret)

    def check(self) -> None:
        """The same processes run, no hook has failed, and every octet is accounted for."""
        assert {kind: server.process() for kind, server in self.servers.items()} == self.before
        for subscriber in self.subscribers:
            totals = meter.totals(self.context, subscriber)
            sums = tuple(sum(one[part] for one in totals) for part in range(3))
            assert meter.sliced(self.context, subscriber) == sums
            journal = meter.journal(self.context, subscriber)
            assert (
                sum(line.added_seconds for line in journal),
                sum(line.added_input_octets for line in journal),
                sum(line.added_output_octets for line in journal),
            ) == sums
            left = max(0, BOUGHT_OCTETS - sums[1] - sums[2])
            assert meter.left(self.context, subscriber) == [(None, left)]
        for kind, server in self.servers.items():
            log = (server.log_dir / f"{server.name}.log").read_text(
                encoding="utf-8", errors="replace"
            )
            assert "Traceback" not in log, kind
            assert "rlm_python" not in log, kind


@pytest.fixture(scope="module")
def radius_client_seconds() -> int:
    """Packets that come while the NAS is looked up anew are dropped: not here."""
    return 3600


@pytest.fixture(scope="module")
def world(context: Context, settings: Settings, radius: dict[str, RadiusServer]) -> Iterator[World]:
    now = utc_now()
    make = Factory(context, settings.dsn("radius"))
    subscribers = [make.subscriber(now) for _ in range(2)]
    canary = make.subscriber(now)
    for subscriber in (*subscribers, canary):
        # Valid at any time that a record may be believed to be from.
        days = timedelta(days=2)
        make.package(
            subscriber, now, valid_from=now - days, valid_for=2 * days, octets=BOUGHT_OCTETS
        )
    ports = {f"{kind}_port": server.port for kind, server in radius.items()}
    with make.simulated_nas(now, **ports) as nas:
        world = World(context, make, nas, radius, subscribers, canary)
        # The first packet makes the NAS known.
        assert nas.login(canary.username, canary.password).result == "accept"
        world.before = {kind: server.process() for kind, server in radius.items()}
        yield world


@pytest.mark.rule("U1")
@pytest.mark.rule("U2")
@volleys
@given(seeds)
def test_every_genuine_record_is_kept_and_then_answered(world: World, draw: Random) -> None:
    before = world.kept()
    key = world.nas.secret
    datagrams = [
        packets.accounting(number, packets.record(draw, world.usernames), key)
        for number in range(VOLLEY)
    ]
    answers = world.volley(
        world.nas.acct_port, datagrams, world.honest_record(draw), awaited=VOLLEY
    )
    assert {answer[0] for answer in answers} == {packets.ACCOUNTING_RESPONSE}
    missing = set(range(VOLLEY)) - {answer[1] for answer in answers}
    assert [datagrams[number].hex() for number in missing] == []
    assert world.kept() == before + VOLLEY + 1
    world.check()


@pytest.mark.rule("A3")
@volleys
@given(seeds)
def test_nobody_gets_in_without_the_password(world: World, draw: Random) -> None:
    key = world.nas.secret
    datagrams = [
        packets.access(draw, number, packets.login(draw, world.usernames), key)
        for number in range(VOLLEY)
    ]
    answers = world.volley(world.nas.auth_port, datagrams, world.honest_login(draw))
    assert packets.ACCESS_ACCEPT not in {answer[0] for answer in answers}
    # Nor later, if an answer was slow.
    assert world.granted() == 0
    world.check()


@volleys
@given(seeds)
def test_what_no_nas_has_signed_is_not_answered_and_changes_nothing(
    world: World, draw: Random
) -> None:
    before = world.kept()
    for code, port, canary in (
        (packets.ACCOUNTING_REQUEST, world.nas.acct_port, world.honest_record(draw)),
        (packets.ACCESS_REQUEST, world.nas.auth_port, world.honest_login(draw)),
    ):
        datagrams = [
            packets.broken(
                draw, code, number, packets.record(draw, world.usernames), world.nas.secret
            )
            for number in range(VOLLEY)
        ]
        assert world.volley(port, datagrams, canary) == []
    assert world.kept() == before + 1
    world.check()
