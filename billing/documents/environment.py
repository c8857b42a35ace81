"""The sandbox in which templates of papers run: built-in ones, and what operators write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape

from billing import languages
from billing.documents import amounts


@cache
def sandbox(language: str = languages.FALLBACK) -> ImmutableSandboxedEnvironment:
    """Escapes everything; a name that is not there is an error; no loader, so a template can name
    no other one; no functions. `language`: one of `languages()`."""
    environment = ImmutableSandboxedEnvironment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.clear()
    environment.filters |= filters(language)
    return environment


def filters(language: str = languages.FALLBACK) -> Mapping[str, Callable[..., str]]:
    """What templates have beside Jinja's own. `said`: words of ours, with values in them; `told`: a
    text that was stored in English."""
    return {
        "amount": partial(amounts.amount, language=language),
        "rate": partial(amounts.rate, language=language),
        "day": partial(amounts.day, language=language),
        "said": partial(_said, language=language),
        "told": partial(languages.told, language=language),
    }


def _said(english: str, *, language: str, **values: object) -> Markup:
    """Values that are no markup are escaped, as the words are."""
    shown = {name: str(escape(value)) for name, value in values.items()}
    words = str(escape(languages.said(english, language)))
    return Markup(languages.said(words, languages.FALLBACK, shown))  # noqa: S704  # nosec B704 (escaped)
