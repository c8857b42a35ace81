"""What a customer sets itself: when it is told of what, and the password (rules P6, A2)."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import PasswordField
from wtforms.validators import EqualTo, InputRequired

from billing.errors import InvalidInput, NotFound, Refused, TollwayError
from billing.services import customers, messages, self_care, spending
from billing.services import subscribers as service
from web import parts, subscribers
from web.customer import blueprint
from web.forms import LinesField, NumbersField, WholeField, show_errors
from web.guards import subscribers_only


class AlertsForm(FlaskForm):
    """Of the wallet and packages of the subscription that is logged in."""

    balance_percent = WholeField(
        "Tell me when less than this is left in my wallet",
        description="Percent of what it had after the last top-up, 1 to 99. Empty: never.",
        render_kw={"inputmode": "numeric"},
    )
    usage_percents = NumbersField(
        "Tell me when this much of a package is used",
        description="Percent, like 80 100. Empty: never.",
    )
    addresses = LinesField(
        "Email addresses",
        description="One a line. Bills go there, too.",
        render_kw={"rows": 3},
    )


class PasswordForm(FlaskForm):
    """The service checks the old one and the new one's strength."""

    old = PasswordField("Password now", [InputRequired("the password that you have now is needed")])
    new = PasswordField("New password", [InputRequired("choose a password")])
    again = PasswordField("The same again", [EqualTo("new", "the two are not the same")])


@blueprint.route("/settings", methods=["GET", "POST"])
@subscribers_only
def settings() -> ResponseReturnValue:
    """Alerts; both services in one transaction."""
    context, me, now = subscribers.context(), subscribers.me(), parts.now()
    wallet_id = service.show(context, me.subscription_id, now).wallet.wallet_id
    form = AlertsForm()
    if form.validate_on_submit():
        try:
            with context.together() as joined:
                spending.set_alerts(
                    joined,
                    me.customer_id,
                    now,
                    wallet_id=wallet_id,
                    balance_percent=form.balance_percent.data or 0,
                    usage_percents=form.usage_percents.data,
                )
                messages.set_alerts(joined, me.customer_id, now, addresses=form.addresses.data)
        except TollwayError as error:
            show_errors(form, error, {"address": "addresses"})
        else:
            flash("Saved.", "success")
            return redirect(url_for("customer.settings"))
    if not form.is_submitted():
        watches = spending.watches(context, me.customer_id, now)
        own = next(one for one in watches if one.wallet_id == wallet_id)
        form.balance_percent.data = own.alert_percent
        form.usage_percents.data = own.usage_alert_percents
        customer = customers.get_customer(context, me.customer_id)
        form.addresses.data = list(customer.alert_addresses)
    return render_template("customer/settings.html", form=form), 422 if form.errors else 200


@blueprint.route("/password", methods=["GET", "POST"])
@subscribers_only
def password() -> ResponseReturnValue:
    """Every other browser is logged out."""
    form = PasswordForm()
    if form.validate_on_submit():
        me = subscribers.me()
        try:
            token = self_care.change_password(
                parts.login_context(), me, str(form.old.data), str(form.new.data), parts.now()
            )
        except (InvalidInput, NotFound, Refused) as error:
            show_errors(form, error, {"password": "new"})
        else:
            subscribers.begin(me, token)
            flash("Your password is changed. Set it in your router, too.", "success")
            return redirect(url_for("customer.home"))
    return render_template("customer/password.html", form=form), 422 if form.errors else 200
