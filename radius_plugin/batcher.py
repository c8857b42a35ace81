"""Group commit: concurrent hook calls share one statement (radius.md F2).

A hook's thread that finds nothing running leads: it takes what is queued, runs it as one batch,
and hands the lane to the first one waiting. On another lane, a batch begins when half as many again
wait as are in a running one: the database then has work while one is answered or waits for its
commit, and batches stay large. Followers sleep
on a lock of their own; they are woken one by the other, so that one thread at a time waits for
the interpreter. Nobody is answered before the statement has returned (rule U1).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Request = TypeVar("Request")
Answer = TypeVar("Answer")
Lane = TypeVar("Lane")


class Overloaded(Exception):
    """The queue is full: the request is not taken, and not answered; the NAS will resend."""


class TimedOut(Exception):
    """No outcome in time. It may still be committed: it must not be acknowledged."""


class _Ticket(Generic[Request, Answer, Lane]):
    """One waiting call. `wake` is held until there is an outcome, or a lane to lead."""

    __slots__ = ("abandoned", "answer", "error", "lane", "next", "request", "settled", "wake")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.answer: Answer | None = None
        self.error: Exception | None = None
        self.lane: Lane | None = None
        self.next: _Ticket[Request, Answer, Lane] | None = None
        self.settled = False
        self.abandoned = False
        self.wake = threading.Lock()
        self.wake.acquire()


class Batcher(Generic[Request, Answer, Lane]):
    """`run(lane, requests)` answers each request, in order, or raises. Of the lanes that are free
    the first one is taken. The one for `solitary` requests is taken only by a request that finds
    nothing running, and is never handed on: cheapest for one, not for many.

    `is_one_requests_fault` tells an exception that one request caused: the batch is then run again
    in halves, and that request alone goes to `isolate(lane, request, error)`, which answers it.
    `batches` and `requests` count what was run.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        run: Callable[[Lane, list[Request]], Sequence[Answer]],
        *,
        batch_max: int,
        queue_max: int,
        wait_seconds: float,
        solitary: Lane | None = None,
        is_one_requests_fault: Callable[[Exception], bool] = lambda _error: False,
        isolate: Callable[[Lane, Request, Exception], Answer] | None = None,
    ) -> None:
        self._lanes = list(lanes)
        self._free = list(lanes)
        self._solitary = solitary
        self._batches_running = 0
        self._running = 0  # requests in them
        self._starting = 0  # leaders that have a lane and not yet their batch
        self._run = run
        self._batch_max = batch_max
        self._queue_max = queue_max
        self._wait_seconds = wait_seconds
        self._is_one_requests_fault = is_one_requests_fault
        self._isolate = isolate
        self._queue: deque[_Ticket[Request, Answer, Lane]] = deque()
        self._mutex = threading.Lock()
        self.batches = 0
        self.requests = 0

    @property
    def waiting(self) -> int:
        """Requests that are in no batch yet."""
        return len(self._queue)

    def submit(self, request: Request) -> Answer:
        """The answer to one request, after its batch was committed.

        Raises Overloaded, TimedOut, or what `run` raised.
        """
        ticket: _Ticket[Request, Answer, Lane] = _Ticket(request)
        with self._mutex:
            if self._solitary is not None and not self._running and not self._starting:
                self._hand(ticket, self._solitary)
            elif self._may_start(len(self._queue) + 1):
                self._hand(ticket, self._free.pop(0))
            elif len(self._queue) < self._queue_max:
                self._queue.append(ticket)
            else:
                raise Overloaded
        if ticket.lane is None and not ticket.wake.acquire(timeout=self._wait_seconds):
            self._give_up(ticket)
        if ticket.lane is not None:
            self._lead(ticket, ticket.lane)
        if ticket.next is not None:
            ticket.next.wake.release()
        if ticket.error is not None:
            raise ticket.error
        return ticket.answer  # type: ignore[return-value]  # settled without an error

    def _may_start(self, waiting: int) -> bool:
        """Whether so many get a lane now, being worth a batch of their own: a full one, or half as
        many again as run in one on average, less one (beside a single request another one does not
        wait). The mutex is held."""
        if self._starting or not self._free:
            return False
        worth = 2 * (waiting + 1) * self._batches_running >= 3 * self._running
        return worth or waiting >= self._batch_max

    def _hand(self, ticket: _Ticket[Request, Answer, Lane], lane: Lane) -> None:
        """It is to lead on this lane; the mutex is held."""
        ticket.lane = lane
        self._starting += 1

    def _give_up(self, ticket: _Ticket[Request, Answer, Lane]) -> None:
        """After too long a wait. An outcome or a lane that came meanwhile is taken after all, so
        that neither the chain of wake-ups nor a lane is lost."""
        with self._mutex:
            if ticket.settled or ticket.lane is not None:
                return
            ticket.error = TimedOut()
            ticket.abandoned = True
            if ticket in self._queue:
                self._queue.remove(ticket)

    def _lead(self, ticket: _Ticket[Request, Answer, Lane], lane: Lane) -> None:
        """Run a batch, hand the lane on, line up the followers to be woken."""
        queue = self._queue
        with self._mutex:
            batch = [ticket]
            batch += [queue.popleft() for _ in range(min(len(queue), self._batch_max - 1))]
            self._starting -= 1
            self._batches_running += 1
            self._running += len(batch)
        outcomes = self._execute(lane, batch)
        with self._mutex:
            self.batches += 1
            self.requests += len(batch)
            self._batches_running -= 1
            self._running -= len(batch)
            if lane is not self._solitary:
                self._free.append(lane)
                self._free.sort(key=self._lanes.index)
            successor = queue.popleft() if queue and self._may_start(len(queue)) else None
            if successor is not None:
                self._hand(successor, self._free.pop(0))
            chain: _Ticket[Request, Answer, Lane] | None = None
            for follower, (answer, error) in zip(reversed(batch), reversed(outcomes), strict=True):
                if follower.abandoned:
                    continue
                follower.answer, follower.error, follower.settled = answer, error, True
                if follower is not ticket:
                    follower.next, chain = chain, follower
            ticket.next = chain
        if successor is not None:
            successor.wake.release()

    def _execute(
        self, lane: Lane, batch: list[_Ticket[Request, Answer, Lane]]
    ) -> list[tuple[Answer | None, Exception | None]]:
        """Answer or error of every ticket."""
        try:
            answers = self._run(lane, [ticket.request for ticket in batch])
            return [(answer, None) for answer in answers]
        except Exception as error:
            if not self._is_one_requests_fault(error):
                return [(None, error)] * len(batch)
            if len(batch) == 1:
                return [self._execute_alone(lane, batch[0].request, error)]
        middle = len(batch) // 2
        return self._execute(lane, batch[:middle]) + self._execute(lane, batch[middle:])

    def _execute_alone(
        self, lane: Lane, request: Request, error: Exception
    ) -> tuple[Answer | None, Exception | None]:
        if self._isolate is None:
            return None, error
        try:
            return self._isolate(lane, request, error), None
        except Exception as second:
            return None, second
