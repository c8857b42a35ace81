"""Sockets for requests to NAS: rotating source ports, identifiers, answers, time-outs.

A RADIUS identifier is one octet, unique per source port and destination until it is answered or
given up (RFC 5176 2.3); several ports make room for many requests to one NAS. Nothing here waits.
"""

from __future__ import annotations

import selectors
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

_PORTS = 8
_IDENTIFIERS = 256
_DATAGRAM_OCTETS = 4096

Destination = tuple[str, int]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Slot:
    """A source port and an identifier that are free for a destination."""

    wire: socket.socket
    destination: Destination
    identifier: int


@dataclass(slots=True)
class Flight(Generic[_T]):
    """A request that was sent: what it is about, how to tell its answer, until when to wait.

    `accept` returns whether a datagram is the genuine answer; `expires` is monotonic seconds.
    """

    about: _T
    accept: Callable[[bytes], bool]
    expires: float


class Wire(Generic[_T]):
    """Requests in flight. Its sockets are registered with `selector` for reading."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._sockets: dict[socket.AddressFamily, list[socket.socket]] = {}
        self._turn = 0
        self._next: dict[tuple[socket.socket, Destination], int] = {}
        self._flights: dict[Slot, Flight[_T]] = {}
        self._outstanding: Counter[str] = Counter()

    def slot(self, destination: Destination) -> Slot | None:
        """A free slot, from another source port than the last; None when all are taken.

        Raises OSError when no socket can be opened.
        """
        sockets = self._sockets_for(destination[0])
        for _ in sockets:
            self._turn += 1
            wire = sockets[self._turn % len(sockets)]
            first = self._next.get((wire, destination), 0)
            for step in range(_IDENTIFIERS):
                slot = Slot(wire, destination, (first + step) % _IDENTIFIERS)
                if slot not in self._flights:
                    self._next[wire, destination] = slot.identifier + 1
                    return slot
        return None

    def send(self, slot: Slot, datagram: bytes, flight: Flight[_T]) -> None:
        """Send and remember. Raises OSError when the network refuses the datagram."""
        slot.wire.sendto(datagram, slot.destination)
        self._flights[slot] = flight
        self._outstanding[slot.destination[0]] += 1

    def outstanding(self) -> Counter[str]:
        """Requests in flight by NAS address."""
        return self._outstanding

    def answers(self, wire: socket.socket) -> Iterator[tuple[_T, bytes]]:
        """What has arrived at one socket: each request with its genuine answer.

        Anything else is dropped: forged, late, or from somebody who was not asked.
        """
        while True:
            try:
                raw, source = wire.recvfrom(_DATAGRAM_OCTETS)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # an ICMP error of an earlier datagram: its time-out tells
                continue
            slot = Slot(wire, (source[0], source[1]), raw[1] if len(raw) > 1 else -1)
            flight = self._flights.get(slot)
            if flight is not None and flight.accept(raw):
                self._land(slot)
                yield flight.about, raw

    def expired(self, monotonic: float) -> list[_T]:
        """Requests whose time is over; their identifiers are free again."""
        over = [slot for slot, flight in self._flights.items() if flight.expires <= monotonic]
        return [self._land(slot).about for slot in over]

    def next_expiry(self) -> float | None:
        """When the next request in flight expires, in monotonic seconds."""
        # Requests are remembered in the order of sending, and all wait equally long.
        first = next(iter(self._flights.values()), None)
        return None if first is None else first.expires

    def close(self) -> None:
        """Close every socket; answers to what is in flight are lost."""
        for sockets in self._sockets.values():
            for wire in sockets:
                self._selector.unregister(wire)
                wire.close()
        self._sockets.clear()
        self._flights.clear()
        self._outstanding.clear()

    def _land(self, slot: Slot) -> Flight[_T]:
        flight = self._flights.pop(slot)
        address = slot.destination[0]
        self._outstanding[address] -= 1
        if not self._outstanding[address]:
            del self._outstanding[address]
        return flight

    def _sockets_for(self, address: str) -> list[socket.socket]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        if family not in self._sockets:
            opened = []
            for _ in range(_PORTS):
                wire = socket.socket(family, socket.SOCK_DGRAM)
                wire.setblocking(False)
                wire.bind(("", 0))
                self._selector.register(wire, selectors.EVENT_READ)
                opened.append(wire)
            self._sockets[family] = opened
        return self._sockets[family]
