"""Options that take amounts of time, data and speed, and how we write these."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from billing.model.documents import Party
from billing.model.money import Money
from billing.model.quantities import (
    read_date,
    read_fair_use,
    read_instant,
    read_kbps,
    read_octets,
    read_outage,
    read_seconds,
    read_validity,
)
from billing.model.views import WalletView


class Unit(click.ParamType[Any]):
    """An option whose text is read by a function; its ValueError is shown with the option."""

    def __init__(self, name: str, read: Callable[[str], object]) -> None:
        self.name = name
        self._read = read

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


SECONDS = Unit("duration", read_seconds)
VALIDITY = Unit("duration", read_validity)
OCTETS = Unit("size", read_octets)
OUTAGE = Unit("refuse|duration", read_outage)
FAIR_USE = Unit("steps", read_fair_use)
KBPS = Unit("speed", read_kbps)
DAY = Unit("day", read_date)
INSTANT = Unit("instant", read_instant)


def show_seconds(seconds: int | None) -> str:
    """`2 d 3 h`, `45 min`; the two largest parts."""
    if seconds is None:
        return "unlimited"
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def show_octets(octets: int | None) -> str:
    """`1.50 GB`; decimal units."""
    if octets is None:
        return "unlimited"
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if octets >= size:
            hundredths = octets * 100 // size
            return f"{hundredths // 100}.{hundredths % 100:02d} {unit}"
    return f"{octets} B"


def show_money(amount_micros: int, currency: str) -> str:
    """`30.00 EUR`."""
    return str(Money(amount_micros, currency))


def uninvoiced_words(wallet: WalletView) -> str:
    """What to add to a wallet's figures where usage is on no bill yet (rule P2)."""
    if not wallet.uninvoiced_micros:
        return ""
    return f", {show_money(wallet.uninvoiced_micros, wallet.currency)} used and not billed yet"


def show_instant(instant: datetime | None) -> str:
    """UTC, to the second."""
    return "–" if instant is None else f"{instant:%Y-%m-%d %H:%M:%S}Z"


def letterhead_lines(found: Party) -> list[str]:
    """Name, address, country and tax number, as far as they are known."""
    country = [f"country {found.country}"] if found.country else []
    tax = [f"tax number {found.tax_id}"] if found.tax_id else []
    return [found.name, *found.address_lines, *country, *tax]
