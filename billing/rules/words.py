"""Amounts, days, instants and quantities in plain words, for `why` (rule B16)."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from billing.model.account import UnpaidBill
from billing.model.money import Money
from billing.model.plan import Entitlement
from billing.rules.cycles import END_OF_TIME

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_OCTET_UNITS = ("octets", "kB", "MB", "GB", "TB", "PB")


def day_words(day: date) -> str:
    """`10 Mar 2026`, whatever the machine's locale."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def instant_words(instant: datetime, time_zone: str) -> str:
    """`10 Mar 2026 14:30` in the operator's zone; seconds only where there are any."""
    if instant == END_OF_TIME:
        return "never"
    local = instant.astimezone(ZoneInfo(time_zone))
    return f"{day_words(local.date())} {local:{'%H:%M:%S' if local.second else '%H:%M'}}"


def money_words(amount_micros: int, currency: str) -> str:
    """`30.00 USD`, rounded for display (rule M2)."""
    return str(Money(amount_micros, currency))


def bill_words(bill: UnpaidBill, currency: str) -> str:
    amount = money_words(bill.open_micros, currency)
    return f"unpaid {bill.number} due {day_words(bill.due_on)} ({amount})"


def left_words(entitlement: Entitlement) -> str:
    """What an entitlement still holds: `3600 s, 1.5 GB left`; empty when nothing is limited."""
    left = []
    if entitlement.seconds_left is not None:
        left.append(f"{entitlement.seconds_left} s")
    if entitlement.octets_left is not None:
        left.append(octet_words(entitlement.octets_left))
    return ", ".join(left) + " left" if left else ""


def octet_words(octets: int) -> str:
    """Decimal units, one digit after the point."""
    unit, size = 0, 1
    while octets >= size * 1000 and unit < len(_OCTET_UNITS) - 1:
        unit, size = unit + 1, size * 1000
    if unit == 0:
        return f"{octets} octets"
    tenths = octets * 10 // size
    return f"{tenths // 10}.{tenths % 10} {_OCTET_UNITS[unit]}"


def second_words(seconds: int) -> str:
    """`12:05:09`: hours, minutes, seconds."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
