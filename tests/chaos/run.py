"""Load on an installation, kills beneath it, and the verdict."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from billing.clock import utc_now
from tests.chaos.killing import Killer
from tests.chaos.router import TIMEOUT_SECONDS, Router
from tests.chaos.verdict import Verdict, between, is_confirmed, verdict
from tests.factories import Subscriber
from tests.radius.installation import Installation

ROUTERS = 8
PACKAGE_OCTETS = 1_100_000
"""About a hundred records."""
SETTLED_WITHIN_SECONDS = 60.0
MOST_MORE = 10


def run(
    isp: Installation,
    product: Path,
    logs: Path,
    *,
    seed: int,
    kills: int,
    say: Callable[[str], None] = print,
) -> Verdict:
    """So many kills, and more until some have fallen between a commit and its answer."""
    with ExitStack() as stack:
        killer = stack.enter_context(Killer(isp, product, random.Random(seed)))
        routers = [_router(isp, stack, logs, seed, number, kills) for number in range(ROUTERS)]
        for router in routers:
            router.start()
        for number in range(kills):
            killer.kill_something()
            say(f"kill {number + 1}: {killer.kills[-1].part}")
        for _ in range(MOST_MORE):
            if between(isp.context, routers, killer.kills):
                break
            killer.kill("radiusd-acct")
            time.sleep(2 * TIMEOUT_SECONDS)
        for router in routers:
            router.finish()
        for router in routers:
            router.join()
        _settle(isp, routers)
        found = verdict(isp.context, routers, killer.kills, PACKAGE_OCTETS)
        say(f"{dict(killer.counted())}")
        say(str(found))
        return found


def _settle(isp: Installation, routers: list[Router]) -> None:
    """Give the worker time to see the last Stops; the verdict says what it has not settled."""
    deadline = time.monotonic() + SETTLED_WITHIN_SECONDS
    for router in routers:
        for one in router.played:
            while not is_confirmed(isp.context, one) and time.monotonic() < deadline:
                time.sleep(0.2)


def _router(
    isp: Installation, stack: ExitStack, logs: Path, seed: int, number: int, kills: int
) -> Router:
    """A NAS with more subscribers than it can serve meanwhile."""
    nas = stack.enter_context(isp.make.simulated_nas(utc_now(), **isp.ports))
    waiting = deque(_subscriber(isp) for _ in range(3 + kills // 2))
    return Router(nas, waiting, logs / f"router-{number}.log", seed * ROUTERS + number)


def _subscriber(isp: Installation) -> Subscriber:
    now = utc_now().replace(microsecond=0)
    made = isp.make.subscriber(now)
    isp.make.package(made, now, octets=PACKAGE_OCTETS)
    return made
