"""A catalogue a language, `LANGUAGE.po`, by the English words; English needs none.

Texts that were stored in English with values in them (lines of bills, what statements tell) have
entries with `{names}` in the context `stored`: the English sentence is looked for, its values are
put into the other one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path

from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.messages.pofile import read_po
from babel.numbers import get_decimal_symbol

FALLBACK = "en"
_FOLDER = Path(__file__).parent
_STORED = "stored"
_NAME = re.compile(r"\{(\w+)\}")
_POINT = re.compile(r"(?<=\d)\.(?=\d)")
_DAY = r"\d{4}-\d{2}-\d{2}"
# A number of a paper has a digit in it: a plan called "Bill Murray" is no bill.
_NUMBER = r"[^\s,]*\d"
_SHAPES = {
    **dict.fromkeys(("first", "until", "day"), _DAY),
    **dict.fromkeys(("number", "bill"), _NUMBER),
    **dict.fromkeys(("days", "whole", "count"), r"\d+"),
}
_DEPTH = 4
"""How many sentences may stand in one another: `{name}, {first} to {until}: {amounts}`."""


@cache
def languages() -> tuple[str, ...]:
    """The languages that customers can read everything in."""
    return tuple(sorted([FALLBACK, *(file.stem for file in _FOLDER.glob("*.po"))]))


def spoken(language: str) -> str:
    """The one of `languages` that is nearest to what a customer wants (`es` for `es-MX`), or
    English."""
    for wanted in (language, language.replace("-", "_").partition("_")[0]):
        if wanted in languages():
            return wanted
    return FALLBACK


def name_of(language: str) -> str:
    """What staff call a language: `Spanish`."""
    return Locale.parse(language).get_display_name("en") or language


def said(english: str, language: str, values: Mapping[str, str] | None = None) -> str:
    """Words of ours in one of `languages`, with `values` in the place of their `{names}`."""
    found = english if language == FALLBACK else entries(language).get(("", english), english)
    return _filled(found, values or {})


def told(text: str, language: str) -> str:
    """A text that was stored in English, in one of `languages`. What no entry knows, names and what
    staff wrote, stays as it is."""
    return text if language == FALLBACK else _translated(text, language, _DEPTH)


def short_day(day: date, language: str) -> str:
    """`21 Nov 2026`, `21 nov 2026`."""
    if language == FALLBACK:
        return f"{day.day} {day:%b %Y}"
    return format_date(day, "medium", locale=_locale(language))


def long_day(day: date, language: str) -> str:
    """`21 de noviembre de 2026`."""
    return format_date(day, "long", locale=_locale(language))


def month(day: date, language: str) -> str:
    """`November 2026`, `noviembre de 2026`."""
    return format_skeleton("yMMMM", day, locale=_locale(language))


def decimal_mark(language: str) -> str:
    """`.` or `,`."""
    return get_decimal_symbol(_locale(language))


@cache
def entries(language: str) -> Mapping[tuple[str, str], str]:
    """The other language by context (`stored`: for `told`) and English. Raises OSError where
    there is none."""
    with (_FOLDER / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language, abort_invalid=True)
    return {(one.context or "", str(one.id)): str(one.string) for one in catalogue if one.id}


@cache
def _sentences(language: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Stored texts with values in them."""
    found = []
    for (context, english), other in entries(language).items():
        if context == _STORED and _NAME.search(english):
            # Names stand at every odd place.
            parts = _NAME.split(english)
            text = "".join(
                f"(?P<{part}>{_SHAPES.get(part, '.+')})" if at % 2 else re.escape(part)
                for at, part in enumerate(parts)
            )
            found.append((re.compile(text), other))
    return tuple(found)


def _translated(text: str, language: str, depth: int) -> str:
    exact = entries(language).get((_STORED, text))
    if exact is not None:
        return exact
    for pattern, other in _sentences(language):
        match = pattern.fullmatch(text)
        if match is not None and depth:
            values = {
                name: _value(name, value, language, depth - 1)
                for name, value in match.groupdict().items()
            }
            return _filled(other, values)
    return text


def _value(name: str, value: str, language: str, depth: int) -> str:
    if _SHAPES.get(name) == _DAY:
        try:
            return short_day(date.fromisoformat(value), language)
        except ValueError:  # somebody wrote what looks like a day
            return value
    if name == "amounts":
        value = _POINT.sub(decimal_mark(language), value)
    return _translated(value, language, depth)


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _NAME.sub(lambda name: values.get(name[1], name[0]), text)


@cache
def _locale(language: str) -> Locale:
    return Locale.parse(language)
