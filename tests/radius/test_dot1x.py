"""802.1X on a cable with real software on both ends: hostapd as NAS, wpa_supplicant as device.

hostapd's configuration is the one of docs/nas.md. Only root can make the network namespaces.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from textwrap import dedent

import pytest
from pyrad import packet
from pyrad.dictionary import Dictionary
from sqlalchemy import select

from billing.clock import utc_now
from billing.model.events import Status
from billing.services import holds
from billing.services.context import Context
from billing.settings import Settings
from billing.store import tables
from rig.account import temporary_state_dir
from rig.dot1x import COA_PORT, CORE_ADDRESS, NAS_ADDRESS, Port, port
from rig.eapol import Credentials, Method
from rig.processes import Process
from tests.factories import Factory, Subscriber
from tests.radius import core, meter
from tests.radius.test_login import history
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "nas.md"
DICTIONARY = ROOT / "radius_plugin" / "dictionary" / "radius"


def documented() -> str:
    """The configuration that the document gives for hostapd."""
    section = DOCUMENT.read_text(encoding="utf-8").split("**hostapd**")[1]
    lines = section.split("\n\n", 1)[1].splitlines()
    end = next(at for at, line in enumerate(lines) if not line.startswith("    "))
    return dedent("\n".join(lines[:end])) + "\n"


@pytest.fixture(scope="module")
def secret() -> str:
    return secrets.token_hex(16)


@pytest.fixture(scope="module")
def cable() -> Iterator[Port]:
    if os.geteuid() != 0:
        pytest.skip("only root can make the network namespaces that hostapd and its port need")
    with temporary_state_dir("twx-") as directory, port(directory) as made:
        yield made


@pytest.fixture(scope="module")
def radius(cable: Port, settings: Settings, product_copy: Path) -> Iterator[None]:
    """Both servers, in the core."""
    with core.servers(cable.core, CORE_ADDRESS, settings, product_copy):
        yield


@pytest.fixture(scope="module")
def switch_port(
    cable: Port, radius: None, context: Context, settings: Settings, secret: str
) -> Port:
    """The port, its switch registered with Tollway."""
    factory = Factory(context, settings.dsn("radius"))
    factory.nas(utc_now(), address=NAS_ADDRESS, secret=secret, coa_port=COA_PORT)
    return cable


@pytest.fixture
def unplugged(switch_port: Port, secret: str) -> Iterator[Port]:
    """The switch has just been started, and nobody is logged in."""
    with switch_port.in_service(documented().replace("SECRET", secret)):
        yield switch_port


@pytest.fixture
def worker(switch_port: Port, settings: Settings, product_copy: Path) -> Iterator[Process]:
    """`tollway worker`, in the core."""
    with core.worker(switch_port.core, settings, product_copy) as process:
        yield process


@pytest.fixture
def entered(settings: Settings) -> Credentials:
    """A device set up as docs/nas.md tells, name and password still missing."""
    authority = settings.state_dir / "eap" / "ca.pem"
    return Credentials("", "", outer_identity="anonymous@isp.example", authority=authority)


def plug_in(cable: Port, entered: Credentials, subscriber: Subscriber, **wrong: str) -> None:
    who = {"identity": subscriber.username, "password": subscriber.password}
    cable.device.plug_in(replace(entered, **(who | wrong)))


def closed(context: Context, subscriber: Subscriber) -> tables.LiveSession | None:
    """The subscriber's only session, once it has ended."""
    (session,) = meter.sessions(context, subscriber)
    return session if session.closed_at is not None else None


def attempts(context: Context, subscriber: Subscriber) -> list[tuple[str, str, str]]:
    """(packet, outcome, state of the order) of what was sent to end or change the session."""
    sent, order = tables.CoaAttempt, tables.CoaIntent
    with context.transaction() as tx:
        chosen = (
            select(sent.packet, sent.outcome, order.state)
            .join(order, order.intent_id == sent.intent_id)
            .where(order.subscription_id == subscriber.subscription_id)
        )
        return [tuple(row) for row in tx.execute(chosen)]


@pytest.mark.rule("A2")
@pytest.mark.rule("U3")
@pytest.mark.parametrize("method", ["peap", "ttls"])
def test_a_session_is_charged_under_the_inner_name(
    context: Context,
    make: Factory,
    unplugged: Port,
    entered: Credentials,
    now: datetime,
    method: Method,
) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now, seconds=3_600)
    plug_in(unplugged, replace(entered, method=method), subscriber)
    (station,) = until(unplugged.switch.authorised)
    assert unplugged.device.status()["EAP state"] == "SUCCESS"
    (session,) = until(lambda: meter.sessions(context, subscriber))
    assert (session.username, session.closed_at) == (subscriber.username, None)
    assert session.session_class == f"tw1:{subscriber.subscription_id}:n"
    assert session.calling_station == station.replace(":", "")
    time.sleep(1.5)  # so that there is something to charge
    unplugged.device.log_off()
    ended = until(lambda: closed(context, subscriber))
    assert ended.terminate_cause == "User-Request"
    assert ended.session_seconds >= 1
    assert meter.left(context, subscriber) == [(3_600 - ended.session_seconds, None)]
    assert [line.status for line in meter.journal(context, subscriber)] == [
        Status.START,
        Status.STOP,
    ]
    assert meter.dead_letters(context, NAS_ADDRESS) == []
    assert history(make, subscriber.username) == [("accept", "ok", subscriber.subscription_id)]


@pytest.mark.rule("A3")
def test_a_wrong_password_opens_nothing(
    context: Context, make: Factory, unplugged: Port, entered: Credentials, now: datetime
) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now)
    plug_in(unplugged, entered, subscriber, password="wrong")
    assert history(make, subscriber.username)[0][:2] == ("reject", "bad-password")
    until(lambda: "EAP-FAILURE" in unplugged.device.log())
    assert unplugged.switch.authorised() == []
    assert meter.sessions(context, subscriber) == []


@pytest.mark.rule("A5")
def test_the_session_ends_when_its_time_is_used_up(
    context: Context, make: Factory, unplugged: Port, entered: Credentials, now: datetime
) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now, seconds=3)
    plug_in(unplugged, entered, subscriber)
    until(unplugged.switch.authorised)
    until(lambda: meter.sessions(context, subscriber))
    session = until(lambda: closed(context, subscriber))
    assert session.terminate_cause == "Session-Timeout"
    # The switch counts from its Start, and in whole seconds.
    assert session.session_seconds in (2, 3, 4)
    assert unplugged.switch.authorised() == []
    assert meter.left(context, subscriber) == [(max(0, 3 - session.session_seconds), None)]


@pytest.mark.rule("C1")
@pytest.mark.rule("C3")
def test_an_order_to_disconnect_closes_the_port(
    context: Context,
    make: Factory,
    unplugged: Port,
    entered: Credentials,
    worker: Process,
    now: datetime,
) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now)
    plug_in(unplugged, entered, subscriber)
    until(unplugged.switch.authorised)
    until(lambda: meter.sessions(context, subscriber))
    holds.suspend(context, subscriber.subscription_id, note="moved out", now=utc_now())
    until(lambda: not unplugged.switch.authorised())
    until(lambda: closed(context, subscriber))
    until(lambda: attempts(context, subscriber) == [("Disconnect-Request", "ack", "confirmed")])


@pytest.mark.rule("C4")
def test_hostapd_refuses_to_change_the_time_by_coa(
    context: Context,
    make: Factory,
    unplugged: Port,
    entered: Credentials,
    secret: str,
    now: datetime,
) -> None:
    subscriber = make.subscriber(now)
    make.package(subscriber, now)
    plug_in(unplugged, entered, subscriber)
    until(unplugged.switch.authorised)
    (session,) = until(lambda: meter.sessions(context, subscriber))
    request = packet.CoAPacket(secret=secret.encode(), dict=Dictionary(str(DICTIONARY)), id=7)
    request["Acct-Session-Id"] = session.acct_session_id
    request["Session-Timeout"] = 600
    request["Event-Timestamp"] = int(time.time())
    request.add_message_authenticator()
    with unplugged.core.entered():
        wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with wire:
        wire.settimeout(10)
        wire.bind((CORE_ADDRESS, 0))
        wire.sendto(request.RequestPacket(), (NAS_ADDRESS, COA_PORT))
        answer = request.CreateReply(packet=wire.recv(4096))
    assert answer.code == packet.CoANAK
    assert answer["Error-Cause"] == ["Unsupported-Attribute"]
    assert unplugged.switch.authorised()
