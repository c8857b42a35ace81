"""In which language a page speaks: the customers' own pages and the captive portal do so in the
reader's, the panel in English.

Words of ours are looked up in billing/languages as they stand in the code; what services and forms
say is looked up there as stored sentences.
"""

from __future__ import annotations

from datetime import date

from flask import Flask, g, has_request_context, request
from jinja2 import pass_context
from jinja2.runtime import Context

from billing import languages
from billing.services import customers
from web import subscribers
from web.sessions import of_customers


def init_app(app: Flask) -> None:
    app.add_template_filter(_said, "said")
    app.add_template_filter(stored, "told")
    app.add_template_filter(sentence)
    app.add_template_global(language, "page_language")


@pass_context
def _said(_context: Context, english: str) -> str:
    """Takes the context so that Jinja does not look a constant up once for all requests."""
    return words(english)


def language() -> str:
    """Of the customer who is logged in; else what the browser asks for, of those there are; else
    English. Read once a request."""
    if not has_request_context():
        return languages.FALLBACK
    if "language" not in g:
        g.language = _of_request()
    found: str = g.language
    return found


def words(english: str, **values: str) -> str:
    """Words of ours, with `values` in the place of their `{names}`."""
    return languages.said(english, language(), values)


def stored(text: str) -> str:
    """What a service or a form says."""
    return languages.told(text, language())


def sentence(text: str) -> str:
    """The same with a capital at its beginning."""
    said = stored(text)
    return said[:1].upper() + said[1:]


def decimal_mark() -> str:
    return languages.decimal_mark(language())


def short_day(day: date) -> str:
    """`21 Nov 2026`."""
    return languages.short_day(day, language())


def _of_request() -> str:
    if of_customers(request.path):
        # Where the database gives no answer, the page that says so must not ask it.
        if not g.get("is_down") and (found := subscribers.login()) is not None:
            customer = customers.get_customer(subscribers.context(), found.customer_id)
            return languages.spoken(customer.locale)
    elif not g.get("at_hotspots"):
        return languages.FALLBACK
    return request.accept_languages.best_match(languages.languages()) or languages.FALLBACK
