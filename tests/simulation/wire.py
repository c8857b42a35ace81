"""Simulated NAS that send a history through a real server, over a network that loses, repeats and
delays; each resends what is not answered."""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from tests.simulation.datagrams import Sent, is_answer

RESEND_SECONDS = 0.5
GIVEN_UP_AFTER = 60
IN_FLIGHT = 48
LOST, REPEATED, ANSWER_LOST = 0.08, 0.08, 0.05
_IDENTIFIERS = 256

Encode = Callable[[int, datetime], Sent]
"""A request with this identifier, sent at this instant."""


@dataclass(frozen=True)
class Task:
    """One request to send; `is_alone`: when all before it was answered, and nothing beside it."""

    nas: int
    encode: Encode
    is_alone: bool = False


@dataclass
class _Waiting:
    sent: Sent
    port: socket.socket
    tries: int
    due: float


@dataclass
class Wire:
    """Sockets of every NAS at its own address, towards one server."""

    server: tuple[str, int]
    addresses: dict[int, str]
    secret: bytes
    rng: Random
    sent: list[Sent] = field(default_factory=list)
    datagrams: int = 0

    def send(self, tasks: Sequence[Task]) -> None:
        """Send all of it, until every request was answered. Raises TimeoutError when one is not."""
        ports: dict[int, socket.socket] = {}
        try:
            for number, address in self.addresses.items():
                ports[number] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                ports[number].bind((address, 0))
                ports[number].connect(self.server)
                ports[number].setblocking(False)
            self._run(deque(tasks), ports)
        finally:
            for port in ports.values():
                port.close()

    def _run(self, tasks: deque[Task], ports: dict[int, socket.socket]) -> None:
        waiting: dict[tuple[int, int], _Waiting] = {}
        following = dict.fromkeys(ports, 0)
        is_alone = False
        while tasks or waiting:
            while tasks and len(waiting) < IN_FLIGHT and not is_alone:
                if tasks[0].is_alone and waiting:
                    break
                key = tasks[0].nas, following[tasks[0].nas] % _IDENTIFIERS
                if key in waiting:
                    break
                task = tasks.popleft()
                if task.is_alone:
                    time.sleep(RESEND_SECONDS)  # for copies that were answered twice
                following[task.nas] += 1
                is_alone = task.is_alone
                one = task.encode(key[1], datetime.now(UTC))
                self.sent.append(one)
                waiting[key] = _Waiting(one, ports[task.nas], 0, 0.0)
            self._send_due(waiting)
            self._receive(waiting, ports)
            is_alone = is_alone and bool(waiting)

    def _send_due(self, waiting: dict[tuple[int, int], _Waiting]) -> None:
        now = time.monotonic()
        for one in waiting.values():
            if one.due > now:
                continue
            if one.tries == GIVEN_UP_AFTER:
                raise TimeoutError(f"not answered in {GIVEN_UP_AFTER} tries: {one.sent.packet}")
            one.tries += 1
            one.due = now + RESEND_SECONDS * self.rng.uniform(0.7, 1.3)
            luck = self.rng.random()
            for _ in range(0 if luck < LOST else 2 if luck < LOST + REPEATED else 1):
                self.datagrams += 1
                one.port.send(one.sent.octets)

    def _receive(
        self, waiting: dict[tuple[int, int], _Waiting], ports: dict[int, socket.socket]
    ) -> None:
        readable, _, _ = select.select(list(ports.values()), (), (), 0.02)
        numbers = {port: number for number, port in ports.items()}
        for port in readable:
            try:
                while True:
                    answer = port.recv(4096)
                    one = waiting.get(key := (numbers[port], answer[1]))
                    is_genuine = one and is_answer(answer, one.sent.octets, self.secret)
                    if is_genuine and self.rng.random() >= ANSWER_LOST:
                        del waiting[key]
            except BlockingIOError:
                continue
