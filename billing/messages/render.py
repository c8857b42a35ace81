"""A message as a person reads it: subject, text and HTML, from facts and templates.

Templates are `templates/LANGUAGE/KIND.mjml` for the HTML part, `KIND.txt` for the subject (its
first line) and the text part, `KIND.sms` for a telephone; or an organisation's own. What MJML
extends is looked for in the language's folder, then in the English one. They run in a sandbox and
within bounds (`bounds`): no name that is not given, no loop, and in MJML every value is escaped.
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
from babel.numbers import format_currency
from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment

from billing import languages
from billing.messages.bounds import bounds_problem
from billing.messages.markup import markup_problem
from billing.model.messages import Facts, MessageKind, OwnTemplate
from billing.model.money import MICROS_PER_UNIT, Money

SUBJECT_LIMIT = 200
SMS_LIMIT = 480
"""Three parts; one is 160 characters."""
_TEMPLATES = Path(__file__).parent / "templates"
_SUBJECT = "Subject:"
_OWN = "<template>"  # how Jinja names a template that comes from no file


class Unrenderable(ValueError):
    """A template that does not parse, or that names a fact which is not there. `field`: `mjml`,
    `text` or `sms`."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


@dataclass(frozen=True, slots=True)
class Rendered:
    """One message in one language. `subject` is one line."""

    language: str
    subject: str
    text: str
    html: str


def render(
    kind: MessageKind,
    language: str,
    *,
    organisation: str,
    customer: str,
    facts: Facts,
    own: OwnTemplate | None = None,
    contact: str | None = None,
) -> Rendered:
    """The message to `customer` from `organisation`, by its `own` template or by the product's in
    `language` or, where there is none in it, in English. Amounts and days are written as is usual
    in the template's language. `contact`: lines below all of it. Raises Unrenderable."""
    template = own or builtin(kind, language)
    names = {"organisation": one_line(organisation), "customer": one_line(customer)}
    values: dict[str, object] = {**facts, **names, "contact": contact or ""}
    text = _filled("text", template, values)
    subject, _, body = text.partition("\n")
    if not subject.startswith(_SUBJECT) or not one_line(subject.removeprefix(_SUBJECT)):
        raise Unrenderable("text", f"line 1: must be `{_SUBJECT} …`")
    subject = one_line(subject.removeprefix(_SUBJECT))
    html = to_html(_filled("mjml", template, {**values, "subject": subject}))
    parts = (body.strip(), contact) if contact else (body.strip(),)
    text = "".join(f"{part}\n" for part in parts)
    return Rendered(language=template.language, subject=subject, text=text, html=html)


def short(
    kind: MessageKind,
    language: str,
    *,
    organisation: str,
    customer: str,
    facts: Facts,
    own: OwnTemplate | None = None,
) -> str:
    """The message in a line for a telephone, by an `own` template or by the product's. Raises
    Unrenderable."""
    template = builtin(kind, language) if own is None or own.sms is None else own
    names = {"organisation": one_line(organisation), "customer": one_line(customer)}
    return _squeezed(_filled("sms", template, {**facts, **names}))


def check(kind: MessageKind, own: OwnTemplate, facts: Facts) -> Rendered:
    """The message by a template that somebody wants to store, with example facts. Raises
    Unrenderable with the field, the line and the reason."""
    markup = _environment(own.language, markup=True)
    for found in (bounds_problem, markup_problem):
        if (problem := found(markup, own.mjml)) is not None:
            raise Unrenderable("mjml", problem)
    names = {"organisation": "Example", "customer": "Example"}
    line = short(kind, own.language, **names, facts=facts, own=own)
    if not line:
        raise Unrenderable("sms", "must not be empty: it is sent to telephones")
    if len(line) > SMS_LIMIT:
        raise Unrenderable(
            "sms", f"{len(line)} characters with example facts: {SMS_LIMIT} are the most"
        )
    return render(kind, own.language, **names, facts=facts, own=own)


def builtin(kind: MessageKind, language: str) -> OwnTemplate:
    """The product's template, in English where there is none in this language."""
    spoken = languages.spoken(language)
    directory = _TEMPLATES / spoken
    return OwnTemplate(
        language=spoken,
        mjml=(directory / f"{kind}.mjml").read_text(encoding="utf-8"),
        text=(directory / f"{kind}.txt").read_text(encoding="utf-8"),
        sms=(directory / f"{kind}.sms").read_text(encoding="utf-8"),
    )


def to_html(mjml: str) -> str:
    """MJML as HTML for every mail program. Raises Unrenderable (with what the parser says)."""
    try:
        made = mrml.to_html(mjml, parser_options=_parser())
    except OSError as error:
        raise Unrenderable("mjml", f"MJML: {error}") from error
    if made.warnings:
        raise Unrenderable("mjml", f"MJML: {'; '.join(map(str, made.warnings))}")
    return made.content


def one_line(text: str) -> str:
    """Without line breaks and other control characters: fit for a header."""
    return _squeezed(text)[:SUBJECT_LIMIT]


def known_language(language: str) -> str | None:
    """As Babel writes it (`pt_BR`); None where nobody knows how it writes amounts and days."""
    try:
        return str(Locale.parse(language.replace("-", "_")))
    except (ValueError, LookupError):
        return None


def _squeezed(text: str) -> str:
    printable = "".join(mark if mark.isprintable() else " " for mark in text)
    return " ".join(printable.split())


def _filled(field: str, template: OwnTemplate, values: Mapping[str, object]) -> str:
    environment = _environment(template.language, markup=field == "mjml")
    source = {"mjml": template.mjml, "text": template.text, "sms": template.sms or ""}[field]
    if (problem := bounds_problem(environment, source)) is not None:
        raise Unrenderable(field, problem)
    try:
        return environment.from_string(source).render(values)
    except TemplateNotFound as error:
        raise Unrenderable(field, f"there is no template {error.name!r}") from error
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        line = _line_of(error)
        where = f"line {line}: " if line else ""
        raise Unrenderable(field, f"{where}{error}") from error


def _line_of(error: Exception) -> int | None:
    """The line of the template (of the innermost place in it) that an error is about."""
    if isinstance(error, TemplateSyntaxError):
        return error.lineno
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _OWN:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


@cache
def _parser() -> mrml.ParserOptions:
    """Nothing is read from a disk or a network."""
    return mrml.ParserOptions(include_loader=mrml.noop_loader())


@cache
def _environment(language: str, *, markup: bool) -> Environment:
    locale = Locale.parse(language)

    def money(amount_micros: int, currency: str) -> str:
        rounded = Money(amount_micros, currency).rounded().amount_micros
        return format_currency(Decimal(rounded) / MICROS_PER_UNIT, currency, locale=locale)

    spoken = languages.spoken(language)

    def day(iso: str) -> str:
        return languages.long_day(date.fromisoformat(iso), language)

    def month(iso: str) -> str:
        return languages.month(date.fromisoformat(f"{iso}-01"), language)

    def told(text: str) -> str:
        return languages.told(text, spoken)

    folders = [_TEMPLATES / spoken, _TEMPLATES / languages.FALLBACK, _TEMPLATES]
    made = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(folders),
        undefined=StrictUndefined,
        autoescape=markup,
        keep_trailing_newline=True,
    )
    filters: Mapping[str, object] = {"money": money, "day": day, "month": month, "told": told}
    made.filters.update(filters)
    return made
