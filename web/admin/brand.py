"""A reseller's own brand, set by its owner: colour, logo, contact, and whom its mails come from
(rule R1)."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import BooleanField, FileField, StringField

from billing.documents.checks import logo_address
from billing.errors import InvalidInput, NotFound, Refused
from billing.model.brands import Brand, Sender
from billing.services import brands, senders
from web import parts
from web.admin import blueprint
from web.forms import LinesField, show_errors
from web.guards import SHOPKEEPERS, staff_only

_COLOUR = "#206bc4"


class BrandForm(FlaskForm):
    """What its customers see."""

    accent = StringField("Colour", render_kw={"type": "color"})
    logo = FileField("Logo", description="A PNG or JPEG of at most 200 kB; empty: as it is.")
    no_logo = BooleanField("No logo")
    contact = LinesField(
        "Contact",
        description=f"At most {brands.CONTACT_LINES} lines, like 'Call +1 555 0100'. They stand "
        "below each page of your customers and each mail to them, and on receipts and bills.",
        render_kw={"rows": 3},
    )


class SenderForm(FlaskForm):
    """Whom the mails of its customers come from."""

    name = StringField(
        "Name",
        description="Empty: the name of your organisation.",
        render_kw={"maxlength": senders.NAME_CHARACTERS},
    )
    address = StringField(
        "Address",
        description="Like billing@shop.example; answers go there. Empty: the address of your "
        "operator. A code is sent to a new address: it counts when you have typed it in. Ask your "
        "operator to have its relay sign for the domain, else such mails are taken for spam.",
        render_kw={"type": "email", "inputmode": "email", "autocapitalize": "none"},
    )


class SenderCodeForm(FlaskForm):
    """What came to a new address."""

    code = StringField(
        "Code",
        description="Of the newest mail that came there.",
        render_kw={"inputmode": "numeric", "maxlength": 12},
    )


@blueprint.route("/brand", methods=["GET", "POST"])
@staff_only(SHOPKEEPERS)
def brand() -> ResponseReturnValue:
    """Of the own organisation."""
    context = parts.context()
    kept = brands.of(context, context.home_org_id)
    form = BrandForm(accent=kept.accent or _COLOUR, contact=(kept.contact or "").splitlines())
    if form.validate_on_submit():
        try:
            brands.save(
                context,
                context.home_org_id,
                parts.now(),
                accent=str(form.accent.data or ""),
                logo=_logo(form, kept),
                contact=form.contact.data or (),
            )
        except InvalidInput as error:
            show_errors(form, error, {})
        else:
            flash("Your customers see this from now on.", "success")
            return redirect(url_for("admin.brand"))
    link = url_for("customer.log_in", brand=kept.key, _external=True)
    page = render_template("admin/brand.html", form=form, kept=kept, link=link)
    return page, 422 if form.errors or form.form_errors else 200


@blueprint.route("/brand/mails", methods=["GET", "POST"])
@staff_only(SHOPKEEPERS)
def brand_mails() -> ResponseReturnValue:
    """A new address is asked for its code."""
    context, now = parts.context(), parts.now()
    kept = senders.of(context, context.home_org_id, now)
    form = SenderForm(name=kept.name, address=kept.asked or kept.address)
    if form.validate_on_submit():
        try:
            done = senders.change(
                context,
                context.home_org_id,
                now,
                name=form.name.data,
                address=form.address.data,
            )
        except (InvalidInput, Refused) as error:
            show_errors(form, error, {})
        else:
            flash(_asked(done) if done.asked else "Your mails come from there now.", "success")
            return redirect(url_for("admin.brand_mails"))
    return _mails_page(form, SenderCodeForm(formdata=None), kept)


@blueprint.post("/brand/mails/code")
@staff_only(SHOPKEEPERS)
def brand_mails_code() -> ResponseReturnValue:
    """The code of a new address; or another one is sent."""
    context, now = parts.context(), parts.now()
    form = SenderCodeForm()
    try:
        if "again" in request.form:
            flash(_asked(senders.ask_again(context, context.home_org_id, now)), "success")
        else:
            done = senders.prove(context, context.home_org_id, str(form.code.data or ""), now)
            flash(f"Your mails come from {done.address} now.", "success")
    except (InvalidInput, NotFound, Refused) as error:
        show_errors(form, error, {"address": "code"})
        kept = senders.of(context, context.home_org_id, now)
        own = SenderForm(formdata=None, name=kept.name, address=kept.asked or kept.address)
        return _mails_page(own, form, kept)
    return redirect(url_for("admin.brand_mails"))


def _asked(sender: Sender) -> str:
    return f"A code is on its way to {sender.asked}: type it in below."


def _mails_page(form: SenderForm, code: SenderCodeForm, kept: Sender) -> ResponseReturnValue:
    page = render_template("admin/brand_mails.html", form=form, code=code, kept=kept)
    return page, 422 if any((form.errors, form.form_errors, code.errors, code.form_errors)) else 200


def _logo(form: BrandForm, kept: Brand) -> str | None:
    """Raises InvalidInput(field="logo")."""
    octets = form.logo.data.read() if form.logo.data else b""
    return logo_address(octets) if octets else None if form.no_logo.data else kept.logo
