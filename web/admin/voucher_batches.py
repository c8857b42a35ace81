"""Batches of vouchers are made, and their codes handed over once (rule R3)."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime

from flask import Response, abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import BooleanField, DateField, RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Optional

from billing.documents.voucher_cards import as_csv, sheets
from billing.errors import Conflict, InvalidInput, NotFound, Refused, Unavailable
from billing.model.vouchers import Alphabet, BatchView, Code, CodeFormat, NewBatch
from billing.services import catalog, resellers, voucher_designs
from billing.services import vouchers as service
from web import parts
from web.admin import blueprint
from web.formats import plan_words
from web.forms import MoneyField, WholeField, needed, show_errors
from web.guards import EDITORS, EMPLOYERS, STAFF, staff_only

_ERRORS_AT = {"amount": "amount_micros", "expires": "last_day", "org": "org_id"}
_LENGTH = 12


class BatchForm(FlaskForm):
    """What a voucher is good for, and what its code looks like."""

    name = StringField("Name", [needed], description="Like 'Kiosk 10 USD, spring'.")
    org_id = SelectField(
        "For",
        coerce=int,
        default=0,
        description="A reseller takes their codes and sells them: its wallet pays, at cost.",
    )
    count = WholeField("How many", [needed], description=f"1 to {service.COUNT_MOST}.")
    plan = SelectField("Good for", coerce=int, default=0)
    amount_micros = MoneyField("Amount", description="Of money; empty where it is for a plan.")
    profile = SelectField(
        "Billing profile",
        coerce=int,
        default=0,
        description="Its tax; and that of who logs in by a code.",
    )
    last_day = DateField(
        "Last day", [Optional()], description="The whole day counts; empty: never expires."
    )
    alphabet = RadioField(
        "Characters",
        choices=[
            SelectChoice(Alphabet.MIXED.value, "Letters and digits"),
            SelectChoice(Alphabet.LETTERS.value, "Letters"),
            SelectChoice(Alphabet.DIGITS.value, "Digits"),
        ],
        default=Alphabet.MIXED.value,
    )
    length = WholeField(
        "Length",
        [needed],
        default=_LENGTH,
        description="Behind the prefix. Too short for so many vouchers is refused.",
    )
    prefix = StringField("Prefix", description="The same on every card; may be empty.")
    as_login = BooleanField(
        "The code is a user name", description="Whoever types it at the hotspot is online."
    )
    password_length = WholeField(
        "Length of the password",
        description="Beside the code, for logins; empty: the code alone.",
    )
    session_limit = WholeField(
        "Devices at once", description="That log in by one code; empty: any number."
    )


class CodesForm(FlaskForm):
    """In what form they are taken."""

    form = RadioField(
        "Take the codes as",
        choices=[
            SelectChoice("pdf", "Sheets of cards (PDF)"),
            SelectChoice("csv", "A table for a printing house (CSV)"),
            SelectChoice("zip", "Both (ZIP)"),
        ],
        default="pdf",
    )


@blueprint.route("/vouchers/new", methods=["GET", "POST"])
@staff_only(EDITORS)
def voucher_batch_new() -> ResponseReturnValue:
    """It is stock until it is sold."""
    context = parts.context()
    form = BatchForm()
    form.org_id.choices = [
        SelectChoice(0, parts.operator().name),
        *(
            SelectChoice(shop.org_id, shop.name)
            for shop in resellers.listed(context)
            if shop.closed_at is None
        ),
    ]
    form.plan.choices = [
        SelectChoice(0, "Money for the wallet"),
        *(
            SelectChoice(view.plan_id, plan_words(view))
            for view in catalog.list_plans(context, parts.now())
        ),
    ]
    form.profile.choices = [
        SelectChoice(0, "The one for hotspots: daily, without tax unless you set it"),
        *(
            SelectChoice(one.profile_id, one.profile.name)
            for one in catalog.list_profiles(context)
            if one.profile.name != catalog.HOTSPOT.name
        ),
    ]
    if form.validate_on_submit():
        try:
            made = service.make_batch(context, _wanted(form), parts.now())
        except (InvalidInput, NotFound, Refused, Conflict) as error:
            show_errors(form, error, _ERRORS_AT)
        else:
            next_words = (
                "The reseller takes their codes" if form.org_id.data else "Take their codes"
            )
            flash(f"{made.count} vouchers are in stock. {next_words} next.", "success")
            return redirect(url_for("admin.voucher_batch", batch_id=made.batch_id))
    status = 422 if form.is_submitted() else 200
    return render_template("admin/voucher_batch_form.html", form=form), status


@blueprint.get("/vouchers/batches/<int:batch_id>")
@staff_only(STAFF)
def voucher_batch(batch_id: int) -> ResponseReturnValue:
    """One batch: its stock, and what can be done with it."""
    view = service.get_batch(parts.context(), batch_id)
    return render_template(
        "admin/voucher_batch.html", view=view, form=CodesForm(), prints=prints_for(view.org_id)
    )


@blueprint.post("/vouchers/batches/<int:batch_id>/codes")
@staff_only(EMPLOYERS)
def voucher_codes(batch_id: int) -> ResponseReturnValue:
    """The codes, as a file; afterwards nobody can read them any more. A reseller takes its own."""
    form, context = CodesForm(), parts.context()
    org_id = service.get_batch(context, batch_id).org_id
    if not prints_for(org_id):
        abort(403)
    design = voucher_designs.design_of(context, org_id)
    files: dict[str, bytes] = {}

    def take(view: BatchView, codes: list[Code]) -> None:
        if form.form.data in ("pdf", "zip"):
            files["pdf"] = sheets(view, codes, design)
        if form.form.data in ("csv", "zip"):
            files["csv"] = as_csv(codes).encode()

    if form.validate_on_submit():
        try:
            service.hand_over(context, batch_id, take, parts.now())
        except (Conflict, Refused, Unavailable) as error:
            flash(error.message, "danger")
        else:
            return _download(f"vouchers-{batch_id}", files)
    return redirect(url_for("admin.voucher_batch", batch_id=batch_id))


def prints_for(org_id: int) -> bool:
    """Whether who is logged in may hold the codes of an organisation's cards: the operator's
    people those of all, a reseller's its own only."""
    person = parts.member()
    return not person.may_resell or person.org_id == org_id


def _wanted(form: BatchForm) -> NewBatch:
    if form.plan.data and form.amount_micros.data is not None:
        raise InvalidInput("leave it empty: the plan says what it is worth", field="amount")
    if not form.plan.data and form.amount_micros.data is None:
        raise InvalidInput("must be filled in, or choose a plan", field="amount")
    return NewBatch(
        name=form.name.data,
        count=form.count.data,
        code=CodeFormat(
            length=form.length.data,
            alphabet=Alphabet(form.alphabet.data),
            prefix=(form.prefix.data or "").strip().upper(),
            password_length=form.password_length.data or 0,
        ),
        profile_id=form.profile.data or None,
        plan_id=form.plan.data or None,
        amount_micros=form.amount_micros.data,
        as_login=form.as_login.data,
        session_limit=form.session_limit.data,
        expires_at=_expiry(form),
        org_id=form.org_id.data or None,
    )


def _expiry(form: BatchForm) -> datetime | None:
    if form.last_day.data is None:
        return None
    return service.expiry_after(form.last_day.data, parts.operator().time_zone)


def _download(name: str, files: dict[str, bytes]) -> Response:
    ending, octets = next(iter(files.items()))
    if len(files) > 1:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for one, inside in files.items():
                archive.writestr(f"{name}.{one}", inside)
        ending, octets = "zip", packed.getvalue()
    types = {"pdf": "application/pdf", "csv": "text/csv", "zip": "application/zip"}
    response = Response(octets, mimetype=types[ending])
    response.headers.set("Content-Disposition", "attachment", filename=f"{name}.{ending}")
    response.headers["Cache-Control"] = "no-store"
    return response
