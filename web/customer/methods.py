"""Methods of payment on file: to look at, to add, to remove, the one offered first (rule P5)."""

from __future__ import annotations

from contextlib import suppress

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import RadioField

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.method_setups import SetupState, SetupView
from billing.services import auto_recharge, method_setup, online
from billing.services import methods as service
from web import parts, subscribers
from web.customer import blueprint
from web.customer.fields import OnceForm, is_page, method_words
from web.forms import show_errors
from web.guards import subscribers_only
from web.language import words


class AddForm(OnceForm):
    """At which gateway's page."""

    gateway = RadioField("Where", coerce=int, validate_choice=False)


class ActForm(FlaskForm):
    """Nothing but its CSRF token."""


@blueprint.route("/methods", methods=["GET", "POST"])
@subscribers_only
def methods() -> ResponseReturnValue:
    """What is on file; a POST adds one at the provider's page."""
    me, known = subscribers.me(), parts.parts()
    form = AddForm()
    ways = online.ways(subscribers.payer(), known.gateways, me.customer_id)
    where = [one for one in ways.gateways if one.sets_up_methods]
    form.gateway.choices = [(one.gateway_id, one.name) for one in where]
    if form.validate_on_submit():
        try:
            return redirect(_add(form))
        except (InvalidInput, Conflict, NotFound, Refused) as error:
            show_errors(form, error, {})
    elif where:
        form.gateway.data = where[0].gateway_id
    form.renew_key()
    charged = {
        one.method_id for one in auto_recharge.settings(subscribers.context(), me.customer_id)
    }
    page = render_template(
        "customer/methods.html",
        methods=service.of_customer(subscribers.context(), me.customer_id),
        charged=charged,
        today=parts.now().date(),
        form=form,
        act=ActForm(),
        where=where,
    )
    return page, 422 if form.errors else 200


@blueprint.get("/methods/back")
@subscribers_only
def method_back() -> ResponseReturnValue:
    """Where providers send whoever left a card there."""
    key = f"my-{request.args.get('form', '')}"
    me, known = subscribers.me(), parts.parts()
    one = method_setup.by_command(subscribers.context(), me.customer_id, key)
    with suppress(Refused):  # its outcome has come meanwhile
        online.ask(known.nobody, subscribers.payer(), known.gateways, one, known.clock)
    return redirect(url_for("customer.method_page", setup_id=one.setup_id))


@blueprint.get("/methods/new/<int:setup_id>")
@subscribers_only
def method_page(setup_id: int) -> ResponseReturnValue:
    """What has become of one that was to be added."""
    one = _setup(setup_id)
    if one.state is SetupState.DONE:
        flash("It is on file.", "success")
        return redirect(url_for("customer.methods"))
    return render_template("customer/method.html", setup=one)


@blueprint.get("/methods/new/<int:setup_id>/page")
@subscribers_only
def to_setup(setup_id: int) -> ResponseReturnValue:
    """On to the provider's page."""
    one = _setup(setup_id)
    if not one.state.is_open or not is_page(one.redirect_url):
        return redirect(url_for("customer.method_page", setup_id=setup_id))
    return render_template("customer/to_provider.html", url=one.redirect_url)


@blueprint.post("/methods/<int:method_id>/default")
@subscribers_only
def default_method(method_id: int) -> ResponseReturnValue:
    """It is offered first from now on."""
    if ActForm().validate_on_submit():
        me = subscribers.me()
        service.make_default(subscribers.context(), me.customer_id, method_id, parts.now())
        flash("It is offered first from now on.", "success")
    return redirect(url_for("customer.methods"))


@blueprint.route("/methods/<int:method_id>/remove", methods=["GET", "POST"])
@subscribers_only
def remove_method(method_id: int) -> ResponseReturnValue:
    """After asking; auto-recharge may hang on it."""
    context, me = subscribers.context(), subscribers.me()
    form = ActForm()
    found = [
        one for one in service.of_customer(context, me.customer_id) if one.method_id == method_id
    ]
    if not found:
        raise NotFound("there is no such card on file", field="method")
    if form.validate_on_submit():
        service.remove(context, me.customer_id, method_id, parts.now())
        flash(words("{card} is not on file any more.", card=found[0].label), "success")
        return redirect(url_for("customer.methods"))
    charged = any(
        one.method_id == method_id for one in auto_recharge.settings(context, me.customer_id)
    )
    return render_template(
        "customer/remove_method.html", words=method_words(found[0]), charged=charged, form=form
    )


def _add(form: AddForm) -> str:
    """Begin it and call the provider: the address to go on to."""
    known, me = parts.parts(), subscribers.me()
    if not any(value == form.gateway.data for value, _ in form.gateway.choices or ()):
        raise InvalidInput("choose one of these", field="gateway")
    online.check_open(subscribers.payer(), me.customer_id)
    made = method_setup.begin(
        subscribers.payer(),
        known.gateways,
        me.customer_id,
        int(form.gateway.data),
        idempotency_key=form.command_key(),
        now=parts.now(),
        return_url=url_for("customer.method_back", form=form.key.data, _external=True),
    )
    online.call(known.nobody, subscribers.payer(), known.gateways, made, known.clock)
    made = _setup(made.setup_id)
    ready = made.state.is_open and made.redirect_url
    return url_for("customer.to_setup" if ready else "customer.method_page", setup_id=made.setup_id)


def _setup(setup_id: int) -> SetupView:
    """Raises NotFound."""
    return method_setup.show(subscribers.context(), subscribers.me().customer_id, setup_id)
