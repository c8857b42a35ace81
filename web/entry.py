"""Pages before login: the enrolment link, and the health check."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import PasswordField
from wtforms.validators import EqualTo, InputRequired

from billing.errors import InvalidInput
from billing.services import brands, catalog, staff
from web import parts
from web.accounts import StaffUser
from web.guards import public
from web.login import after_password

blueprint = Blueprint("entry", __name__)


class EnrolForm(FlaskForm):
    """The service checks the password's strength."""

    password = PasswordField("Password", [InputRequired("choose a password")])
    again = PasswordField("The same again", [EqualTo("password", "the two are not the same")])


@blueprint.route("/enrol/<token>", methods=["GET", "POST"])
@public
def enrol(token: str) -> ResponseReturnValue:
    """Public: the one-time token is the credential (security.md 3)."""
    context = parts.login_context()
    person = staff.enrolling(context, token, parts.now())
    own = brands.of(replace(context, org_ids=(person.org_id,)), person.org_id)
    form = EnrolForm()
    if form.validate_on_submit():
        try:
            member = staff.accept_enrolment(context, token, str(form.password.data), parts.now())
        except InvalidInput as error:
            form.password.errors = [error.message]
        else:
            return after_password(StaffUser(member))
    of = own if own.key is not None else None
    return render_template("entry/enrol.html", form=form, email=person.email, of=of)


@blueprint.get("/healthz")
@public
def healthz() -> ResponseReturnValue:
    """Public: says only whether the panel can serve, for load balancers."""
    catalog.operator(parts.login_context())
    return {"status": "ok"}
