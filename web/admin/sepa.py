"""Direct debits: files for the bank, what each collects, and what came of it (rules P1, P5, M5)."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import DateField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Optional

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.sepa import CURRENCY, RunReport
from billing.services import gateways, sepa_files, sepa_results, sepa_run
from billing.services.context import Context
from web import parts
from web.admin import blueprint
from web.formats import money
from web.forms import needed
from web.guards import CASHIERS, DESK, staff_only
from web.once import OnceForm, send

_NAMED = 50
"""So many collections are named before they are confirmed."""


class CollectForm(OnceForm):
    """By which gateway, and when."""

    gateway = SelectField("By", coerce=int)
    collect_on = DateField(
        "On", [Optional()], description="Empty: the first day that banks and notices allow."
    )


class ReturnForm(FlaskForm):
    """What the bank says of a collection."""

    reason = StringField("Reason", [needed], render_kw={"maxlength": 4, "size": 4})


class AskForm(FlaskForm):
    """Nothing but its CSRF token."""


@blueprint.get("/direct-debits")
@staff_only(DESK)
def direct_debits() -> ResponseReturnValue:
    """Files that were made, newest first."""
    context = parts.context()
    return render_template(
        "admin/direct_debits.html",
        rows=sepa_files.files(context, limit=100),
        collectors=_collectors(context),
    )


@blueprint.route("/direct-debits/collect", methods=["GET", "POST"])
@staff_only(CASHIERS)
def debit_collect() -> ResponseReturnValue:
    """What is due goes into a file; what it would hold is shown first."""
    context, form = parts.context(), CollectForm()
    form.gateway.choices = _collectors(context)
    made: list[int] = []

    def collect(within: Context) -> Sequence[str]:
        known = parts.parts().gateways
        report = sepa_run.collect(
            within, known, form.gateway.data, parts.now(), collect_on=form.collect_on.data
        )
        if report.file is not None:
            made[:] = [report.file.file_id]
        return _words(report)

    sent = send(context, form, collect, quoted=True)
    if sent.done:
        if made:
            return redirect(url_for("admin.direct_debit_file", file_id=made[0]))
        return redirect(url_for("admin.direct_debits"))
    page = render_template("admin/debit_collect.html", form=form, quote=sent.quote)
    return page, 422 if form.errors else 200


@blueprint.get("/direct-debits/<int:file_id>")
@staff_only(DESK)
def direct_debit_file(file_id: int) -> ResponseReturnValue:
    """What it collects, and what came of each."""
    found, collections = sepa_files.file(parts.context(), file_id)
    return render_template(
        "admin/debit_file.html", file=found, rows=collections, form=AskForm(), back=ReturnForm()
    )


@blueprint.get("/direct-debits/<int:file_id>/file.xml")
@staff_only(CASHIERS)
def debit_download(file_id: int) -> ResponseReturnValue:
    """The file for the bank, each time the same."""
    context = parts.context()
    found, _ = sepa_files.file(context, file_id)
    answer = Response(sepa_files.content(context, file_id, parts.now()), mimetype="application/xml")
    answer.headers["Content-Disposition"] = f"attachment; filename={found.message_id}.xml"
    return answer


@blueprint.post("/direct-debits/<int:file_id>/arrived")
@staff_only(CASHIERS)
def debit_arrived(file_id: int) -> ResponseReturnValue:
    """The money of all that was not returned has come."""
    if AskForm().validate_on_submit():
        try:
            _, credited = sepa_results.arrived(parts.context(), file_id, parts.now())
            flash(f"{credited} debits were credited.", "success")
        except Refused as error:
            flash(f"{error.message[:1].upper()}{error.message[1:]}.", "danger")
    return redirect(url_for("admin.direct_debit_file", file_id=file_id))


@blueprint.post("/direct-debits/<int:file_id>/returned")
@staff_only(CASHIERS)
def debit_returned(file_id: int) -> ResponseReturnValue:
    """One was not paid, or went back; `payment` in the address says which."""
    form = ReturnForm()
    if form.validate_on_submit():
        try:
            done = sepa_results.returned(
                parts.context(), request.args.get("payment", ""), form.reason.data, parts.now()
            )
            effect = done.effect.value.replace("_", " ")
            flash(f"Payment {done.attempt_id}: {effect} ({done.reason}).", "success")
            if done.mandate_revoked:
                flash("Its mandate is revoked: let a new one be signed.", "warning")
        except (InvalidInput, NotFound) as error:
            flash(f"{error.message[:1].upper()}{error.message[1:]}.", "danger")
    else:
        flash("Give the bank's reason, like AM04 or MD01.", "danger")
    return redirect(url_for("admin.direct_debit_file", file_id=file_id))


def _collectors(context: Context) -> list[SelectChoice]:
    return [
        SelectChoice(one.gateway_id, one.name)
        for one in gateways.listed(context)
        if one.channel == MoneyChannel.DIRECT_DEBIT and one.disabled_at is None
    ]


def _words(report: RunReport) -> list[str]:
    if report.file is None:
        said = ["Nothing is to be collected by then: no file is made."]
    else:
        total = money(report.file.total_micros, CURRENCY)
        count = report.file.collections
        day = f"{report.collect_on:%d %b %Y}"
        said = [f"{total} by {count} direct {'debit' if count == 1 else 'debits'} on {day}."]
        said.append("Payers are told at once, by mail.")
    said += [
        f"{one.customer_name}: {one.invoice_number or 'credit'},"
        f" {money(one.amount_micros, CURRENCY)}"
        for one in report.collections[:_NAMED]
    ]
    more = len(report.collections) - _NAMED
    if more > 0:
        said.append(f"and {more} more.")
    return said + [f"Left out: {one}." for one in report.left_out[:_NAMED]]
