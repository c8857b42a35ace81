"""A reseller's own brand, set by its owner: colour, logo, contact (rule R1)."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import BooleanField, FileField, StringField

from billing.documents.checks import logo_address
from billing.errors import InvalidInput
from billing.model.brands import Brand
from billing.services import brands
from web import parts
from web.admin import blueprint
from web.forms import show_errors
from web.guards import SHOPKEEPERS, staff_only

_COLOUR = "#206bc4"


class BrandForm(FlaskForm):
    """What its customers see."""

    accent = StringField("Colour", render_kw={"type": "color"})
    logo = FileField("Logo", description="A PNG or JPEG of at most 200 kB; empty: as it is.")
    no_logo = BooleanField("No logo")
    contact = StringField(
        "Contact",
        description="Like 'Call +1 555 0100, help@shop.example'. It stands below each page of your "
        "customers, and on receipts and bills.",
        render_kw={"maxlength": brands.CONTACT_CHARACTERS},
    )


@blueprint.route("/brand", methods=["GET", "POST"])
@staff_only(SHOPKEEPERS)
def brand() -> ResponseReturnValue:
    """Of the own organisation."""
    context = parts.context()
    kept = brands.of(context, context.home_org_id)
    form = BrandForm(accent=kept.accent or _COLOUR, contact=kept.contact)
    if form.validate_on_submit():
        try:
            brands.save(
                context,
                context.home_org_id,
                parts.now(),
                accent=str(form.accent.data or ""),
                logo=_logo(form, kept),
                contact=form.contact.data,
            )
        except InvalidInput as error:
            show_errors(form, error, {})
        else:
            flash("Your customers see this from now on.", "success")
            return redirect(url_for("admin.brand"))
    page = render_template("admin/brand.html", form=form, kept=kept)
    return page, 422 if form.errors or form.form_errors else 200


def _logo(form: BrandForm, kept: Brand) -> str | None:
    """Raises InvalidInput(field="logo")."""
    octets = form.logo.data.read() if form.logo.data else b""
    return logo_address(octets) if octets else None if form.no_logo.data else kept.logo
