"""Tariff windows as people write them: `night mon-sun 00:00-06:00 free` (rule Q3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from billing.model.login_hours import WEEKDAYS, read_minute, read_weekday
from billing.model.money import Money
from billing.model.quantities import read_octets
from billing.model.tariff import FREE, TariffWindow, WindowPrice

FORM = "night mon-sun 00:00-06:00 free, or peak mon-fri 18:00-23:00 0.02/min 0.05/MB"
_Text = TypeVar("_Text")
_Read = TypeVar("_Read")
_MINUTES_PER_DAY = 1440
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_HOURS = re.compile(r"(\d\d?:\d\d)-(\d\d?:\d\d)")
_SECONDS = {"s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600}
_TIME_NAMES = (("h", 3600), ("min", 60), ("s", 1))
_DATA_NAMES = (
    ("TB", 10**12), ("TiB", 2**40), ("GB", 10**9), ("GiB", 2**30), ("MB", 10**6), ("MiB", 2**20),
    ("KB", 10**3), ("KiB", 2**10), ("B", 1),
)  # fmt: skip


def read_window(text: str, currency: str) -> TariffWindow:
    """A name, weekdays, local hours (they may pass midnight; the days are those on which the
    window begins), and `free` or prices a step of time and of data.

    Raises ValueError that names the window and which part of it cannot be read.
    """
    words = text.split()
    if len(words) < 4:
        raise ValueError(f"window {text.strip()!r} is not complete: write it like {FORM}")
    name, days, hours, *meaning = words
    name = name.casefold()
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"window {name!r}: name: letters a-z, digits, - and _ only, at most 32 of them"
        )
    from_minute, until_minute = _part(name, "hours", _hours, hours)
    return TariffWindow(
        name=name,
        weekdays=_part(name, "days", _weekdays, days.casefold()),
        from_minute=from_minute,
        until_minute=until_minute,
        price=None
        if [word.casefold() for word in meaning] == [FREE]
        else _part(name, "price", lambda told: _prices(told, currency), meaning),
    )


def read_windows(texts: Sequence[str], currency: str) -> tuple[TariffWindow, ...]:
    """Several, one a text; empty ones are left out. Raises ValueError."""
    return tuple(read_window(text, currency) for text in texts if text.strip())


def window_words(window: TariffWindow) -> str:
    """The reverse of `read_window`."""
    until = window.until_minute
    if until > _MINUTES_PER_DAY:
        until -= _MINUTES_PER_DAY
    hours = f"{_clock(window.from_minute)}-{_clock(until)}"
    return f"{window.name} {_days_words(window.weekdays)} {hours} {price_words(window.price)}"


def price_words(price: WindowPrice | None) -> str:
    """`free` or like `0.02/min 0.05/MB`."""
    if price is None:
        return FREE
    parts = (
        (price.second_step, price.second_step_micros, _TIME_NAMES),
        (price.octet_step, price.octet_step_micros, _DATA_NAMES),
    )
    return " ".join(
        f"{_amount(micros)}/{_step(step, names)}"
        for step, micros, names in parts
        if step is not None and micros is not None
    )


def _part(name: str, part: str, read: Callable[[_Text], _Read], text: _Text) -> _Read:
    """What `read` makes of a part of a window; its ValueError names the part."""
    try:
        return read(text)
    except ValueError as error:
        raise ValueError(f"window {name!r}: {part}: {error}") from None


def _weekdays(text: str) -> frozenset[int]:
    """`mon-fri`, `sat,sun`, `fri-mon`."""
    found: set[int] = set()
    for span in text.split(","):
        first, _, last = span.partition("-")
        since = read_weekday(first)
        until = read_weekday(last) if last else since
        found |= {(since + step) % 7 for step in range((until - since) % 7 + 1)}
    return frozenset(found)


def _hours(text: str) -> tuple[int, int]:
    found = _HOURS.fullmatch(text)
    if found is None:
        raise ValueError(f"cannot read {text!r}: write them like 22:00-06:00")
    since, until = read_minute(found[1]), read_minute(found[2])
    if since == _MINUTES_PER_DAY:
        raise ValueError(f"{text!r} begins at 24:00: write 00:00 of the next day")
    if since == until:
        raise ValueError(f"{text!r} ends when it begins: write 00:00-24:00 for whole days")
    return since, until if until > since else until + _MINUTES_PER_DAY


def _prices(words: Sequence[str], currency: str) -> WindowPrice:
    price = WindowPrice()
    for word in words:
        amount, slash, unit = word.partition("/")
        if not slash:
            raise ValueError(f"{word!r} is neither {FREE!r} nor a price like 0.02/min or 0.05/MB")
        micros = Money.parse(amount, currency).amount_micros
        seconds = _seconds(unit)
        taken = price.second_step if seconds else price.octet_step
        if taken is not None:
            raise ValueError(f"{word!r} is a second price of the same kind")
        if seconds:
            price = replace(price, second_step=seconds, second_step_micros=micros)
        else:
            price = replace(price, octet_step=_octets(word, unit), octet_step_micros=micros)
    return price


def _seconds(unit: str) -> int | None:
    """Of `min`, `30s`; None for a step of something else."""
    found = re.fullmatch(r"(\d{0,9})([a-z]+)", unit.casefold())
    if found is None or found[2] not in _SECONDS:
        return None
    return int(found[1] or 1) * _SECONDS[found[2]]


def _octets(word: str, unit: str) -> int:
    try:
        return read_octets(unit if unit[:1].isdigit() else f"1{unit}")
    except ValueError:
        raise ValueError(f"{word!r}: the step must be like min, 30s, MB or 10MiB") from None


def _days_words(weekdays: frozenset[int]) -> str:
    """`mon-sun`, `mon-fri`, `mon,wed`: spans within one week."""
    if len(weekdays) == len(WEEKDAYS):
        return "mon-sun"
    words, day = [], 0
    while day < len(WEEKDAYS):
        last = day
        while last in weekdays:
            last += 1
        if last - day > 1:
            words.append(f"{WEEKDAYS[day]}-{WEEKDAYS[last - 1]}")
        elif last > day:
            words.append(WEEKDAYS[day])
        day = last + 1
    return ",".join(words)


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _amount(micros: int) -> str:
    whole, rest = divmod(micros, 10**6)
    decimals = f"{rest:06d}".rstrip("0").ljust(2, "0")
    return f"{whole}.{decimals}"


def _step(step: int, names: tuple[tuple[str, int], ...]) -> str:
    name, size = next((name, size) for name, size in names if step % size == 0)
    return name if step == size else f"{step // size}{name}"
