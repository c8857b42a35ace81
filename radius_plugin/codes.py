"""Return codes of rlm_python3 hooks: exact ints (radius.md F6)."""

from __future__ import annotations

from typing import TypeAlias

REJECT = 0
FAIL = 1
OK = 2
HANDLED = 3  # nothing is answered, and unlike FAIL radiusd does not log each one
NOTFOUND = 6
UPDATED = 8

Pairs: TypeAlias = tuple[tuple[str, str, str], ...]
Answer: TypeAlias = int | tuple[int, dict[str, Pairs]]
