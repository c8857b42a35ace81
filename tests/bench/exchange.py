"""RADIUS requests of several NAS under way at once: identifiers, answers, resends with back-off.

One thread; nothing here waits longer than it is told. A NAS is a source address of loopback.
"""

from __future__ import annotations

import heapq
import select
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

from . import packets
from .packets import Kind
from .workload import NAS_ADDRESS

_IDENTIFIERS = 256
_RECEIVE_OCTETS = 4096
_BUFFER_OCTETS = 1 << 20
RESEND_SECONDS = (3.0, 3.0, 3.0, 3.0)
"""Waited after each sending; the last time ends with giving up."""


class Answer(NamedTuple):
    """What became of a request. `code` None: given up. Latency counts from when it was due."""

    code: int | None
    latency_seconds: float
    tries: int


Done = Callable[[Answer], None]


@dataclass(slots=True)
class _Asked:
    raw: bytes
    due: float
    tries: int
    done: Done


class _Port:
    """One socket to one server: 256 identifiers."""

    def __init__(self, source: str, server_port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_OCTETS)
        self.socket.bind((source, 0))
        self.socket.connect((str(NAS_ADDRESS), server_port))
        self.under_way: list[_Asked | None] = [None] * _IDENTIFIERS
        self.next = 0

    def free(self) -> int | None:
        """An identifier that is not in use, the one that has rested longest."""
        for step in range(_IDENTIFIERS):
            identifier = (self.next + step) % _IDENTIFIERS
            if self.under_way[identifier] is None:
                self.next = (identifier + 1) % _IDENTIFIERS
                return identifier
        return None


class Exchange:
    """Requests of the NAS at *sources* to the two servers, from *ports_each* ports a server."""

    def __init__(
        self,
        auth_port: int,
        acct_port: int,
        *,
        sources: Sequence[str] = (str(NAS_ADDRESS),),
        ports_each: int = 1,
        resend_seconds: Sequence[float] = RESEND_SECONDS,
    ) -> None:
        self.in_flight = self.resends = self.forged = self.unexpected = 0
        self._resend_seconds = resend_seconds
        self._turn = count()
        self._overdue: list[tuple[float, int, _Port, int, _Asked]] = []
        self._poll = select.epoll()
        self._readers: dict[int, Callable[[], None]] = {}
        self._ports: dict[tuple[int, bool], list[_Port]] = {}
        for number, source in enumerate(sources):
            for is_auth, server_port in ((True, auth_port), (False, acct_port)):
                ports = [_Port(source, server_port) for _ in range(ports_each)]
                self._ports[number, is_auth] = ports
                for port in ports:
                    self.listen(port.socket, lambda port=port: self._receive(port))  # type: ignore[misc]

    def listen(self, sock: socket.socket, read: Callable[[], None]) -> None:
        """Call *read* when *sock* has something."""
        self._readers[sock.fileno()] = read
        self._poll.register(sock.fileno(), select.EPOLLIN)

    def ask(
        self, source: int, kind: Kind, encode: Callable[[int], bytes], done: Done, due: float
    ) -> bool:
        """Send what *encode* makes of an identifier; False when every identifier is in use.

        *due* is of time.perf_counter.
        """
        ports = self._ports[source, kind == "auth"]
        first = next(self._turn)
        for step in range(len(ports)):
            port = ports[(first + step) % len(ports)]
            identifier = port.free()
            if identifier is not None:
                asked = _Asked(encode(identifier), due, 0, done)
                port.under_way[identifier] = asked
                self.in_flight += 1
                self._send(port, identifier, asked)
                return True
        return False

    def work(self, until: float) -> None:
        """Hear answers and send again what is overdue, until that instant (perf_counter) or until
        something was heard."""
        pause = min(until, self._overdue[0][0] if self._overdue else until) - time.perf_counter()
        # epoll rounds its time-out up to a millisecond; select on its descriptor does not.
        if pause > 0:
            select.select((self._poll,), (), (), min(pause, 0.25))
        for descriptor, _ in self._poll.poll(0):
            self._readers[descriptor]()
        now = time.perf_counter()
        while self._overdue and self._overdue[0][0] <= now:
            _, _, port, identifier, asked = heapq.heappop(self._overdue)
            if port.under_way[identifier] is asked:
                self._again(port, identifier, asked, now)

    def close(self) -> None:
        """Forget whatever is under way."""
        for ports in self._ports.values():
            for port in ports:
                port.socket.close()
        self._poll.close()

    def _send(self, port: _Port, identifier: int, asked: _Asked) -> None:
        # Lost on the way, as on any network.
        with suppress(BlockingIOError, ConnectionRefusedError):
            port.socket.send(asked.raw)
        waits = self._resend_seconds[asked.tries]
        asked.tries += 1
        entry = (time.perf_counter() + waits, next(self._turn), port, identifier, asked)
        heapq.heappush(self._overdue, entry)

    def _again(self, port: _Port, identifier: int, asked: _Asked, now: float) -> None:
        if asked.tries < len(self._resend_seconds):
            self.resends += 1
            self._send(port, identifier, asked)
        else:
            self._finish(port, identifier, asked, None, now)

    def _receive(self, port: _Port) -> None:
        while True:
            try:
                raw = port.socket.recv(_RECEIVE_OCTETS)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                continue
            asked = port.under_way[raw[1]] if len(raw) >= 20 else None
            if asked is None:
                self.unexpected += 1
            elif not packets.answer_is_genuine(raw, asked.raw):
                self.forged += 1
            else:
                self._finish(port, raw[1], asked, raw[0], time.perf_counter())

    def _finish(
        self, port: _Port, identifier: int, asked: _Asked, code: int | None, now: float
    ) -> None:
        port.under_way[identifier] = None
        self.in_flight -= 1
        asked.done(Answer(code, now - asked.due, asked.tries))
