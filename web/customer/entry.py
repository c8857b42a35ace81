"""Login and logout of customers (security.md 5, 6 and 8)."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import after_this_request, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired

from billing.errors import InvalidInput, Refused
from billing.model.self_care import SubscriberAttempt
from billing.services import self_care
from web import devices, parts, subscribers
from web.customer import blueprint
from web.customer.brand import brand
from web.guards import public, subscribers_only
from web.sessions import of_customers


class LoginForm(FlaskForm):
    """What the router has, too."""

    username = StringField("User name", [InputRequired("your user name is needed")])
    password = PasswordField("Password", [InputRequired("your password is needed")])


@blueprint.route("/login", methods=["GET", "POST"])
@public
def log_in() -> ResponseReturnValue:
    """Public: here a customer proves who it is. A reseller's link shows its brand, and does nothing
    else: whoever has a password logs in here."""
    if request.method == "GET" and subscribers.login() is not None:
        return redirect(url_for("customer.home"))
    if (key := brand().key) is not None:
        subscribers.keep_brand(key)
    form = LoginForm()
    if form.validate_on_submit():
        device = devices.known(subscribers.DEVICE)
        attempt = SubscriberAttempt(
            username=str(form.username.data),
            password=str(form.password.data),
            address=request.remote_addr or "unknown",
            device=device[1] if device else None,
            device_subscription_id=device[0] if device else None,
        )
        try:
            found, token = self_care.log_in(parts.login_context(), attempt, parts.now())
        except (InvalidInput, Refused) as error:
            form.form_errors.append(error.message)
        else:
            subscribers.begin(found, token)
            after_this_request(lambda response: subscribers.remember(response, found))
            return redirect(_way_back(request.args.get("next", "")))
    return render_template("customer/login.html", form=form), 422 if form.errors else 200


@blueprint.post("/logout")
@subscribers_only
def log_out() -> ResponseReturnValue:
    """Ends the session at the server, too."""
    subscribers.end()
    return redirect(url_for("customer.log_in"))


def _way_back(target: str) -> str:
    """Where the customer had been going: one of these pages, never another site."""
    parts_of = urlsplit(target)
    local = not parts_of.scheme and not parts_of.netloc and "\\" not in target
    return target if local and of_customers(parts_of.path) else url_for("customer.home")
