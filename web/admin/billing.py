"""The bill run before it runs, its start, whom jobs could not serve, and whether the books agree
(rules B7, M4)."""

from __future__ import annotations

from datetime import date, datetime

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from billing.errors import NotFound
from billing.services import attention, bill_previews, bill_run, books, renewal_run
from web import parts
from web.admin import blueprint
from web.guards import CASHIERS, EVERYONE, staff_only

PREVIEW_BILLS = 100


class RunForm(FlaskForm):
    """Nothing but its CSRF token."""


@blueprint.get("/billing")
@staff_only(EVERYONE)
def billing() -> ResponseReturnValue:
    """What would be issued by the start of a local day `on`, the next day 1 unless given, from
    the customer `after` on; with `total`, all of it added up."""
    context = parts.context()
    day = _asked_day() or bill_run.next_day_one(context, parts.now())
    after = request.args.get("after", default=0, type=int)
    return render_template(
        "admin/billing.html",
        day=day,
        after=after,
        page=bill_previews.page(context, day, after=after, limit=PREVIEW_BILLS),
        totals=bill_previews.totals(context, day) if "total" in request.args else None,
        attention=attention.needed(context, parts.now()),
        last=bill_run.last_run(context),
        parked=renewal_run.parked(context, None),
        report=books.last_report(context),
        form=RunForm(),
    )


@blueprint.post("/billing/run")
@staff_only(CASHIERS)
def billing_run() -> ResponseReturnValue:
    """The worker does it: a run may take minutes."""
    if RunForm().validate_on_submit():
        if bill_previews.queue(parts.context(), parts.now()):
            flash("The run is queued; the worker begins it within seconds.", "success")
        else:
            flash("A run is queued already and has not begun: does the worker run?", "warning")
    return redirect(url_for("admin.billing"))


@blueprint.post("/billing/parked/<int:customer_id>/<job>")
@staff_only(CASHIERS)
def billing_dismiss(customer_id: int, job: str) -> ResponseReturnValue:
    """Take whom a job could not serve from the list."""
    if RunForm().validate_on_submit():
        try:
            attention.dismiss(parts.context(), job, customer_id, parts.now())
        except NotFound:
            flash("It is not on the list any more.", "warning")
        else:
            flash(f"Customer {customer_id} is off the list, until a run fails again.", "success")
    return redirect(url_for("admin.billing"))


def _asked_day() -> date | None:
    text = request.args.get("on", "").strip()
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 (a local day)
    except ValueError:
        flash("Not a day: write it like 2026-03-01.", "danger")
        return None
