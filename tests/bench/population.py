"""Subscribers that come and go: login, Start, Interim-Updates, Stop, and the same again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial

from . import packets, workload
from .exchange import Answer, Exchange
from .packets import Kind
from .workload import Usage

INTERIMS = 6
_WANTED = {True: packets.ACCESS_ACCEPT, False: packets.ACCOUNTING_RESPONSE}
_LOGIN = -1
_STOP = INTERIMS + 1
_ROUND = INTERIMS + 3
_WINDOW = 64
Heard = Callable[[Kind, Answer], None]


class Population:
    """*users* subscribers from number *first*; `call` sends the next request of the next one.

    `prepare` brings each to another place of the round, so that from the beginning all kinds of
    requests are under way. What was not answered is sent anew at the next turn.
    """

    def __init__(self, exchange: Exchange, users: int, heard: Heard, *, first: int = 0) -> None:
        self._exchange, self._heard, self._first = exchange, heard, first
        self._order = list(range(users))
        random.Random(1).shuffle(self._order)
        self._turn = 0
        self._step = [_LOGIN + number % _ROUND for number in range(users)]
        self._reached = [0] * users
        """The last step of the session that runs that was answered."""
        self._generation = [1] * users
        self._began_at = [0] * users
        self._busy = [False] * users
        self._unsure: set[int] = set()
        self._used = [workload.NOTHING] * users
        self.held_back = self.wrong = self.given_up = 0

    def prepare(self) -> None:
        """Start the sessions of those that begin in the middle of one."""
        now = int(time.time())
        for number in range(len(self._step)):
            usage = workload.usage_at(self._first + number, max(self._step[number], 0))
            self._began_at[number] = now - usage.seconds
            if self._step[number] <= 0:
                continue
            while self._exchange.in_flight >= _WINDOW:
                self._exchange.work(time.perf_counter() + 0.25)
            encode = partial(self._encode, "start", number, 0)
            self._exchange.ask(0, "start", encode, self._started, time.perf_counter())
        while self._exchange.in_flight:
            self._exchange.work(time.perf_counter() + 0.25)

    def _started(self, answer: Answer) -> None:
        self.wrong += answer.code not in (None, packets.ACCOUNTING_RESPONSE)

    def call(self, due: float) -> None:
        """One request, of the next subscriber that waits for nothing."""
        for _ in range(len(self._order)):
            number = self._order[self._turn]
            self._turn = (self._turn + 1) % len(self._order)
            if not self._busy[number]:
                break
            self.held_back += 1
        else:
            return
        step = self._step[number]
        kind = self._kind(number)
        if step == _LOGIN:
            self._began_at[number] = int(time.time())
        encode = partial(self._encode, kind, number, max(step, 0))
        done = partial(self._answered, number, kind)
        self._busy[number] = self._exchange.ask(0, kind, encode, done, due)
        self.held_back += not self._busy[number]

    def expected(self) -> dict[int, Usage]:
        """What must be on record of each that is sure: nothing of its is without an answer."""
        return {
            self._first + number: used
            + workload.usage_at(self._first + number, self._reached[number])
            for number, used in enumerate(self._used)
            if number not in self._unsure
        }

    def _kind(self, number: int) -> Kind:
        step = self._step[number]
        if step <= 0:
            return "auth" if step == _LOGIN else "start"
        return "stop" if step == _STOP else "interim"

    def _encode(self, kind: Kind, number: int, step: int, identifier: int) -> bytes:
        return packets.request(
            kind,
            identifier,
            self._first + number,
            self._generation[number],
            step,
            self._began_at[number],
        )

    def _answered(self, number: int, kind: Kind, answer: Answer) -> None:
        self._busy[number] = False
        self._heard(kind, answer)
        if answer.code is None:
            self.given_up += 1
            if kind != "auth":
                self._unsure.add(number)
            return
        if answer.code != _WANTED[kind == "auth"]:
            self.wrong += 1
            return
        if kind != "auth":
            # This record tells all that one before it did.
            self._unsure.discard(number)
        if kind == "stop":
            user = self._first + number
            self._used[number] += workload.usage_at(user, _STOP)
            self._step[number], self._reached[number] = _LOGIN, 0
            self._generation[number] += 1
        else:
            self._reached[number] = max(self._step[number], 0)
            self._step[number] += 1


def drive(
    exchange: Exchange,
    calls: list[tuple[float, Callable[[float], None]]],
    seconds: float,
    each: Callable[[], None] = lambda: None,
) -> None:
    """Open loop: each of *calls* is made at random instants of its mean rate a second, whether or
    not answers come; then wait for what is under way. *each* is called in between."""
    pick = random.Random(2)
    began = time.perf_counter()
    ends = began + seconds
    due = [began + pick.expovariate(rate) for rate, _ in calls]
    while (next_due := min(due)) < ends:
        if next_due <= time.perf_counter():
            place = due.index(next_due)
            rate, call = calls[place]
            call(next_due)
            due[place] += pick.expovariate(rate)
        else:
            exchange.work(next_due)
            each()
    while exchange.in_flight:
        exchange.work(time.perf_counter() + 0.25)
        each()
