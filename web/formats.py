"""Numbers and instants as people read them: template filters. Never used to compute."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from flask import Flask
from wtforms import Field

from billing.model.charges import ChargeKind, Extra
from billing.model.collections import COLLECTED
from billing.model.commerce import MoneyChannel
from billing.model.decision import Reason
from billing.model.money import MICROS_PER_UNIT, Money, minor_digits
from billing.model.plan import MINUTES_PER_DAY, PlanTerms, Sharing
from billing.model.plan_text import percent_words, rolling_words, tax_words
from billing.model.quantities import show_fair_use
from billing.model.tariff import tariff_windows
from billing.model.tariff_text import window_words
from billing.model.views import PlanView, StateView
from web import language, parts
from web.language import words

_REASONS = {
    Reason.CLOSED: "account closed",
    Reason.STAFF_SUSPENDED: "suspended by staff",
    Reason.PAUSED: "paused",
    Reason.DISCONTINUED: "bill unpaid at the agreed date",
    Reason.OVERDUE: "bill overdue",
    Reason.WALLET_EXHAUSTED: "wallet used up",
    Reason.SPENDING_CAP: "spending cap reached",
    Reason.NOT_COVERED: "wallet does not cover the period",
    Reason.NO_ENTITLEMENT: "no package bought",
    Reason.EXPIRED: "package expired",
    Reason.TIME_USED_UP: "time used up",
    Reason.DATA_USED_UP: "data used up",
}
CHANNELS = {
    MoneyChannel.CASH: "Cash",
    MoneyChannel.BANK_TRANSFER: "Bank transfer",
    MoneyChannel.CARD: "Card",
    MoneyChannel.DIRECT_DEBIT: "Direct debit",
    MoneyChannel.PAYPAL: "PayPal",
    MoneyChannel.MOBILE_MONEY: "Mobile money",
}
"""How money reaches the desk; the others come by themselves."""
_DECIMAL_UNITS = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def init_app(app: Flask) -> None:
    numbers = (money, octets, duration, speed, share)
    for function in (
        *numbers,
        instant,
        exact_instant,
        local_day,
        day,
        day_before,
        time_until,
        validity,
        allowance,
        plan_notes,
        tax_words,
        reason,
        channel,
        extra_words,
    ):
        app.add_template_filter(function)
    app.add_template_global(parts.now, "now")
    app.add_template_global(described)
    app.add_template_global(parts.operator, "operator")


def described(field: Field) -> dict[str, str]:
    """Ties a control to its help text, for screen readers."""
    return {"aria-describedby": f"{field.id}-help"} if field.description else {}


def money(amount_micros: int, currency: str) -> str:
    """`1,234.50 USD`, `1.234,50 USD`: rounded to the minor unit (rule M2)."""
    number, _, code = str(Money(amount_micros, currency)).partition(" ")
    whole, dot, cents = number.partition(".")
    found = f"{int(whole):,}{dot}{cents}".replace("-", "−") if whole != "-0" else f"−0.{cents}"
    return f"{_localised(found)} {code}" if whole != "-0" else _localised(found)


def amount_text(amount_micros: int, currency: str) -> str:
    """A price as a form shows it: all its decimals, at least the minor unit's."""
    whole, rest = divmod(amount_micros, MICROS_PER_UNIT)
    decimals = f"{rest:06d}".rstrip("0").ljust(minor_digits(currency), "0")
    return f"{whole}.{decimals}" if decimals else str(whole)


def octets(count: int) -> str:
    """`1.5 GB`, decimal as on a plan's sheet; rounded down: more is never promised than is left."""
    for size, unit in _DECIMAL_UNITS:
        if count >= size:
            whole, tenth = divmod(count * 10 // size, 10)
            return f"{_localised(f'{whole}.{tenth}')} {unit}" if tenth else f"{whole} {unit}"
    return f"{count} B"


def duration(seconds: int) -> str:
    """The two largest units: `2 d 4 h`, `5 min`, `12 s`."""
    parts_of = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    words: list[str] = []
    rest = seconds
    for unit, size in parts_of:
        count, rest = divmod(rest, size)
        if count or (words and len(words) < 2 and rest):
            words.append(f"{count} {unit}")
        if len(words) == 2:
            break
    return " ".join(word for word in words if not word.startswith("0 ")) or "0 s"


def exact_instant(moment: datetime) -> str:
    """`21 Nov 2026, 14:30:05`: where a second tells one from another."""
    local = moment.astimezone(ZoneInfo(parts.operator().time_zone))
    return f"{local.day} {local:%b %Y, %H:%M:%S}"


def instant(moment: datetime) -> str:
    """`21 Nov 2026, 14:30` in the operator's zone (rule M3)."""
    local = moment.astimezone(ZoneInfo(parts.operator().time_zone))
    return f"{language.short_day(local.date())}, {local:%H:%M}"


def local_day(moment: datetime) -> str:
    """`2026-11-21` in the operator's zone, as forms want it."""
    return moment.astimezone(ZoneInfo(parts.operator().time_zone)).date().isoformat()


def day(moment: date) -> str:
    """`21 Nov 2026`."""
    return language.short_day(moment)


def day_before(moment: date) -> date:
    """The last day of a cycle, from the exclusive end that bills carry."""
    return moment - timedelta(days=1)


def time_until(moment: datetime) -> str:
    """`in 2 h 5 min`, or `5 min ago`."""
    gap = moment - parts.now()
    if gap >= timedelta(0):
        return words("in {time}", time=duration(int(gap.total_seconds())))
    return words("{time} ago", time=duration(int(-gap.total_seconds())))


def speed(kbps: int | None) -> str:
    """`10 Mbit/s`."""
    if kbps is None:
        return words("not limited")
    if kbps < 1000:
        return f"{kbps} kbit/s"
    return _localised(f"{kbps / 1000:.1f}".removesuffix(".0")) + " Mbit/s"


def validity(terms: PlanTerms) -> str:
    """How long a package lasts: `1 month`, `30 days`, `90 minutes`, `no end`."""
    if terms.validity_months is not None:
        return _count(terms.validity_months, "month")
    if terms.validity_minutes is None:
        return words("no end")
    days, rest = divmod(terms.validity_minutes, MINUTES_PER_DAY)
    if rest == 0:
        return _count(days, "day")
    hours, minutes = divmod(terms.validity_minutes, 60)
    return _count(hours, "hour") if minutes == 0 else _count(terms.validity_minutes, "minute")


def allowance(terms: PlanTerms) -> str:
    """What a package contains: `10 GB`, `5 h and 1 GB`, `flat`, `pay as you go`."""
    limits = [
        *([duration(terms.seconds)] if terms.seconds is not None else []),
        *([octets(terms.octets)] if terms.octets is not None else []),
    ]
    if limits:
        more = words(", then pay as you go") if terms.pay_as_you_go else ""
        return words(" and ").join(limits) + more
    return words("pay as you go" if terms.pay_as_you_go else "flat")


def plan_notes(terms: PlanTerms) -> list[str]:
    """What a list adds to the allowance: prices of pay-as-you-go, fair use, what becomes of the
    unused, hours of their own."""
    steps = (
        (terms.payg_second_step, terms.payg_second_step_micros, duration),
        (terms.payg_octet_step, terms.payg_octet_step_micros, octets),
    )
    return [
        *(
            words(
                "{price} per {step}",
                price=f"{_localised(amount_text(price, terms.currency))} {terms.currency}",
                step=step_words(step),
            )
            for step, price, step_words in steps
            if step is not None and price is not None
        ),
        *(
            [words("slower after {steps}", steps=show_fair_use(terms.fair_use))]
            if terms.fair_use
            else []
        ),
        *([words("each session holds a slice")] if terms.sharing == Sharing.STRICT else []),
        *rolling_words(terms),
        *windows(terms),
    ]


def windows(terms: PlanTerms) -> list[str]:
    """Free and dearer hours as people write them (rule Q3)."""
    return [window_words(one) for one in tariff_windows(terms.tariff_windows)]


def reason(state: StateView) -> str:
    """Why the service is not normal, in two or three words; empty when it is."""
    if state.reason == Reason.OK:
        return ""
    return _REASONS.get(Reason(state.reason), state.text)


def channel(value: str) -> str:
    """`Bank transfer`."""
    if value == COLLECTED:
        return "From collectors"
    return CHANNELS.get(MoneyChannel(value), value.replace("_", " ").capitalize())


def extra_words(extra: Extra) -> str:
    """`5.00 USD a month`, `40.00 USD once`, `10% off`."""
    if extra.kind == ChargeKind.DISCOUNT:
        whole, decimals = divmod(extra.discount_ppm, 10_000)
        return f"{whole}.{decimals:04d}".rstrip("0").rstrip(".") + "% off"
    price = money(extra.price_micros, parts.operator().currency)
    tax = "" if extra.tax_rate_ppm is None else f", tax {percent_words(extra.tax_rate_ppm)}"
    return f"{price} {'a month' if extra.kind == ChargeKind.RECURRING else 'once'}{tax}"


def plan_words(view: PlanView) -> str:
    """`Home 50: 30.00 USD for 1 month`."""
    terms = view.terms
    return f"{view.name}: {money(terms.price_micros, terms.currency)} for {validity(terms)}"


def share(left: int, total: int | None) -> int:
    """Percent left of a total, whole; a little that is left is never shown as nothing."""
    if not total:
        return 0
    percent = min(100, left * 100 // total)
    return max(percent, 1) if left > 0 else 0


def _count(number: int, unit: str) -> str:
    return words(f"{{count}} {unit}" if number == 1 else f"{{count}} {unit}s", count=str(number))


def _localised(number: str) -> str:
    """`1,234.5` as the reader writes it: a decimal comma makes the others points."""
    if language.decimal_mark() == ",":
        return number.translate(str.maketrans(",.", ".,"))
    return number
