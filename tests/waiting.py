"""Waiting for something that another thread or process does; the bound is against hanging only."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")


def until(what: Callable[[], Seen], *, seconds: float = 30.0, every: float = 0.01) -> Seen:
    """The first truthy result of `what`; AssertionError when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (seen := what()):
        assert time.monotonic() < deadline, f"not in {seconds:.0f} s: {what}"
        time.sleep(every)
    return seen
