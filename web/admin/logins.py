"""Attempts to log in: why can't he connect? Unknown user names included (rule A3)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date

from flask import flash, render_template, request
from flask.typing import ResponseReturnValue

from billing.errors import Conflict, InvalidInput, NotFound
from billing.model.logins import LoginOutcome, LoginPage, LoginPlace
from billing.services import logins as service
from web import parts
from web.admin import blueprint
from web.guards import EVERYONE, staff_only

PAGE_ROWS = 50
OUTCOMES = {
    LoginOutcome.ACCEPT: "Let in",
    LoginOutcome.SUSPENDED: "Suspended pool",
    LoginOutcome.REJECT: "Refused",
}


@dataclass(frozen=True, slots=True)
class Filter:
    """What the address asks for; empty: anything."""

    username: str
    mac: str
    nas: str
    outcome: str
    reason: str
    first: str
    last: str


@blueprint.get("/logins")
@staff_only(EVERYONE)
def logins() -> ResponseReturnValue:
    """By user name, device, NAS, outcome, reason and local days; newest first, from the place
    `before` on."""
    asked = Filter(*(request.args.get(field.name, "").strip() for field in fields(Filter)))
    page = None
    try:
        page = _found(asked)
    except (InvalidInput, NotFound, Conflict) as error:
        flash(f"{error.field or 'filter'}: {error.message}.", "danger")
    return render_template(
        "admin/logins.html",
        page=page,
        asked=asked,
        outcomes=OUTCOMES,
        reasons=service.reasons(),
        days=service.DAYS_SEARCHED,
    ), 200 if page else 422


def _found(asked: Filter) -> LoginPage:
    # PostgreSQL's text holds no NUL, so that nothing can be found by it.
    if any("\0" in getattr(asked, field.name) for field in fields(Filter)):
        raise InvalidInput("no such sign can be looked for")
    return service.search(
        parts.context(),
        parts.now(),
        username=asked.username,
        station=asked.mac,
        nas_name=asked.nas,
        outcome=asked.outcome,
        reason=asked.reason,
        first_day=asked_day(asked.first, "from"),
        last_day=asked_day(asked.last, "to"),
        before=_asked_place(request.args.get("before")),
        limit=PAGE_ROWS,
    )


def asked_day(text: str, field: str) -> date | None:
    """A day of a filter; None where none is asked for. Raises InvalidInput."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidInput("write the day like 2026-03-10", field=field) from None
    if not date(2000, 1, 1) <= day <= date(2999, 12, 31):
        raise InvalidInput("must be a day of this millennium", field=field)
    return day


def _asked_place(text: str | None) -> LoginPlace | None:
    if not text:
        return None
    try:
        return LoginPlace.parse(text)
    except ValueError:
        raise InvalidInput("there is no such place in the list", field="before") from None
