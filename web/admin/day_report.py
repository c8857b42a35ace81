"""What each member of staff took and gave back on a local day, by channel (rule P1)."""

from __future__ import annotations

from collections import Counter
from datetime import date

from flask import flash, render_template, request
from flask.typing import ResponseReturnValue

from billing.services import takings
from web import parts
from web.admin import blueprint
from web.guards import CASHIERS, staff_only
from web.tables import csv_response

_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2999, 12, 31)


@blueprint.get("/payments/day", endpoint="day_report")
@staff_only(CASHIERS)
def day_page() -> ResponseReturnValue:
    """Of `day`, today unless given."""
    report = takings.of_day(parts.context(), _asked())
    left: Counter[tuple[str, str]] = Counter()
    for one in report.rows:
        left[one.channel, one.currency] += one.net_micros
    return render_template("admin/day_report.html", report=report, totals=sorted(left.items()))


@blueprint.get("/payments/day.csv")
@staff_only(CASHIERS)
def day_csv() -> ResponseReturnValue:
    """The same for a spreadsheet."""
    report = takings.of_day(parts.context(), _asked())
    return csv_response(f"taken-{report.day}.csv", report.table())


def _asked() -> date:
    text = request.args.get("day", "").strip()
    if text:
        try:
            found = date.fromisoformat(text)
        except ValueError:
            found = date.min
        if _FIRST_DAY <= found < _LAST_DAY:
            return found
        flash("Not a day: write it like 2026-03-01.", "danger")
    return takings.today(parts.context(), parts.now())
