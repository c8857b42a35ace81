"""What the operator is called on bills, and whom its messages come from (rules I1, I3)."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import BooleanField, StringField

from billing.errors import InvalidInput
from billing.services import letterhead, messages
from billing.services.context import Context
from web import parts
from web.admin import blueprint
from web.forms import LinesField, show_errors
from web.guards import EDITORS, staff_only

_ERRORS_AT = {"address_line": "address_lines", "address": "mail_from"}


class CompanyForm(FlaskForm):
    """As `tollway organisation set` and `tollway message from` set it, by the same services."""

    address_lines = LinesField(
        "Postal address",
        description=f"Up to {letterhead.ADDRESS_LINES} lines; it stands on bills from now on.",
        render_kw={"rows": 4},
    )
    country = StringField("Country", description="Like DE.", render_kw={"maxlength": 2})
    tax_id = StringField("Tax number", description="Like DE123456789.")
    e_invoice = BooleanField(
        "Bills are e-invoices",
        description="From now on by EN 16931, which needs address, country and VAT number.",
    )
    mail_from = StringField(
        "Messages come from",
        description="An address of yours that your relay may send for; empty: the installation's.",
        render_kw={"type": "email"},
    )


@blueprint.route("/company", methods=["GET", "POST"])
@staff_only(EDITORS)
def company() -> ResponseReturnValue:
    """All of it, or nothing where one is refused."""
    context = parts.context()
    party = letterhead.of_organisation(context, context.home_org_id)
    form = CompanyForm(
        data={
            "address_lines": list(party.address_lines),
            "country": party.country,
            "tax_id": party.tax_id,
            "e_invoice": letterhead.makes_e_invoices(context, context.home_org_id),
            "mail_from": messages.sender_of(context, context.home_org_id),
        }
    )
    if form.validate_on_submit():
        try:
            with context.together() as joined:
                _save(joined, form)
        except InvalidInput as error:
            show_errors(form, error, _ERRORS_AT)
        else:
            flash("Saved: it holds for bills and messages from now on.", "success")
            return redirect(url_for("admin.company"))
    page = render_template("admin/company.html", form=form, name=party.name)
    return page, 422 if form.errors or form.form_errors else 200


def _save(context: Context, form: CompanyForm) -> None:
    org_id, now = context.home_org_id, parts.now()
    letterhead.set_of_organisation(
        context,
        org_id,
        now=now,
        address_lines=form.address_lines.data or [],
        tax_id=form.tax_id.data or "",
        country=form.country.data or "",
        e_invoice=bool(form.e_invoice.data),
    )
    wanted = (form.mail_from.data or "").strip() or None
    if wanted != messages.sender_of(context, org_id):
        messages.set_sender(context, org_id, wanted, now)
