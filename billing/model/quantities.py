"""How people write amounts of time, data and speed; all raise ValueError with the right form."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from billing.model.fair_use import FairUseStep, fair_use_steps, fair_use_text

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_OCTETS = {
    "": 1,
    "b": 1,
    **{f"{prefix}b": 1000**power for power, prefix in enumerate("kmgtp", 1)},
    **{f"{prefix}ib": 1024**power for power, prefix in enumerate("kmgtp", 1)},
}
_KBPS = {"k": 1, "m": 1000, "g": 1_000_000}
_OCTET_NAMES = (
    ("TB", 10**12), ("TiB", 2**40), ("GB", 10**9), ("GiB", 2**30), ("MB", 10**6), ("MiB", 2**20),
    ("B", 1),
)  # fmt: skip
_KBPS_NAMES = (("G", 10**6), ("M", 1000), ("k", 1))
_QUANTITY = re.compile(r"\s*(\d{1,15})\s*([a-z]*)\s*", re.IGNORECASE)


def read_seconds(text: str) -> int:
    """`30d`, `12h`, `1440m`, `90s` in seconds."""
    return _scaled(text, _SECONDS, "a duration like 30d, 12h, 1440m or 90s")


def read_minutes(text: str) -> int:
    """A duration in whole minutes."""
    seconds = read_seconds(text)
    if seconds % 60:
        raise ValueError(f"{text!r} is not a whole number of minutes")
    return seconds // 60


def read_validity(text: str) -> tuple[int | None, int | None]:
    """(minutes, None), or (None, months) for `1month`."""
    found = re.fullmatch(r"\s*(\d{1,4})\s*months?\s*", text, re.IGNORECASE)
    return (None, int(found[1])) if found else (read_minutes(text), None)


def read_outage(text: str) -> int | None:
    """`refuse`, or for how long: `30m`, `2h` in whole minutes (rule A8)."""
    return None if text.strip().lower() == "refuse" else read_minutes(text)


def read_octets(text: str) -> int:
    """`10GB` (decimal), `10GiB` (binary), or plain octets."""
    return _scaled(text, _OCTETS, "a size like 500MB, 10GB or 10GiB")


def read_kbps(text: str) -> int:
    """`512k`, `10M`, `1G` in kbit/s."""
    return _scaled(text, _KBPS, "a speed like 512k, 10M or 1G (bits per second)")


def read_fair_use(text: str) -> str | None:
    """`50GB:2M, 100GB:512k` (after so much data, so fast) as `PlanTerms.fair_use` keeps it."""
    steps = []
    for word in text.replace(" ", "").split(","):
        octets, colon, kbps = word.partition(":")
        if word and not colon:
            raise ValueError(f"{word!r} is not a step like 50GB:2M (after 50 GB, 2 Mbit/s)")
        if word:
            steps.append(FairUseStep(read_octets(octets), read_kbps(kbps)))
    return fair_use_text(tuple(steps))


def show_fair_use(text: str | None) -> str:
    """The reverse of `read_fair_use`; empty for none."""
    return ", ".join(
        f"{_largest(step.after_octets, _OCTET_NAMES)}:{_largest(step.kbps, _KBPS_NAMES)}"
        for step in fair_use_steps(text)
    )


def _largest(count: int, names: tuple[tuple[str, int], ...]) -> str:
    name, size = next((name, size) for name, size in names if count % size == 0)
    return f"{count // size}{name}"


def read_date(text: str) -> date:
    """A local calendar day, `2026-03-10`."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a day; write it like 2026-03-10") from None


def read_instant(text: str) -> datetime:
    """An ISO 8601 instant, UTC unless it says otherwise."""
    try:
        instant = datetime.fromisoformat(text)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text!r} is not an instant; write it like 2026-03-10T14:30:00+01:00"
        ) from None


def _scaled(text: str, units: dict[str, int], wanted: str) -> int:
    found = _QUANTITY.fullmatch(text)
    if found is None or found[2].lower() not in units:
        raise ValueError(f"{text!r} is not {wanted}")
    return int(found[1]) * units[found[2].lower()]
