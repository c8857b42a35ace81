"""strongSwan as a VPN gateway of the ISP: real tunnels, real traffic, real accounting.

The gateway's configuration is the one of docs/nas.md. Only root can make the network namespaces.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from textwrap import dedent

import psycopg
import pytest
from sqlalchemy import select

from billing.clock import utc_now
from billing.model.account import HoldBehaviour
from billing.model.events import Status
from billing.model.plan import PlanTerms
from billing.model.pools import PoolKind
from billing.services import holds
from billing.services.context import Context
from billing.services.pools import add_pool
from billing.settings import Settings
from billing.store import tables
from rig.account import temporary_state_dir
from rig.netns import Namespace
from rig.processes import Process
from rig.radius import Kind, RadiusServer
from rig.strongswan import CORE_ADDRESS, NAS_ADDRESS, TUNNEL, Vpn, vpn
from tests.factories import DAY_PLAN, MONTH_PLAN, MONTHLY, Factory, Subscriber
from tests.radius import core, meter
from tests.waiting import until

FIXED = "10.20.1.7"
POOLED = "10.20.0.7"
WALLED = "10.20.9.7"
INTERIM_SECONDS = 2
COA_PORT = 3799
IP_AND_UDP_HEADERS = 28
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "nas.md"


def documented(title: str) -> str:
    """The indented block that follows this file name in the section on strongSwan."""
    section = DOCUMENT.read_text(encoding="utf-8").split("## strongSwan\n")[1].split("\n## ")[0]
    lines = section.split(f"`{title}`:\n\n")[1].splitlines()
    end = next(at for at, line in enumerate(lines) if line and not line.startswith("    "))
    return dedent("\n".join(lines[:end]))


@pytest.fixture(scope="module")
def secret() -> str:
    return secrets.token_hex(16)


@pytest.fixture(scope="module")
def network(secret: str) -> Iterator[Vpn]:
    if os.geteuid() != 0:
        pytest.skip("only root can make the network namespaces that the gateway needs")
    eap_radius = documented("/etc/strongswan.d/charon/eap-radius.conf").replace("SECRET", secret)
    connections = documented("/etc/swanctl/conf.d/subscribers.conf")
    with temporary_state_dir("tws-") as directory, vpn(directory, eap_radius, connections) as made:
        yield made


@pytest.fixture(scope="module")
def radius(
    network: Vpn, settings: Settings, product_copy: Path
) -> Iterator[dict[Kind, RadiusServer]]:
    """Both servers, in the core."""
    with core.servers(network.core, CORE_ADDRESS, settings, product_copy) as servers:
        yield servers


@pytest.fixture(scope="module")
def gateway(network: Vpn, radius: dict[Kind, RadiusServer], make: Factory, secret: str) -> Vpn:
    """The gateway, registered with Tollway."""
    now = utc_now()
    make.nas(now, address=NAS_ADDRESS, secret=secret, coa_port=COA_PORT)
    # As many addresses as one session needs: whoever is refused or gone must have given it back.
    add_pool(make.context, name=DAY_PLAN.pool or "", ranges=[POOLED], now=now)
    garden = MONTHLY.suspended_pool or ""
    add_pool(make.context, name=garden, ranges=[WALLED], kind=PoolKind.SUSPENDED, now=now)
    return network


@pytest.fixture
def tunnels(gateway: Vpn) -> Iterator[Vpn]:
    """The gateway without any tunnel, before and after."""
    yield gateway
    gateway.client.hang_up()
    until(lambda: not gateway.gateway.tunnels())


@pytest.fixture
def worker(gateway: Vpn, settings: Settings, product_copy: Path) -> Iterator[Process]:
    """`tollway worker`, in the core."""
    with core.worker(gateway.core, settings, product_copy) as process:
        yield process


@pytest.fixture(scope="module")
def make(context: Context, settings: Settings) -> Factory:
    """One for the module, so that the gateway and the plan are made once."""
    return Factory(context, settings.dsn("radius"))


@pytest.fixture(scope="module")
def plan(make: Factory, settings: Settings) -> PlanTerms:
    """A plan whose sessions report more often than an operator may ask for (RFC 2869 2.1)."""
    plan_id = make.plan(utc_now())
    with psycopg.connect(settings.admin_dsn(settings.database_name)) as admin:
        change = "UPDATE plan_version SET interim_seconds = %s WHERE plan_id = %s"
        admin.execute(change, (INTERIM_SECONDS, plan_id))
    return DAY_PLAN


@dataclass
class Line:
    """A tunnel that is up, and what has gone through it since."""

    network: Vpn
    address: str
    started: tuple[int, int]
    server: socket.socket
    client: socket.socket

    def exchange(self, datagrams: int, up_octets: int, down_octets: int) -> None:
        """So many UDP datagrams there, each with an answer; sizes are those of the payload."""
        for _ in range(datagrams):
            self.client.sendto(bytes(up_octets), self.server.getsockname())
            received, sender = self.server.recvfrom(2048)
            assert (len(received), sender[0]) == (up_octets, self.address)
            self.server.sendto(bytes(down_octets), sender)
            assert len(self.client.recv(2048)) == down_octets

    def counted(self) -> tuple[int, int]:
        """(from, to the subscriber) by the counters of the gateway's interface, in octets."""
        now = interface_octets(self.network)
        return now[0] - self.started[0], now[1] - self.started[1]


def interface_octets(network: Vpn) -> tuple[int, int]:
    statistics = network.gateway.namespace.interface(TUNNEL)["stats64"]
    return statistics["rx"]["bytes"], statistics["tx"]["bytes"]


@contextmanager
def online(network: Vpn, subscriber: Subscriber) -> Iterator[Line]:
    before = interface_octets(network)
    address = network.client.dial(subscriber.username, subscriber.password)
    assert address is not None, network.gateway.log()
    with (
        udp(network.core, CORE_ADDRESS) as server,
        udp(network.client.charon.namespace, address) as client,
    ):
        yield Line(network, address, before, server, client)


@contextmanager
def udp(namespace: Namespace, address: str) -> Iterator[socket.socket]:
    with namespace.entered():
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with opened:
        opened.settimeout(10)
        opened.bind((address, 0))
        yield opened


def packets(datagrams: int, payload_octets: int) -> int:
    """Octets of so many UDP datagrams at the IP layer, which is what a tunnel carries."""
    return datagrams * (payload_octets + IP_AND_UDP_HEADERS)


def reported(context: Context, subscriber: Subscriber, status: Status) -> list[tuple[int, int]]:
    """(input, output octets) of the records of this kind."""
    return [
        (line.input_octets or 0, line.output_octets or 0)
        for line in meter.journal(context, subscriber)
        if line.status == status
    ]


def closed(context: Context, subscriber: Subscriber) -> tables.LiveSession | None:
    """The subscriber's only session, once it has ended."""
    (session,) = meter.sessions(context, subscriber)
    return session if session.closed_at is not None else None


def history(context: Context, subscriber: Subscriber) -> list[tuple[str, str]]:
    """(outcome, reason) of the logins."""
    attempt = tables.LoginAttempt
    with context.transaction() as tx:
        found = tx.execute(
            select(attempt.outcome, attempt.reason)
            .where(attempt.subscription_id == subscriber.subscription_id)
            .order_by(attempt.attempt_id)
        )
        return [(outcome, reason) for outcome, reason in found]


@pytest.fixture
def subscriber(make: Factory, plan: PlanTerms, now: datetime) -> Subscriber:
    return make.subscriber(now, plan=plan)


@pytest.mark.rule("A6")
def test_a_login_gets_its_address_and_a_wrong_password_nothing(
    context: Context, make: Factory, subscriber: Subscriber, tunnels: Vpn, now: datetime
) -> None:
    make.package(subscriber, now)
    assert tunnels.client.dial(subscriber.username, "wrong") is None
    until(lambda: not tunnels.gateway.tunnels())
    assert meter.sessions(context, subscriber) == []
    with online(tunnels, subscriber) as line:
        assert line.address == POOLED
        (session,) = until(lambda: meter.sessions(context, subscriber))
        assert str(session.framed_ip) == POOLED
        assert session.username == subscriber.username
        assert session.session_class == f"tw1:{subscriber.subscription_id}:n"
        assert session.closed_at is None
    until(lambda: len(history(context, subscriber)) >= 2)
    outcomes = history(context, subscriber)
    assert outcomes == [("reject", "bad-password"), ("accept", "ok")]


@pytest.mark.rule("A6")
def test_a_fixed_address_is_given_too(make: Factory, tunnels: Vpn, now: datetime) -> None:
    fixed = make.subscriber(now, framed_ip=FIXED)
    make.package(fixed, now)
    with online(tunnels, fixed) as line:
        line.exchange(1, up_octets=10, down_octets=10)
        assert line.address == FIXED


@pytest.mark.rule("U4")
@pytest.mark.rule("U9")
def test_interim_octets_are_those_of_the_interface_and_charged_exactly(
    context: Context, make: Factory, subscriber: Subscriber, tunnels: Vpn, now: datetime
) -> None:
    bought = 10_000_000
    make.package(subscriber, now, octets=bought)
    with online(tunnels, subscriber) as line:
        line.exchange(200, up_octets=300, down_octets=1_000)
        sent = line.counted()
        assert sent == (packets(200, 300), packets(200, 1_000))
        until(lambda: sent in reported(context, subscriber, Status.INTERIM))
        assert meter.left(context, subscriber) == [(None, bought - sum(sent))]
        line.exchange(50, up_octets=1_100, down_octets=20)
        sent = line.counted()
        tunnels.client.hang_up()
    session = until(lambda: closed(context, subscriber))
    assert session.terminate_cause == "User-Request"
    assert reported(context, subscriber, Status.STOP) == [sent]
    assert meter.totals(context, subscriber) == [(session.session_seconds, *sent)]
    assert meter.sliced(context, subscriber) == (session.session_seconds, *sent)
    assert meter.left(context, subscriber) == [(None, bought - sum(sent))]


@pytest.mark.rule("C1")
@pytest.mark.rule("C3")
def test_an_order_to_disconnect_ends_the_tunnel(
    context: Context,
    make: Factory,
    subscriber: Subscriber,
    tunnels: Vpn,
    worker: Process,
    now: datetime,
) -> None:
    make.package(subscriber, now, octets=10_000_000)
    with online(tunnels, subscriber) as line:
        line.exchange(20, up_octets=700, down_octets=900)
        until(lambda: meter.sessions(context, subscriber))
        holds.suspend(context, subscriber.subscription_id, note="moved out", now=utc_now())
        until(lambda: not tunnels.client.charon.tunnels())
        sent = line.counted()
    session = until(lambda: closed(context, subscriber))
    assert sent == (packets(20, 700), packets(20, 900))
    assert meter.totals(context, subscriber) == [(session.session_seconds, *sent)]
    confirmed(context, subscriber)
    assert tunnels.client.dial(subscriber.username, subscriber.password) is None
    holds.resume(context, subscriber.subscription_id, utc_now())
    with online(tunnels, subscriber) as line:
        assert line.address == POOLED


@pytest.mark.rule("B10")
@pytest.mark.rule("C4")
def test_into_the_suspended_pool_and_out_of_it(
    context: Context, make: Factory, tunnels: Vpn, worker: Process, now: datetime
) -> None:
    monthly = make.subscriber(now, profile=MONTHLY, plan=MONTH_PLAN)
    make.package(monthly, now)

    def ended() -> bool:
        return all(session.closed_at for session in meter.sessions(context, monthly))

    with online(tunnels, monthly) as line:
        assert line.address == POOLED
        until(lambda: meter.sessions(context, monthly))
        garden = HoldBehaviour.SUSPENDED_POOL
        holds.suspend(
            context, monthly.subscription_id, note="owes", now=utc_now(), behaviour=garden
        )
        until(lambda: not tunnels.client.charon.tunnels() and ended())
    with online(tunnels, monthly) as line:
        assert line.address == WALLED
        until(lambda: not ended())
        holds.resume(context, monthly.subscription_id, utc_now())
        until(lambda: not tunnels.client.charon.tunnels() and ended())
    with online(tunnels, monthly) as line:
        assert line.address == POOLED


@pytest.mark.rule("C1")
@pytest.mark.rule("Q1")
def test_a_used_up_package_ends_the_tunnel_by_itself(
    context: Context,
    make: Factory,
    subscriber: Subscriber,
    tunnels: Vpn,
    worker: Process,
    now: datetime,
) -> None:
    make.package(subscriber, now, octets=packets(30, 1_000))
    with online(tunnels, subscriber) as line:
        line.exchange(40, up_octets=500, down_octets=1_000)
        until(lambda: not tunnels.client.charon.tunnels())
        sent = line.counted()
    session = until(lambda: closed(context, subscriber))
    assert meter.totals(context, subscriber) == [(session.session_seconds, *sent)]
    assert meter.left(context, subscriber) == [(None, 0)]
    confirmed(context, subscriber)
    assert tunnels.client.dial(subscriber.username, subscriber.password) is None
    make.package(subscriber, utc_now(), octets=1_000_000)
    with online(tunnels, subscriber) as line:
        assert line.address == POOLED


def confirmed(context: Context, subscriber: Subscriber) -> None:
    """The one order to this subscriber's session was acknowledged, and is confirmed by its Stop."""
    until(lambda: [order[2] for order in meter.intents(context, subscriber)] == ["confirmed"])
    attempt, order = tables.CoaAttempt, tables.CoaIntent
    with context.transaction() as tx:
        found = tx.execute(
            select(attempt.packet, attempt.outcome)
            .join(order, order.intent_id == attempt.intent_id)
            .where(order.subscription_id == subscriber.subscription_id)
        )
        assert [tuple(row) for row in found] == [("Disconnect-Request", "ack")]


@pytest.mark.rule("A5")
def test_the_gateway_ends_a_tunnel_whose_time_is_over(
    context: Context, make: Factory, subscriber: Subscriber, tunnels: Vpn, now: datetime
) -> None:
    """No worker runs and the client does not answer: the gateway alone does it."""
    bought_seconds = 12
    make.package(subscriber, now, seconds=bought_seconds)
    with online(tunnels, subscriber) as line:
        line.exchange(5, up_octets=100, down_octets=100)
        sent = line.counted()
        with tunnels.client.silent():
            session = until(lambda: closed(context, subscriber), seconds=60)
    # strongSwan's word where its Delete got no answer.
    assert session.terminate_cause == "Lost-Service"
    assert session.session_seconds >= bought_seconds
    assert (session.input_octets, session.output_octets) == sent
    assert meter.left(context, subscriber) == [(0, None)]
    assert tunnels.client.dial(subscriber.username, subscriber.password) is None


@pytest.mark.rule("U1")
def test_a_tunnel_outlives_an_outage_and_all_of_it_is_charged(
    context: Context,
    make: Factory,
    subscriber: Subscriber,
    tunnels: Vpn,
    radius: dict[Kind, RadiusServer],
    now: datetime,
) -> None:
    """strongSwan gives up the Interims meanwhile; the next one holds all."""
    bought = 10_000_000
    make.package(subscriber, now, octets=bought)
    with online(tunnels, subscriber) as line:
        line.exchange(10, up_octets=100, down_octets=100)
        radius["acct"].kill()
        try:
            line.exchange(50, up_octets=200, down_octets=700)
            failed = "receiving RADIUS message failed"
            until(lambda: tunnels.gateway.log().count(failed) >= 2)
            line.exchange(50, up_octets=300, down_octets=800)
        finally:
            core.start(tunnels.core, radius["acct"])
        sent = line.counted()
        until(lambda: sent in reported(context, subscriber, Status.INTERIM))
        line.exchange(1, up_octets=10, down_octets=10)
        sent = line.counted()
        tunnels.client.hang_up()
    session = until(lambda: closed(context, subscriber))
    assert meter.totals(context, subscriber) == [(session.session_seconds, *sent)]
    assert meter.left(context, subscriber) == [(None, bought - sum(sent))]


@pytest.mark.rule("U3")
def test_whoever_reconnects_gets_the_same_address_and_a_session_of_its_own(
    context: Context, make: Factory, subscriber: Subscriber, tunnels: Vpn, now: datetime
) -> None:
    bought = 10_000_000
    make.package(subscriber, now, octets=bought)
    sent = []
    for datagrams in (10, 20):
        with online(tunnels, subscriber) as line:
            assert line.address == POOLED
            line.exchange(datagrams, up_octets=400, down_octets=800)
            sent.append(line.counted())
            tunnels.client.hang_up()
    until(lambda: len(reported(context, subscriber, Status.STOP)) == 2)
    first, second = meter.sessions(context, subscriber)
    assert first.acct_session_id != second.acct_session_id
    assert [(s.input_octets, s.output_octets) for s in (first, second)] == sent
    assert meter.left(context, subscriber) == [(None, bought - sum(map(sum, sent)))]
