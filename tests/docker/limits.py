"""How long the test may take, and what its end means for whoever started it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from tests.docker.engine import NoEngine, Trouble

CI_MINUTES = 30  # it takes some eight; a machine may be busy


@contextmanager
def at_most(minutes: int | None, *, unit_seconds: int = 60) -> Iterator[None]:
    """Raises Trouble inside of the block when that time is over; None is no limit."""

    def over(_number: int, _frame: FrameType | None) -> NoReturn:
        raise Trouble(f"not done after {minutes} minutes: given up")

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(unit_seconds * (minutes or 0))
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def verdict(error: Exception, *, ci: bool) -> tuple[int, str]:
    """Exit code and what is said. On CI a machine that can start no engine is not a failure, but
    is told; whatever goes wrong once an engine runs is one everywhere."""
    if ci and isinstance(error, NoEngine):
        return 0, f"== docker-test was NOT RUN on this machine: {' '.join(str(error).split())}"
    return 1, f"tollway: docker-test failed: {error}"
