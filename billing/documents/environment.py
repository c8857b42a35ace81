"""The sandbox in which templates of bills run: built-in ones, and what operators write."""

from __future__ import annotations

from functools import cache

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from billing.documents import amounts

FILTERS = {
    "amount": amounts.amount,
    "rate": amounts.rate,
    "day": amounts.day,
}


@cache
def sandbox() -> ImmutableSandboxedEnvironment:
    """Escapes everything; a name that is not there is an error; no loader, so a template can name
    no other one; no functions."""
    environment = ImmutableSandboxedEnvironment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.clear()
    environment.filters |= FILTERS
    return environment
