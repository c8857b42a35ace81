"""Direct debits: files for the bank, what each collects, and what came of it (rules P1, P5, M5)."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from flask import Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import DateField, HiddenField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Optional

from billing.errors import InvalidInput, NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.sepa import CURRENCY, RunReport
from billing.model.sepa_status import StatusEffect, StatusImport
from billing.services import (
    bank_files,
    gateways,
    sepa_again,
    sepa_files,
    sepa_preview,
    sepa_results,
    sepa_returns,
    sepa_run,
    sepa_status,
)
from billing.services.context import Context
from web import parts, uploads
from web.admin import blueprint
from web.formats import money
from web.forms import needed, show_errors
from web.guards import CASHIERS, DESK, staff_only

_NAMED = 50
"""So many collections are named before they are confirmed."""


class CollectForm(FlaskForm):
    """By which gateway, and when. `quoted`: what was shown and is confirmed."""

    quoted = HiddenField()
    gateway = SelectField("By", coerce=int)
    collect_on = DateField(
        "On", [Optional()], description="Empty: the first day that banks and notices allow."
    )


class ReturnForm(FlaskForm):
    """What the bank says of a collection."""

    reason = StringField("Reason", [needed], render_kw={"maxlength": 4, "size": 4})


class StatusForm(FlaskForm):
    """What the bank answers to a file."""

    file = FileField(
        "The bank's answer (pain.002)",
        description="What it refuses has failed; a file may come twice.",
    )


class CarryOutForm(FlaskForm):
    """The answer that was looked at, and what would have become of it by then."""

    packed = HiddenField()
    quoted = HiddenField()


class AskForm(FlaskForm):
    """Nothing but its CSRF token."""


@blueprint.get("/direct-debits")
@staff_only(DESK)
def direct_debits() -> ResponseReturnValue:
    """Files that were made, newest first; and the bank's answer to one."""
    return _files_page(StatusForm())


def _files_page(form: StatusForm) -> ResponseReturnValue:
    context = parts.context()
    page = render_template(
        "admin/direct_debits.html",
        rows=sepa_files.files(context, limit=100),
        collectors=_collectors(context),
        form=form,
    )
    return page, 422 if form.errors else 200


@blueprint.route("/direct-debits/collect", methods=["GET", "POST"])
@staff_only(CASHIERS)
def debit_collect() -> ResponseReturnValue:
    """What is due goes into a file; what it would hold is shown first."""
    context, form = parts.context(), CollectForm()
    form.gateway.choices = _collectors(context)
    quote = None
    if form.validate_on_submit():
        known, asked = parts.parts().gateways, {"collect_on": form.collect_on.data}
        try:
            quote = _words(
                sepa_preview.preview(context, known, form.gateway.data, parts.now(), **asked)
            )
            if form.quoted.data == _digest(form, quote):
                made = sepa_run.collect(context, known, form.gateway.data, parts.now(), **asked)
                return _collected(made)
            form.quoted.data = _digest(form, quote)
        except (InvalidInput, NotFound, Refused) as error:
            show_errors(form, error, {})
            quote = None
    page = render_template("admin/debit_collect.html", form=form, quote=quote)
    return page, 422 if form.errors else 200


def _collected(made: RunReport) -> ResponseReturnValue:
    if made.file is None:
        flash("Nothing was to be collected any more: no file was made.", "info")
        return redirect(url_for("admin.direct_debits"))
    total = money(made.file.total_micros, CURRENCY)
    flash(f"The file of {total} is made, and its payers are told.", "success")
    for one in made.left_out[:_NAMED]:
        flash(f"Left out: {one}.", "warning")
    return redirect(url_for("admin.direct_debit_file", file_id=made.file.file_id))


def _digest(form: CollectForm, quote: Sequence[str]) -> str:
    """Of what was shown: only that is confirmed."""
    return sha256(repr((form.gateway.data, form.collect_on.data, quote)).encode()).hexdigest()


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
            done = sepa_returns.returned(
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


@blueprint.post("/direct-debits/status")
@staff_only(CASHIERS)
def debit_status() -> ResponseReturnValue:
    """What would become of each line of the bank's answer; nothing is done."""
    form = StatusForm()
    if not form.validate_on_submit():
        return _files_page(form)
    try:
        body = form.file.data.read() if form.file.data else b""
        if not body:
            raise InvalidInput("choose a file that holds something", field="file")
        packed = uploads.packed(body)
        report = sepa_status.import_status(parts.context(), body, parts.now(), dry_run=True)
    except (InvalidInput, Refused) as error:
        show_errors(form, error, {})
        return _files_page(form)
    return _status_page(report, packed)


@blueprint.post("/direct-debits/status/carry-out")
@staff_only(CASHIERS)
def debit_carry_out() -> ResponseReturnValue:
    """The answer that was looked at; where anything would become of it now that was not shown, that
    is shown first."""
    form = CarryOutForm()
    if not form.validate_on_submit():
        return redirect(url_for("admin.direct_debits"))
    context, packed = parts.context(), form.packed.data or ""
    try:
        body = uploads.unpacked(packed, bank_files.FILE_LIMIT)
        report = sepa_status.import_status(context, body, parts.now(), dry_run=True)
        if _digest_of(report) != form.quoted.data:
            flash("Something has changed since you looked: look again.", "warning")
            return _status_page(report, packed)
        done = sepa_status.import_status(context, body, parts.now())
    except (InvalidInput, NotFound, Refused) as error:
        flash(f"{error.message[:1].upper()}{error.message[1:]}.", "danger")
        return redirect(url_for("admin.direct_debits"))
    flash(f"{done.refused} failed, {done.known} known already.", "success")
    for one in done.lines[:_NAMED]:
        if one.effect is StatusEffect.UNPLACED:
            flash(f"{one.reference}: {one.words}.", "warning")
    return redirect(url_for("admin.direct_debit_file", file_id=done.file_id))


def _status_page(report: StatusImport, packed: str) -> ResponseReturnValue:
    form = CarryOutForm(formdata=None, packed=packed, quoted=_digest_of(report))
    return render_template("admin/debit_status.html", report=report, form=form)


def _digest_of(report: StatusImport) -> str:
    """Of what would become of its lines."""
    return sha256(repr(report.lines).encode()).hexdigest()


@blueprint.post("/direct-debits/<int:file_id>/again")
@staff_only(CASHIERS)
def debit_again(file_id: int) -> ResponseReturnValue:
    """What came back is collected by the next file: the payment in the address, or all of it."""
    if AskForm().validate_on_submit():
        chosen = request.args.get("payment", type=int)
        context, now = parts.context(), parts.now()
        try:
            if chosen is None:
                begun, left = sepa_again.collect_all_again(context, file_id, now)
            else:
                begun, left = [sepa_again.collect_again(context, chosen, now)], []
        except (NotFound, Refused) as error:
            flash(f"{error.message[:1].upper()}{error.message[1:]}.", "danger")
        else:
            for one in begun[:_NAMED]:
                amount = money(one.amount_micros, one.currency)
                flash(f"Payment {one.attempt_id} of {amount} waits for the next file.", "success")
            for number, words in left[:_NAMED]:
                flash(f"Payment {number}: {words}.", "warning")
    return redirect(url_for("admin.direct_debit_file", file_id=file_id))


def _collectors(context: Context) -> list[SelectChoice]:
    return [
        SelectChoice(one.gateway_id, one.name)
        for one in gateways.listed(context)
        if one.channel == MoneyChannel.DIRECT_DEBIT and one.disabled_at is None
    ]


def _words(report: RunReport) -> list[str]:
    count = len(report.collections)
    if count:
        total, day = money(report.total_micros, CURRENCY), f"{report.collect_on:%d %b %Y}"
        said = [
            f"{total} by {count} direct {'debit' if count == 1 else 'debits'} on {day}.",
            "Payers are told at once, by mail.",
        ]
    else:
        said = ["Nothing is to be collected by then: no file is made."]
    said += [
        f"{one.customer_name}: {one.invoice_number or 'credit'},"
        f" {money(one.amount_micros, CURRENCY)}"
        for one in report.collections[:_NAMED]
    ]
    if count > _NAMED:
        said.append(f"and {count - _NAMED} more.")
    return said + [f"Left out: {one}." for one in report.left_out[:_NAMED]]
