"""Quantities as people write them: `10 GB`, `5 h`, `30 days`, `20 Mbit/s`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

OCTETS = {
    "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
SECONDS = {
    "s": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600,
    "d": 86_400, "day": 86_400,
}  # fmt: skip
MINUTES = {"m": 1, "min": 1, "minute": 1, "h": 60, "hour": 60, "d": 1440, "day": 1440}
KBPS = {"k": 1, "kbit/s": 1, "kbps": 1, "m": 1000, "mbit/s": 1000, "mbps": 1000,
        "g": 10**6, "gbit/s": 10**6, "gbps": 10**6}  # fmt: skip
_QUANTITY = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*([a-z/]*)")


def parse(text: str, units: Mapping[str, int], example: str) -> int:
    """The count in the smallest unit. Raises ValueError with an example of how to write it."""
    found = _QUANTITY.fullmatch(text.strip().casefold())
    unit = _singular(found[2], units) if found else None
    if found is None or unit is None:
        raise ValueError(f"cannot be read: {text.strip()} (write it like {example})")
    count = Decimal(found[1]) * units[unit]
    if count != count.to_integral_value():
        raise ValueError(f"not a whole number of the smallest unit: {text.strip()}")
    return int(count)


def write(count: int, names: tuple[tuple[str, int], ...]) -> str:
    """The count in the largest of the units that divides it exactly."""
    for name, size in names:
        if count % size == 0:
            return f"{count // size} {name}"
    return f"{count} {names[-1][0]}"


def _singular(unit: str, units: Mapping[str, int]) -> str | None:
    for candidate in (unit, unit.removesuffix("s")):
        if candidate in units:
            return candidate
    return None
