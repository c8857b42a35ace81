"""Tariff windows of a plan: stretches of the local week that are free or have own prices (Q3)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

FREE = "free"


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowPrice:
    """Pay-as-you-go prices in the place of the plan's: steps in seconds and octets, micros a step.

    None: this dimension costs nothing in the window.
    """

    second_step: int | None = None
    second_step_micros: int | None = None
    octet_step: int | None = None
    octet_step_micros: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffWindow:
    """From minute to minute of the local days (0 = Monday) on which it begins.

    `until_minute` is exclusive; more than 1440 lies on the next day. `price` None: what is used in
    it is free, it takes nothing from packages and costs nothing.
    """

    name: str
    weekdays: frozenset[int]
    from_minute: int
    until_minute: int
    price: WindowPrice | None = None


@lru_cache(maxsize=1024)
def tariff_windows(text: str | None) -> tuple[TariffWindow, ...]:
    """What `PlanTerms.tariff_windows` says; none without it. Raises ValueError for anything else.

    One word a window, `name:weekdays:from:until:` and `free` or four numbers: time step, its
    micros, octet step, its micros, 0 for a dimension without a price. The meter reads the same
    words (tariff_pieces_v1).
    """
    return tuple(_window(word) for word in (text or "").split())


def tariff_windows_text(windows: tuple[TariffWindow, ...]) -> str | None:
    """The reverse; None for no windows."""
    return " ".join(map(_word, windows)) or None


def _window(word: str) -> TariffWindow:
    name, weekdays, from_minute, until_minute, *price = word.split(":")
    return TariffWindow(
        name=name,
        weekdays=frozenset(map(int, weekdays)),
        from_minute=int(from_minute),
        until_minute=int(until_minute),
        price=None if price == [FREE] else _price(price),
    )


def _price(numbers: list[str]) -> WindowPrice:
    second_step, second_micros, octet_step, octet_micros = numbers
    has_seconds, has_octets = int(second_step) > 0, int(octet_step) > 0
    return WindowPrice(
        second_step=int(second_step) if has_seconds else None,
        second_step_micros=int(second_micros) if has_seconds else None,
        octet_step=int(octet_step) if has_octets else None,
        octet_step_micros=int(octet_micros) if has_octets else None,
    )


def _word(window: TariffWindow) -> str:
    price = window.price
    told = [FREE]
    if price is not None:
        parts = (
            *(price.second_step, price.second_step_micros),
            *(price.octet_step, price.octet_step_micros),
        )
        told = [str(part or 0) for part in parts]
    days = "".join(map(str, sorted(window.weekdays)))
    return ":".join([window.name, days, str(window.from_minute), str(window.until_minute), *told])
