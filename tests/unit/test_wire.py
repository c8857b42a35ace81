"""Source ports and identifiers of requests to NAS (RFC 5176 2.3)."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterator

import pytest

from radius_plugin.wire import Flight, Wire

IDENTIFIERS_OF_ALL_PORTS = 8 * 256


@pytest.fixture
def nas() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(5)
        yield listening


@pytest.fixture
def wire() -> Iterator[Wire[str]]:
    with selectors.DefaultSelector() as selector:
        opened: Wire[str] = Wire(selector)
        yield opened
        opened.close()


def flight(about: str, *, genuine: bytes = b"", expires: float = 10.0) -> Flight[str]:
    return Flight(about, lambda raw: raw == genuine, expires)


def test_an_identifier_in_flight_is_not_used_again(wire: Wire[str], nas: socket.socket) -> None:
    destination = nas.getsockname()
    for number in range(IDENTIFIERS_OF_ALL_PORTS):
        slot = wire.slot(destination)
        assert slot is not None
        wire.send(slot, b"request", flight(str(number), expires=float(number)))
    assert wire.slot(destination) is None
    assert wire.outstanding() == {"127.0.0.1": IDENTIFIERS_OF_ALL_PORTS}
    assert wire.slot(("127.0.0.2", 3799)) is not None  # another NAS has its own

    assert wire.expired(1.0) == ["0", "1"]
    assert wire.next_expiry() == 2.0
    assert wire.slot(destination) is not None


def test_the_next_request_leaves_from_another_port(wire: Wire[str], nas: socket.socket) -> None:
    first, second = (wire.slot(nas.getsockname()) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.wire.getsockname() != second.wire.getsockname()


def test_only_the_genuine_answer_ends_a_request(wire: Wire[str], nas: socket.socket) -> None:
    slot = wire.slot(nas.getsockname())
    assert slot is not None
    genuine = bytes((41, slot.identifier)) + b" genuine"
    wire.send(slot, b"request", flight("a request", genuine=genuine))
    _, source = nas.recvfrom(100)
    for datagram in (b"", b"x", bytes((41, slot.identifier)) + b" forged"):
        nas.sendto(datagram, source)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(genuine, source)
    assert list(wire.answers(slot.wire)) == []
    assert wire.outstanding() == {"127.0.0.1": 1}

    nas.sendto(genuine, source)
    assert list(wire.answers(slot.wire)) == [("a request", genuine)]
    assert not wire.outstanding()
    nas.sendto(genuine, source)
    assert list(wire.answers(slot.wire)) == []
