"""A message as a person reads it: subject, text and HTML, from facts and templates.

Templates are `templates/LANGUAGE/KIND.mjml` for the HTML part and `KIND.txt` for the subject (its
first line) and the text part. They run in a sandbox: no attribute that is not public, no name that
is not given, and in MJML every value is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

import mrml
from babel import Locale
from babel.dates import format_date
from babel.numbers import format_currency
from jinja2 import FileSystemLoader, StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from billing.model.messages import Facts, MessageKind
from billing.model.money import MICROS_PER_UNIT, Money

FALLBACK_LANGUAGE = "en"
SUBJECT_LIMIT = 200
_TEMPLATES = Path(__file__).parent / "templates"
_SUBJECT = "Subject:"


class Unrenderable(ValueError):
    """A template that does not parse, or that names a fact which is not there."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """One message in one language. `subject` is one line."""

    language: str
    subject: str
    text: str
    html: str


def render(
    kind: MessageKind, language: str, *, organisation: str, customer: str, facts: Facts
) -> Rendered:
    """The message to `customer` from `organisation`, in `language` or, where there are no templates
    in it, in English. Amounts and days are written as is usual in that language. Raises
    Unrenderable."""
    spoken = _spoken(language)
    environment = _environment(spoken)
    names = {"organisation": one_line(organisation), "customer": one_line(customer)}
    values: dict[str, object] = {**facts, **names}
    try:
        text = environment.get_template(f"{spoken}/{kind}.txt").render(values)
        subject, _, body = text.partition("\n")
        if not subject.startswith(_SUBJECT):
            raise Unrenderable(f"{kind}.txt: the first line must be `{_SUBJECT} …`")
        subject = one_line(subject.removeprefix(_SUBJECT))
        mjml = environment.get_template(f"{spoken}/{kind}.mjml")
        html = to_html(mjml.render({**values, "subject": subject}))
    except TemplateError as error:
        raise Unrenderable(f"{kind}: {error}") from error
    return Rendered(language=spoken, subject=subject, text=body.strip() + "\n", html=html)


def to_html(mjml: str) -> str:
    """MJML as HTML for every mail program. Raises Unrenderable (with what the parser says)."""
    try:
        return mrml.to_html(mjml, parser_options=_parser()).content
    except OSError as error:
        raise Unrenderable(f"MJML: {error}") from error


def one_line(text: str) -> str:
    """Without line breaks and other control characters: fit for a header."""
    printable = "".join(mark if mark.isprintable() else " " for mark in text)
    return " ".join(printable.split())[:SUBJECT_LIMIT]


@cache
def languages() -> tuple[str, ...]:
    """The languages that there are templates in."""
    return tuple(sorted(path.name for path in _TEMPLATES.iterdir() if path.is_dir()))


def _spoken(language: str) -> str:
    known = languages()
    for wanted in (language, language.replace("-", "_").partition("_")[0]):
        if wanted in known:
            return wanted
    return FALLBACK_LANGUAGE


@cache
def _parser() -> mrml.ParserOptions:
    """Nothing is read from a disk or a network."""
    return mrml.ParserOptions(include_loader=mrml.noop_loader())


@cache
def _environment(language: str) -> ImmutableSandboxedEnvironment:
    locale = Locale.parse(language)

    def money(amount_micros: int, currency: str) -> str:
        rounded = Money(amount_micros, currency).rounded().amount_micros
        return format_currency(Decimal(rounded) / MICROS_PER_UNIT, currency, locale=locale)

    def day(iso: str) -> str:
        return format_date(date.fromisoformat(iso), "long", locale=locale)

    made = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        autoescape=_is_markup,
        keep_trailing_newline=True,
    )
    filters: Mapping[str, object] = {"money": money, "day": day}
    made.filters.update(filters)
    return made


def _is_markup(name: str | None) -> bool:
    return name is None or not name.endswith(".txt")
