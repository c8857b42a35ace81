"""What was earned in a month, and what is sold and not earned yet (rule I6)."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from flask import flash, render_template, request
from flask.typing import ResponseReturnValue

from billing.services import recognition
from web import parts
from web.admin import blueprint
from web.formats import local_day
from web.guards import CASHIERS, staff_only

_A_MONTH_AT_LEAST = timedelta(days=31)


@blueprint.get("/revenue")
@staff_only(CASHIERS)
def revenue() -> ResponseReturnValue:
    """Of `month` (2026-03), the last one that is over unless given."""
    first_day = _asked_month() or _last_month()
    last_day = (first_day + _A_MONTH_AT_LEAST).replace(day=1) - timedelta(days=1)
    report = recognition.report(parts.context(), first_day, last_day)
    return render_template("admin/revenue.html", report=report, month=f"{first_day:%Y-%m}")


def _last_month() -> date:
    today = date.fromisoformat(local_day(parts.now()))
    return (today.replace(day=1) - timedelta(days=1)).replace(day=1)


def _asked_month() -> date | None:
    text = request.args.get("month", "").strip()
    if not text:
        return None
    try:
        found = datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007 (a local day)
    except ValueError:
        found = date.min
    if not 2000 <= found.year <= 2999:
        flash("Not a month: write it like 2026-03.", "danger")
        return None
    return found
