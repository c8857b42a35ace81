"""The bill run before it runs, whom it could not serve, and whether the books agree (B7, M4)."""

from __future__ import annotations

from datetime import date, datetime
from itertools import islice

from flask import flash, render_template, request
from flask.typing import ResponseReturnValue

from billing.model.bills import BillPreview, Parked
from billing.services import bill_run, books
from web import parts
from web.admin import blueprint
from web.guards import EVERYONE, staff_only

PREVIEW_BILLS = 200


@blueprint.get("/billing")
@staff_only(EVERYONE)
def billing() -> ResponseReturnValue:
    """What would be issued by the start of a local day `on`, the next day 1 unless given."""
    context = parts.context()
    day = _asked_day() or bill_run.next_day_one(context, parts.now())
    found = list(islice(bill_run.preview_by(context, day), PREVIEW_BILLS + 1))
    return render_template(
        "admin/billing.html",
        day=day,
        bills=[one for one in found[:PREVIEW_BILLS] if isinstance(one, BillPreview)],
        troubled=[one for one in found if isinstance(one, Parked)],
        more=len(found) > PREVIEW_BILLS,
        parked=bill_run.parked(context),
        report=books.last_report(context),
    )


def _asked_day() -> date | None:
    text = request.args.get("on", "").strip()
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 (a local day)
    except ValueError:
        flash("Not a day: write it like 2026-03-01.", "danger")
        return None
