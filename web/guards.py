"""Every route says who may call it; tests/architecture/test_routes_guarded.py fails otherwise."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import abort, current_app
from flask.typing import ResponseReturnValue
from flask_security import auth_required

from billing.model.staff import StaffRole
from web import parts, subscribers

View = Callable[..., ResponseReturnValue]

ALL = frozenset(StaffRole)
"""Receipts to print, and where one's own pages begin."""
STAFF = ALL - {StaffRole.COLLECTOR}
"""Subscribers and customers to read: all but collectors."""
EVERYONE = STAFF - {StaffRole.SHOP_CASHIER}
"""What is sold, who owes what, and what came of it, to read: all but a reseller's cashiers."""
EDITORS = frozenset({StaffRole.OWNER})
"""What is sold, how it is billed and what things look like."""
CASHIERS = frozenset({StaffRole.OWNER, StaffRole.BILLING})
"""Customers and their money."""
DESK = CASHIERS | {StaffRole.SUPPORT}
"""Promises to pay; what came of a payment, and a page to pay at; accounting of nobody."""
INQUIRERS = frozenset({StaffRole.OWNER, StaffRole.SUPPORT})
"""Who had an address when: each request is written down with its reason."""
SHOPKEEPERS = frozenset({StaffRole.RESELLER})
"""A reseller's own prices, money and people."""
SELLERS = SHOPKEEPERS | {StaffRole.SHOP_CASHIER}
"""A reseller's counter: its packages, from its wallet."""
ABOVE = CASHIERS | SHOPKEEPERS
"""Money for a reseller: by who is above it, which the service looks at."""
COLLECTORS = CASHIERS | {StaffRole.COLLECTOR}
"""Cash that is taken in the field."""
TILLS = CASHIERS | SELLERS
"""Who takes money in a shift."""
EMPLOYERS = EDITORS | SHOPKEEPERS
"""Who says who works there."""


def staff_only(roles: frozenset[StaffRole]) -> Callable[[View], View]:
    """For logged-in staff with one of the roles; others get the login page, or 403."""

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> ResponseReturnValue:
            if not roles & parts.member().roles:
                abort(403)
            return view(*args, **kwargs)

        guarded: View = auth_required("session")(checked)
        guarded.allowed = roles  # type: ignore[attr-defined]
        return guarded

    return decorate


def may_call(endpoint: str) -> bool:
    """Whether who is logged in may open a page of the panel; for templates that link to it."""
    allowed: frozenset[StaffRole] = current_app.view_functions[endpoint].allowed  # type: ignore[attr-defined]
    return bool(allowed & parts.member().roles)


def subscribers_only(view: View) -> View:
    """For a customer, logged in as one of its subscriptions; others get the login page."""

    @wraps(view)
    def checked(*args: Any, **kwargs: Any) -> ResponseReturnValue:
        if subscribers.login() is None:
            return subscribers.ask_to_log_in()
        return view(*args, **kwargs)

    checked.allowed = "subscriber"  # type: ignore[attr-defined]
    return checked


def public(view: View) -> View:
    """For anybody. The reason stands in the view's docstring."""
    view.allowed = "public"  # type: ignore[attr-defined]
    return view
