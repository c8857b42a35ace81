"""Who works here: people are added by a link, get another role, a new password, or out (security.md
3, rule R2)."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import SelectField, StringField
from wtforms.fields.choices import SelectChoice

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.staff import OF_RESELLERS, StaffMember, StaffRole
from billing.services import resellers
from billing.services import staff as service
from web import parts
from web.admin import blueprint
from web.forms import needed, show_errors
from web.guards import EMPLOYERS, staff_only

ROLE_WORDS = {
    StaffRole.OWNER: "Owner: everything",
    StaffRole.BILLING: "Billing: customers and their money",
    StaffRole.SUPPORT: "Support: looks things up",
    StaffRole.COLLECTOR: "Collector: takes cash in the field, by receipt numbers",
    StaffRole.RESELLER: "Owner of the shop: sells, prices, money, staff",
    StaffRole.SHOP_CASHIER: "Cashier of the shop: sells in a shift, sees no margins",
}


class AddForm(FlaskForm):
    """Whom, where, as what."""

    email = StringField("Email", [needed], render_kw={"type": "email"})
    org_id = SelectField("Works for", coerce=int)
    role = SelectField("Role")


class RoleForm(FlaskForm):
    """Another role."""

    role = SelectField("Role")


class ActForm(FlaskForm):
    """Nothing but its CSRF token."""


@blueprint.route("/staff", methods=["GET", "POST"], endpoint="staff")
@staff_only(EMPLOYERS)
def staff_page() -> ResponseReturnValue:
    """Everybody of the own organisation and those below; and one more."""
    context, form = parts.context(), AddForm()
    names = _organisations()
    form.org_id.choices = [SelectChoice(number, name) for number, name in names.items()]
    form.role.choices = _choices(_roles(names))
    if len(names) == 1:
        del form.org_id
    if form.validate_on_submit():
        org_id = form.org_id.data if form.org_id else context.home_org_id
        try:
            token = service.enrol_new(
                context, form.email.data, StaffRole(form.role.data), parts.now(), org_id=org_id
            )
        except (InvalidInput, NotFound, Conflict, Refused) as error:
            show_errors(form, error, {"organisation": "org_id"})
        else:
            return _link_page(form.email.data, token)
    found = service.list_staff(context)
    page = render_template("admin/staff.html", rows=found, names=names, words=ROLE_WORDS, form=form)
    return page, 422 if form.errors or form.form_errors else 200


@blueprint.route("/staff/<email>", methods=["GET", "POST"])
@staff_only(EMPLOYERS)
def staff_member(email: str) -> ResponseReturnValue:
    """One person: the role is changed here."""
    context, form = parts.context(), RoleForm()
    person = service.find(context, email)
    form.role.choices = _choices(_roles_of(person))
    if not form.is_submitted():
        form.role.data = next(iter(person.roles)).value
    if form.validate_on_submit():
        try:
            service.set_role(context, email, StaffRole(form.role.data), parts.now())
        except (InvalidInput, Refused) as error:
            show_errors(form, error, {"email": "role"})
        else:
            flash(f"{person.email} has the role from the next page on.", "success")
            return redirect(url_for("admin.staff"))
    page = render_template(
        "admin/staff_member.html",
        person=person,
        works_for=_organisations().get(person.org_id, ""),
        form=form,
        act=ActForm(formdata=None),
    )
    return page, 422 if form.errors or form.form_errors else 200


@blueprint.post("/staff/<email>/<any(disable, enable):what>")
@staff_only(EMPLOYERS)
def staff_active(email: str, what: str) -> ResponseReturnValue:
    """Disabled, all browsers of the person are logged out at once."""
    if ActForm().validate_on_submit():
        try:
            service.set_active(parts.context(), email, what == "enable", parts.now())
        except Refused as error:
            flash(f"{error.message[:1].upper()}{error.message[1:]}.", "danger")
        else:
            may = "may log in again" if what == "enable" else "may not log in any more"
            flash(f"{email} {may}.", "success")
    return redirect(url_for("admin.staff_member", email=email))


@blueprint.post("/staff/<email>/reset")
@staff_only(EMPLOYERS)
def staff_reset(email: str) -> ResponseReturnValue:
    """A link to set a new password and second factor by; with its use the old ones end."""
    context = parts.context()
    person = service.find(context, email)
    if not ActForm().validate_on_submit():
        return redirect(url_for("admin.staff_member", email=email))
    token = service.enrol(context, person.email, person.roles, parts.now())
    return _link_page(person.email, token)


def _link_page(email: str, token: str) -> ResponseReturnValue:
    link = url_for("entry.enrol", token=token, _external=True)
    return render_template("admin/staff_link.html", email=email, link=link)


def _organisations() -> dict[int, str]:
    """By number, the own one first."""
    context = parts.context()
    names = {one.org_id: one.name for one in resellers.listed(context)}
    own = names.get(context.home_org_id) or parts.operator().name
    return {context.home_org_id: own} | names


def _roles(names: dict[int, str]) -> list[StaffRole]:
    """What somebody of these organisations may be, the usual one first."""
    if parts.member().may_resell:
        return [StaffRole.SHOP_CASHIER, StaffRole.RESELLER]
    own = [one for one in StaffRole if one not in OF_RESELLERS]
    return own if len(names) == 1 else [*own, StaffRole.RESELLER, StaffRole.SHOP_CASHIER]


def _roles_of(person: StaffMember) -> list[StaffRole]:
    """Others of the same kind of organisation."""
    of_shop = bool(OF_RESELLERS & person.roles)
    return [one for one in StaffRole if (one in OF_RESELLERS) == of_shop]


def _choices(roles: list[StaffRole]) -> list[SelectChoice]:
    return [SelectChoice(one.value, ROLE_WORDS[one]) for one in roles]
