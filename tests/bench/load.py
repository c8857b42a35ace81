"""The load generator, a process of its own: `python -m tests.bench.load`, plan on stdin.

It encodes every request first, prints `ready`, waits for `go`, sends, prints `done` when the last
answer is there, and then one JSON object. In a closed loop a fixed number of requests is kept in
flight; in an open loop requests are sent at random instants of a fixed mean rate whether or not
answers come, and latency counts from the instant the request was due.
"""

from __future__ import annotations

import gc
import json
import random
import select
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from . import packets
from .cell import Part

_SOCKETS = 48
_IDENTIFIERS = 256
# The identifier space: a request is only sent when the one before on its socket and number ended.
RING = _SOCKETS * _IDENTIFIERS
_RESEND_SECONDS = 3.0
_TRIES = 5
_RECEIVE_OCTETS = 4096
# A closed loop begins with so few: a server reads one socket, whose buffer holds some 200 requests.
_FIRST_BURST = 32
# So many requests given up and none answered: there is no server to measure.
_HOPELESS = 32


@dataclass
class Tally:
    """What one phase saw; instants are of the monotonic clock, one per request."""

    due: list[float]
    answered: list[float]
    answers: list[bytes]
    resends: int = 0
    lost: int = 0
    unexpected: int = 0
    finished: int = 0
    cpu_seconds: float = 0.0
    began: float = 0.0
    ended: float = 0.0


@dataclass
class Generator:
    """Sends *requests* to one UDP address and matches the answers by (socket, identifier)."""

    requests: list[bytes]
    address: tuple[str, int]
    sockets: list[socket.socket] = field(default_factory=list)
    tally: Tally = field(init=False)

    def __post_init__(self) -> None:
        count = len(self.requests)
        self.tally = Tally([0.0] * count, [0.0] * count, [b""] * count)
        self._waiting = [-1] * RING
        self._sent: deque[tuple[float, int, int]] = deque()
        self._base: dict[int, tuple[socket.socket, int]] = {}
        self._poll = select.epoll()
        for number in range(_SOCKETS):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setblocking(False)
            sock.connect(self.address)
            self.sockets.append(sock)
            self._base[sock.fileno()] = (sock, number * _IDENTIFIERS)
            self._poll.register(sock.fileno(), select.EPOLLIN)

    def closed(self, in_flight: int) -> Tally:
        """Keep *in_flight* requests under way until every one was answered or given up."""
        count = len(self.requests)
        tally = self._begin()
        following = 0
        while tally.finished < count:
            allowed = min(in_flight, _FIRST_BURST + tally.finished // 2)
            while following < count and following - tally.finished < allowed:
                if not self._send(following, time.perf_counter()):
                    break
                following += 1
            self._receive(self._poll.poll(0.25))
            self._resend_overdue()
        return self._end()

    def open(self, rate_per_second: float) -> Tally:
        """Send at exponentially distributed distances with the mean of *rate_per_second*."""
        pick = random.Random(1)
        offset = 0.0
        offsets = [offset := offset + pick.expovariate(rate_per_second) for _ in self.requests]
        count = len(self.requests)
        tally = self._begin()
        due = [tally.began + offset for offset in offsets]
        following = 0
        while tally.finished < count:
            now = time.perf_counter()
            while following < count and due[following] <= now:
                if not self._send(following, due[following]):
                    break
                following += 1
            pause = due[following] - time.perf_counter() if following < count else 0.25
            # epoll rounds its time-out up to a millisecond; select on its descriptor does not.
            if pause > 0:
                select.select((self._poll,), (), (), min(pause, 0.25))
            self._receive(self._poll.poll(0))
            self._resend_overdue()
        return self._end()

    def _begin(self) -> Tally:
        gc.collect()
        gc.disable()
        self._cpu_began = time.process_time()
        self.tally.began = time.perf_counter()
        return self.tally

    def _end(self) -> Tally:
        self.tally.ended = time.perf_counter()
        self.tally.cpu_seconds = time.process_time() - self._cpu_began
        gc.enable()
        return self.tally

    def _send(self, index: int, due: float) -> bool:
        """Send request *index*; False when its socket and identifier are still in use."""
        place = index % RING
        if self._waiting[place] >= 0:
            return False
        self._waiting[place] = index
        self.tally.due[index] = due
        self.sockets[place >> 8].send(self.requests[index])
        self._sent.append((due, index, 1))
        return True

    def _receive(self, events: list[tuple[int, int]]) -> None:
        tally, waiting = self.tally, self._waiting
        for descriptor, _ in events:
            sock, base = self._base[descriptor]
            while True:
                try:
                    answer = sock.recv(_RECEIVE_OCTETS)
                except BlockingIOError:
                    break
                place = base + answer[1]
                index = waiting[place]
                if index < 0:
                    tally.unexpected += 1
                    continue
                waiting[place] = -1
                tally.answered[index] = time.perf_counter()
                tally.answers[index] = answer
                tally.finished += 1

    def _resend_overdue(self) -> None:
        """Send again what has waited too long; give up after the last try."""
        sent, waiting = self._sent, self._waiting
        limit = time.perf_counter() - _RESEND_SECONDS
        while sent and (sent[0][0] < limit or waiting[sent[0][1] % RING] != sent[0][1]):
            _, index, tries = sent.popleft()
            place = index % RING
            if waiting[place] != index:
                continue
            if tries == _TRIES:
                waiting[place] = -1
                self.tally.lost += 1
                self.tally.finished += 1
                if self.tally.lost == self.tally.finished == _HOPELESS:
                    raise SystemExit(f"no answer from {self.address} to {_HOPELESS} requests")
                continue
            self.tally.resends += 1
            self.sockets[place >> 8].send(self.requests[index])
            sent.append((time.perf_counter(), index, tries + 1))


def encode(plan: dict[str, Any]) -> list[bytes]:
    """Every request of the *plan*, in the order in which it is to be sent."""
    places = [(user, part["step"]) for part in plan["parts"] for user in Part(**part).users()]
    return [
        packets.request(
            plan["kind"],
            index % _IDENTIFIERS,
            user,
            plan["generation"],
            step,
            plan["began_at"],
        )
        for index, (user, step) in enumerate(places)
    ]


def steady_rate(answered: list[float]) -> float:
    """Answers per second between the first and the last hundredth of them.

    So neither the ramp at the beginning nor one resent request at the end decides the figure.
    """
    instants = sorted(instant for instant in answered if instant)
    edge = len(instants) // 100
    if len(instants) < 2:
        return 0.0
    return (len(instants) - 2 * edge - 1) / (instants[-1 - edge] - instants[edge])


def summary(plan: dict[str, Any], requests: list[bytes], tally: Tally) -> dict[str, Any]:
    """The figures of a phase. Latencies are in milliseconds, in ascending order."""
    wanted = packets.ACCESS_ACCEPT if plan["kind"] == "auth" else packets.ACCOUNTING_RESPONSE
    wrong_code = forged = 0
    latencies = []
    for asked, answer, due, answered in zip(
        requests, tally.answers, tally.due, tally.answered, strict=True
    ):
        if not answer:
            continue
        wrong_code += answer[0] != wanted
        forged += not packets.answer_is_genuine(answer, asked)
        latencies.append((answered - due) * 1000)
    latencies.sort()
    return {
        "requests": len(requests),
        "seconds": tally.ended - tally.began,
        "per_second": steady_rate(tally.answered),
        "latency_ms": latencies,
        "resends": tally.resends,
        "lost": tally.lost,
        "unexpected": tally.unexpected,
        "wrong_code": wrong_code,
        "forged": forged,
        "generator_cpu_seconds": tally.cpu_seconds,
    }


def main() -> None:
    """Run the plan given as one line of JSON."""
    plan = json.loads(sys.stdin.readline())
    requests = encode(plan)
    generator = Generator(requests, (plan["host"], plan["port"]))
    print("ready", flush=True)
    if sys.stdin.readline().strip() != "go":
        raise SystemExit(1)
    if plan["in_flight"]:
        tally = generator.closed(plan["in_flight"])
    else:
        tally = generator.open(plan["rate_per_second"])
    print("done", flush=True)
    print(json.dumps(summary(plan, requests, tally)), flush=True)


if __name__ == "__main__":
    main()
