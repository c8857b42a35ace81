"""A new customer with its first subscription, in one form."""

from __future__ import annotations

import secrets

from flask import render_template
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.services import catalog, contacts, customers, letterhead, message_templates
from billing.services.context import Context
from billing.services.customers import NewCustomer, NewSubscription
from web import parts
from web.admin import blueprint
from web.admin.customers.frame import address_of, offered
from web.formats import plan_words
from web.forms import needed, show_errors
from web.guards import CASHIERS, staff_only

_PASSWORD_OCTETS = 9
_ERRORS_AT = {"address_line": "address", "customer": "name"}


class NewCustomerForm(FlaskForm):
    """Who pays, and who logs in."""

    name = StringField("Name", [needed])
    profile = SelectField("Billing profile", coerce=int)
    email = StringField(
        "Email", description="Bills and notices go there.", render_kw={"type": "email"}
    )
    phone = StringField("Phone", render_kw={"type": "tel"})
    address = TextAreaField(
        "Postal address", description="It stands on bills.", render_kw={"rows": 3}
    )
    language = StringField(
        "Language of messages", [needed], default="en", description="Like en or pt-BR."
    )
    username = StringField("User name", [needed], render_kw={"autocapitalize": "none"})
    password = StringField(
        "Password",
        description="A random one stands here; it is stored encrypted and not shown again.",
        render_kw={"autocapitalize": "none", "spellcheck": "false"},
    )
    plan = SelectField(
        "Plan",
        coerce=int,
        default=0,
        description="A monthly customer is billed for it; a daily one still has to buy.",
    )


@blueprint.route("/customers/new", methods=["GET", "POST"])
@staff_only(CASHIERS)
def customer_new() -> ResponseReturnValue:
    """The page after it shows the password, that once."""
    context = parts.context()
    form = NewCustomerForm()
    profiles, plans = catalog.list_profiles(context), catalog.list_plans(context, parts.now())
    form.profile.choices = [SelectChoice(one.profile_id, one.profile.name) for one in profiles]
    form.plan.choices = [
        SelectChoice(0, "none yet"),
        *(SelectChoice(view.plan_id, plan_words(view)) for view in plans),
    ]
    if not form.is_submitted():
        form.password.data = secrets.token_urlsafe(_PASSWORD_OCTETS)
    if form.validate_on_submit():
        password = form.password.data or secrets.token_urlsafe(_PASSWORD_OCTETS)
        try:
            customer_id = _add(context, form, password)
        except (InvalidInput, NotFound, Refused, Conflict) as error:
            show_errors(form, error, _ERRORS_AT)
        else:
            return render_template(
                "admin/customer_made.html",
                customer=customers.get_customer(context, customer_id),
                username=form.username.data,
                password=password,
                actions=offered(["sell", "pay"]),
                address_of=address_of,
            )
    page = render_template("admin/customer_new.html", form=form, profiles=profiles)
    return page, 422 if form.errors else 200


def _add(context: Context, form: NewCustomerForm, password: str) -> int:
    """Customer, subscription, first bill and address, all or none; returns the customer's id."""
    now = parts.now()
    with context.together() as joined:
        subscription_id = customers.add_subscriber(
            joined,
            NewCustomer(
                name=form.name.data,
                profile_id=form.profile.data,
                email=contacts.checked(form.email.data),
                phone=form.phone.data,
                locale=message_templates.checked_language(form.language.data),
            ),
            NewSubscription(
                username=form.username.data, password=password, plan_id=form.plan.data or None
            ),
            now,
        )
        customer_id = customers.customer_of(joined, subscription_id)
        if form.address.data:
            letterhead.set_of_customer(
                joined, customer_id, now=now, address_lines=form.address.data.splitlines()
            )
    return customer_id
