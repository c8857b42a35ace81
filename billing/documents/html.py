"""A bill as a page of HTML, by a sandboxed template that escapes everything (rule I3)."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from jinja2 import DictLoader, StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from billing.documents import amounts
from billing.model.documents import BillDocument, Paper

_NAMES = {Paper.A4: "invoice", Paper.RECEIPT: "receipt"}
_FOLDER = files("billing.documents") / "templates"


def to_html(document: BillDocument, paper: Paper = Paper.A4) -> str:
    """A whole page, its style sheet included."""
    return _template(_NAMES[paper]).render(bill=document, css=_text(f"{_NAMES[paper]}.css"))


@cache
def _template(name: str) -> Template:
    environment = ImmutableSandboxedEnvironment(
        loader=DictLoader({name: _text(f"{name}.html")}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "amount": amounts.amount, "rate": amounts.rate, "day": amounts.day,
    }  # fmt: skip
    return environment.get_template(name)


@cache
def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
