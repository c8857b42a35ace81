"""Group commit: who leads, who follows, and that nobody waits for ever or is answered too early."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from radius_plugin.batcher import Batcher, Overloaded, TimedOut
from tests.waiting import until

BOUND_SECONDS = 30


class Scene:
    """A batcher whose batches run only when the test lets them."""

    def __init__(self, lanes: Sequence[str] = ("lane",), **options: Any) -> None:
        self.batches: list[list[str]] = []
        self.gate = threading.Semaphore(0)
        self.poisons: set[str] = set()
        self.failure: Exception | None = None
        self.patience: dict[str, Callable[[], float]] = {}
        scene = self

        class Staged(Batcher[str, str, str]):
            """Each request waits as long as its own entry in `patience` says."""

            @property
            def _wait_seconds(self) -> float:
                who = threading.current_thread().name
                return scene.patience.get(who, lambda: BOUND_SECONDS)()

            @_wait_seconds.setter
            def _wait_seconds(self, value: float) -> None:
                pass

        settings = {"batch_max": 64, "queue_max": 64, "wait_seconds": 0.0} | options
        self.batcher = Staged(
            lanes,
            self._run,
            is_one_requests_fault=lambda error: isinstance(error, ValueError),
            isolate=self._isolate,
            **settings,
        )
        self._pool = ThreadPoolExecutor(max_workers=16)

    def _run(self, lane: str, requests: list[str]) -> list[str]:
        self.batches.append(requests)
        assert self.gate.acquire(timeout=BOUND_SECONDS)
        if self.failure is not None:
            raise self.failure
        if self.poisons.intersection(requests):
            raise ValueError("poison")
        return [f"{request}!" for request in requests]

    def _isolate(self, lane: str, request: str, error: Exception) -> str:
        if request == "unkeepable":
            raise error
        return f"{request} kept"

    def submit(self, *requests: str) -> list[Future[str]]:
        """Each in a thread named after it; returns when all of them are running or queued."""
        before = len(self.batcher._queue) + len(self.batches)
        futures = []
        for number, request in enumerate(requests, 1):
            futures.append(self._pool.submit(self._named, request))
            until(lambda n=number: len(self.batcher._queue) + len(self.batches) >= before + n)
        return futures

    def _named(self, request: str) -> str:
        threading.current_thread().name = request
        return self.batcher.submit(request)

    def open(self, batches: int) -> None:
        """Let this many batches run."""
        self.gate.release(batches)

    def close(self) -> None:
        self.gate.release(1_000)
        self._pool.shutdown()


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    yield made
    made.close()


def answer(future: Future[str]) -> str:
    return future.result(BOUND_SECONDS)


def test_followers_share_the_next_batch_and_each_gets_its_own_answer(scene: Scene) -> None:
    first, *rest = scene.submit("a", "b", "c", "d")
    scene.open(1)
    assert answer(first) == "a!"
    until(lambda: len(scene.batches) == 2)
    scene.open(1)
    assert [answer(future) for future in rest] == ["b!", "c!", "d!"]
    assert scene.batches == [["a"], ["b", "c", "d"]]
    assert (scene.batcher.batches, scene.batcher.requests) == (2, 4)


@pytest.mark.rule("U1")
def test_nobody_is_answered_before_the_statement_returned(scene: Scene) -> None:
    first, second, third = scene.submit("a", "b", "c")
    scene.open(1)
    answer(first)
    until(lambda: len(scene.batches) == 2)
    assert not second.done()
    assert not third.done()
    scene.open(1)
    assert answer(third) == "c!"


def test_a_batch_is_bounded_and_the_rest_goes_on_with_the_next() -> None:
    scene = Scene(batch_max=2)
    futures = scene.submit("a", "b", "c", "d")
    scene.open(3)
    assert [answer(future) for future in futures] == ["a!", "b!", "c!", "d!"]
    assert scene.batches == [["a"], ["b", "c"], ["d"]]
    scene.close()


def test_two_lanes_run_at_the_same_time() -> None:
    together = threading.Barrier(2, timeout=BOUND_SECONDS)

    def run(lane: str, requests: list[str]) -> list[str]:
        together.wait()
        return [lane] * len(requests)

    batcher: Batcher[str, str, str] = Batcher(
        ["one", "two"], run, batch_max=8, queue_max=8, wait_seconds=BOUND_SECONDS
    )
    with ThreadPoolExecutor() as pool:
        futures = [pool.submit(batcher.submit, name) for name in "ab"]
        assert {answer(future) for future in futures} == {"one", "two"}


def test_a_second_lane_begins_when_half_as_many_again_wait_as_run() -> None:
    gates = {name: threading.Event() for name in "abci"}
    began: list[list[str]] = []

    def run(_lane: str, requests: list[str]) -> list[str]:
        began.append(requests)
        assert gates[requests[0]].wait(BOUND_SECONDS)
        return requests

    batcher: Batcher[str, str, str] = Batcher(
        ["one", "two"], run, batch_max=8, queue_max=8, wait_seconds=BOUND_SECONDS
    )

    def submit(names: str, *, then_began: int) -> list[Future[str]]:
        futures = []
        for name in names:
            before = (batcher.waiting, len(began))
            futures.append(pool.submit(batcher.submit, name))
            until(lambda known=before: (batcher.waiting, len(began)) != known)
        assert len(began) == then_began
        return futures

    with ThreadPoolExecutor(9) as pool:
        futures = submit("a", then_began=1) + submit("b", then_began=2)
        futures += submit("cde", then_began=2)
        gates["a"].set()
        until(lambda: len(began) == 3)
        gates["b"].set()
        assert [answer(future) for future in futures[:2]] == ["a", "b"]
        futures += submit("fgh", then_began=3)
        futures += submit("i", then_began=4)
        assert began == [["a"], ["b"], ["c", "d", "e"], ["i", "f", "g", "h"]]
        gates["c"].set()
        gates["i"].set()
        assert [answer(future) for future in futures] == list("abcdefghi")


def test_the_solitary_lane_runs_what_comes_alone_and_is_not_handed_on() -> None:
    gates = {name: threading.Event() for name in "abcde"}
    began: list[tuple[str, list[str]]] = []

    def run(lane: str, requests: list[str]) -> list[str]:
        began.append((lane, requests))
        assert gates[requests[0]].wait(BOUND_SECONDS)
        return requests

    batcher: Batcher[str, str, str] = Batcher(
        ["shared"], run, batch_max=8, queue_max=8, wait_seconds=BOUND_SECONDS, solitary="own"
    )
    with ThreadPoolExecutor() as pool:
        futures = [pool.submit(batcher.submit, "a")]
        until(lambda: len(began) == 1)
        futures.append(pool.submit(batcher.submit, "b"))
        until(lambda: len(began) == 2)
        for waiting, name in enumerate("cd", 1):
            futures.append(pool.submit(batcher.submit, name))
            until(lambda count=waiting: batcher.waiting == count)
        gates["a"].set()
        assert answer(futures[0]) == "a"
        assert began == [("own", ["a"]), ("shared", ["b"])]
        gates["b"].set()
        until(lambda: len(began) == 3)
        gates["c"].set()
        assert [answer(future) for future in futures] == list("abcd")
        gates["e"].set()
        assert batcher.submit("e") == "e"
    assert began[2:] == [("shared", ["c", "d"]), ("own", ["e"])]


@pytest.mark.rule("U1")
def test_a_full_queue_refuses_and_loses_nobody_else() -> None:
    scene = Scene(queue_max=2)
    futures = scene.submit("a", "b", "c")
    with pytest.raises(Overloaded):
        scene.batcher.submit("d")
    scene.open(3)
    assert [answer(future) for future in futures] == ["a!", "b!", "c!"]
    assert scene.batcher.submit("d") == "d!"
    assert scene.batches == [["a"], ["b", "c"], ["d"]]
    scene.close()


def test_a_time_out_in_the_queue_is_not_run_and_the_lane_goes_on(scene: Scene) -> None:
    scene.patience["b"] = lambda: 0.01
    first, second = scene.submit("a", "b")
    assert isinstance(second.exception(BOUND_SECONDS), TimedOut)
    (third,) = scene.submit("c")
    scene.open(2)
    assert (answer(first), answer(third)) == ("a!", "c!")
    assert scene.batches == [["a"], ["c"]]


def test_a_time_out_within_a_running_batch_breaks_no_chain_of_wake_ups(scene: Scene) -> None:
    running = threading.Event()

    def until_running() -> float:
        assert running.wait(BOUND_SECONDS)
        return 0.0

    scene.patience["c"] = until_running
    first, leader, impatient, last = scene.submit("a", "b", "c", "d")
    scene.open(1)
    answer(first)
    until(lambda: len(scene.batches) == 2)
    running.set()
    assert isinstance(impatient.exception(BOUND_SECONDS), TimedOut)
    (later,) = scene.submit("e")
    scene.open(2)
    assert [answer(future) for future in (leader, last, later)] == ["b!", "d!", "e!"]
    assert scene.batches == [["a"], ["b", "c", "d"], ["e"]]


def test_a_failed_batch_tells_all_of_it_and_frees_the_lane(scene: Scene) -> None:
    scene.failure = ConnectionError("gone")
    first, second, third = scene.submit("a", "b", "c")
    scene.open(2)
    for future in (first, second, third):
        assert isinstance(future.exception(BOUND_SECONDS), ConnectionError)
    scene.failure = None
    scene.open(1)
    assert scene.batcher.submit("d") == "d!"


@pytest.mark.rule("U1")
def test_poison_is_found_by_halving_and_does_not_harm_the_others(scene: Scene) -> None:
    scene.poisons = {"c", "unkeepable"}
    first, *rest = scene.submit("a", "b", "c", "d", "unkeepable", "e", "f")
    scene.open(100)
    assert answer(first) == "a!"
    b, c, d, unkeepable, e, f = rest
    assert [answer(future) for future in (b, c, d, e, f)] == ["b!", "c kept", "d!", "e!", "f!"]
    assert isinstance(unkeepable.exception(BOUND_SECONDS), ValueError)


def test_without_a_keeper_only_the_poison_fails() -> None:
    def run(lane: str, requests: list[int]) -> list[int]:
        return [10 // request for request in requests]

    batcher: Batcher[int, int, str] = Batcher(
        ["lane"],
        run,
        batch_max=8,
        queue_max=8,
        wait_seconds=BOUND_SECONDS,
        is_one_requests_fault=lambda error: isinstance(error, ArithmeticError),
    )
    with pytest.raises(ZeroDivisionError):
        batcher.submit(0)
    assert batcher.submit(5) == 2


@pytest.mark.parametrize("solitary", [None, "own"])
def test_under_load_with_time_outs_no_lane_and_no_answer_is_lost(solitary: str | None) -> None:
    """Random patience around the time of a batch: every race of giving up, being answered and
    being handed a lane."""
    lanes = ["one", "two"]
    chance = random.Random(7)
    ran: list[int] = []

    def run(lane: str, requests: list[int]) -> list[int]:
        threading.Event().wait(chance.random() * 0.002)
        ran.extend(requests)
        return [-request for request in requests]

    class Impatient(Batcher[int, int, str]):
        @property
        def _wait_seconds(self) -> float:
            return chance.random() * 0.004

        @_wait_seconds.setter
        def _wait_seconds(self, value: float) -> None:
            pass

    batcher = Impatient(lanes, run, batch_max=4, queue_max=8, wait_seconds=0.0, solitary=solitary)

    def one(request: int) -> str:
        try:
            assert batcher.submit(request) == -request
        except (Overloaded, TimedOut) as refusal:
            return type(refusal).__name__
        return "answered"

    with ThreadPoolExecutor(max_workers=16) as pool:
        outcomes = list(pool.map(one, range(1, 3_001), timeout=BOUND_SECONDS))

    assert set(outcomes) == {"answered", "Overloaded", "TimedOut"}
    assert len(ran) == len(set(ran)) == batcher.requests
    answered = {number for number, outcome in enumerate(outcomes, 1) if outcome == "answered"}
    assert answered <= set(ran)
    assert sorted(batcher._free) == lanes
    assert not batcher._queue


def test_of_the_free_lanes_the_first_is_taken() -> None:
    """Also when another one was freed last."""
    used: list[str] = []
    gates = {"first": threading.Event(), "second": threading.Event()}

    def run(lane: str, requests: list[int]) -> list[int]:
        used.append(lane)
        assert gates[lane].wait(BOUND_SECONDS)
        return requests

    batcher = Batcher[int, int, str](
        ["first", "second"], run, batch_max=4, queue_max=8, wait_seconds=BOUND_SECONDS
    )
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(batcher.submit, 1)]
        until(lambda: used == ["first"])
        calls.append(pool.submit(batcher.submit, 2))
        until(lambda: used == ["first", "second"])
        for lane in ("first", "second"):
            gates[lane].set()
            calls.pop(0).result(BOUND_SECONDS)
    assert batcher.submit(3) == 3
    assert used == ["first", "second", "first"]
