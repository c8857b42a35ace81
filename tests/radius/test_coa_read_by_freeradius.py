"""Every packet of every dialect, read by FreeRADIUS as a NAS would read it (rules C1, C3).

It checks the Request Authenticator and the Message-Authenticator, knows each vendor's attributes
from its own dictionaries, and answers; what it has understood is compared with what was meant.
"""

from __future__ import annotations

import re
import secrets
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from pyrad.packet import CoAACK, CoAPacket, DisconnectACK

from billing.clock import utc_now
from billing.model.decision import Limits, Service
from billing.model.enforcement import Goal, PacketKind, SessionOrder
from billing.model.network import Link, NasAddress, SessionIdentity, Vendor
from radius_plugin.coa import build, packet_for
from radius_plugin.wire import Slot
from rig import processes
from rig.account import service_account, temporary_state_dir
from rig.ports import free_udp_port
from rig.radius import EXECUTABLE
from tests.waiting import until

SECRET = secrets.token_hex(16)
OWN_DICTIONARY = Path(__file__).parents[2] / "freeradius-config" / "dictionary"
CONFIGURATION = """
name = nas
prefix = /usr
libdir = /usr/lib/freeradius
logdir = {folder}/state
run_dir = {folder}/state
pidfile = {folder}/state/nas.radiusd
client tollway {{
    ipaddr = 127.0.0.1
    secret = {secret}
    require_message_authenticator = yes
}}
instantiate {{
    expr
}}
modules {{
    expr {{
    }}
    always ok {{
        rcode = ok
    }}
    linelog understood {{
        filename = {folder}/state/understood
        format = "%{{pairs:request:}}"
    }}
}}
server nas {{
    listen {{
        type = coa
        ipaddr = 127.0.0.1
        port = {port}
    }}
    recv-coa {{
        understood
        ok
    }}
    send-coa {{
        ok
    }}
}}
"""
SERVICE = Service(
    pool="home",
    speed_up_kbps=1_000,
    speed_down_kbps=4_000,
    idle_timeout_seconds=900,
    limits=Limits(session_seconds=600, total_octets=5 * 2**32),
)


@dataclass
class ReadingNas:
    """A FreeRADIUS that receives orders and writes down what it has understood."""

    port: int
    notes: Path

    def lines(self) -> list[str]:
        if not self.notes.exists():
            return []
        return self.notes.read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def reader() -> Iterator[ReadingNas]:
    account = service_account()
    with temporary_state_dir("twn-") as folder:
        port = free_udp_port("127.0.0.1")
        text = CONFIGURATION.format(folder=folder, port=port, secret=SECRET)
        (folder / "nas.conf").write_text(text, encoding="utf-8")
        dictionary = OWN_DICTIONARY.read_text(encoding="utf-8")
        (folder / "dictionary").write_text(dictionary, encoding="utf-8")
        for path in (folder, *folder.rglob("*")):
            account.share(path)
        for name in ("run", "log", "state"):
            account.make_dir(folder / name)
        process = processes.start(
            "reader",
            [EXECUTABLE, "-f", "-l", "stdout", "-d", str(folder), "-n", "nas"],
            run_dir=folder / "run",
            log_dir=folder / "log",
            account=account,
        )
        try:
            until(lambda: "Ready to process" in processes.last_lines(process.log_file))
            yield ReadingNas(port, folder / "state" / "understood")
        finally:
            process.stop()


def order(vendor: Vendor, link: Link, goal: Goal, now: datetime) -> SessionOrder:
    return SessionOrder(
        customer_id=1,
        intent_id=2,
        org_id=1,
        nas_id=3,
        goal=goal,
        attempt=1,
        escalated=False,
        created_at=now,
        nas=NasAddress(address="127.0.0.1", secret=SECRET.encode()),
        vendor=vendor,
        link=link,
        fenced=True,
        identity=SessionIdentity(
            username=f"Alice@{secrets.token_hex(4)}",
            acct_session_id="80100001",
            framed_ip="10.0.0.5",
        ),
        service=SERVICE,
        used_seconds=100,
        used_octets=5_000,
    )


def answered(request: CoAPacket, port: int) -> CoAPacket:
    """Send it; the genuine answer. Raises TimeoutError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.settimeout(10)
        wire.connect(("127.0.0.1", port))
        datagram = request.RequestPacket()
        wire.send(datagram)
        raw = wire.recv(4096)
    reply = request.CreateReply(packet=raw)
    assert request.VerifyReply(reply, raw)
    return reply


def understood(line: str) -> list[tuple[str, str]]:
    """Names and values of a line of the notes."""
    return [
        (name, value.strip('"')) for name, value in re.findall(r'([\w:-]+) = ("[^"]*"|[^,]+)', line)
    ]


@pytest.mark.parametrize("vendor", list(Vendor))
@pytest.mark.parametrize("link", [Link.PPP, Link.HOTSPOT, Link.OTHER])
@pytest.mark.parametrize("goal", list(Goal))
def test_freeradius_understands_what_was_meant(
    reader: ReadingNas, vendor: Vendor, link: Link, goal: Goal
) -> None:
    now = utc_now()
    sent = order(vendor, link, goal, now)
    kind, attributes = packet_for(sent)
    if kind is PacketKind.NONE:
        return
    with socket.socket() as unused:
        slot = Slot(unused, ("127.0.0.1", reader.port), secrets.randbelow(256))
    reply = answered(build(sent, kind, attributes, slot, now), reader.port)
    assert reply.code == (CoAACK if kind is PacketKind.COA else DisconnectACK)
    (line,) = until(lambda: [one for one in reader.lines() if sent.identity.username in one])
    found = understood(line)
    for name, value in attributes:
        assert (name, value) in found
    known = {name for name, _ in attributes} | {"Event-Timestamp", "Message-Authenticator"}
    assert {name for name, _ in found} <= known | {"NAS-IP-Address", "Packet-Type"}


def test_a_forged_order_is_not_read(reader: ReadingNas) -> None:
    """The same packet under another secret: so it is the authenticators that were checked."""
    now = utc_now()
    sent = order(Vendor.MIKROTIK, Link.PPP, Goal.DISCONNECT, now)
    forged = SessionOrder(
        **{name: getattr(sent, name) for name in sent.__slots__ if name != "nas"},
        nas=NasAddress(address="127.0.0.1", secret=b"another secret"),
    )
    kind, attributes = packet_for(forged)
    with socket.socket() as unused:
        slot = Slot(unused, ("127.0.0.1", reader.port), 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.connect(("127.0.0.1", reader.port))
        wire.send(build(forged, kind, attributes, slot, now).RequestPacket())
    answered(build(sent, kind, attributes, slot, now), reader.port)
    time.sleep(0.1)
    assert len([line for line in reader.lines() if sent.identity.username in line]) == 1
