"""Another price of a plan, for those who are on it, too (rule B18)."""

from __future__ import annotations

from hashlib import sha256

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import DateField, HiddenField

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.plan_changes import RepriceReport
from billing.services import catalog, prices
from billing.services.context import Context
from web import parts
from web.admin import blueprint
from web.forms import MoneyField, WholeField, needed, show_errors
from web.guards import EDITORS, staff_only

_ERRORS_AT = {"price": "price_micros", "from": "from_day"}


class PriceForm(FlaskForm):
    """`quoted` names the list that was shown."""

    quoted = HiddenField()
    price_micros = MoneyField("New price", [needed])
    from_day = DateField("From", [needed], description="New customers pay it from that day on.")
    notice_days = WholeField(
        "Days of notice",
        [needed],
        default=30,
        description="Who is on the plan pays it from the first cycle that begins so many days "
        "after being told. A lower price needs none.",
    )


@blueprint.route("/plans/<int:plan_id>/price", methods=["GET", "POST"])
@staff_only(EDITORS)
def plan_price(plan_id: int) -> ResponseReturnValue:
    """Whom it concerns is listed first; the same values once more carry it out."""
    context, now = parts.context(), parts.now()
    current = catalog.get_plan(context, plan_id, now)
    form, report = PriceForm(), None
    if form.validate_on_submit():
        try:
            report = _reprice(context, plan_id, form, dry_run=True)
            digest = _digest(form, report)
            if form.quoted.data == digest:
                done = _reprice(context, plan_id, form, dry_run=False)
                flash(f"{done.plan_name} has version {done.new_version} now.", "success")
                if done.customers:
                    flash("Those whom it concerns are told within a minute.", "success")
                return redirect(url_for("admin.plans"))
            form.quoted.data = digest
        except (InvalidInput, NotFound, Refused, Conflict) as error:
            show_errors(form, error, _ERRORS_AT)
    page = render_template("admin/plan_price.html", form=form, view=current, report=report)
    return page, 422 if form.errors else 200


def _reprice(context: Context, plan_id: int, form: PriceForm, *, dry_run: bool) -> RepriceReport:
    """The job tells the customers: there may be many, and a page does not wait for it."""
    return prices.reprice(
        context,
        plan_id,
        form.price_micros.data,
        from_day=form.from_day.data,
        notice_days=form.notice_days.data,
        now=parts.now(),
        dry_run=dry_run,
        tell=False,
    )


def _digest(form: PriceForm, report: RepriceReport) -> str:
    typed = (form.price_micros.data, form.from_day.data, form.notice_days.data)
    shown = (report.old_micros, report.customers, report.more_micros, report.silent, report.moves)
    return sha256(repr((typed, shown)).encode()).hexdigest()
