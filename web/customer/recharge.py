"""Auto-recharge of the wallet, and what holds it up (rules P5, P6, P7)."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import SelectField
from wtforms.fields.choices import SelectChoice

from billing.errors import TollwayError
from billing.model.payments import RechargeView
from billing.services import auto_recharge, customers, methods, prepayments, spending
from web import parts, subscribers
from web.customer import blueprint
from web.customer.fields import OwnMoneyField, method_words
from web.customer.methods import ActForm
from web.forms import needed, show_errors
from web.guards import subscribers_only

_DECIMAL = {"inputmode": "decimal"}


class RechargeForm(FlaskForm):
    """As `tollway customer recharge` sets it, by the same service."""

    method = SelectField("Charge", coerce=int, validate_choice=False)
    threshold = OwnMoneyField(
        "When so much or less is left", [needed], render_kw=_DECIMAL, description="0 or more."
    )
    amount = OwnMoneyField("By", [needed], render_kw=_DECIMAL, description="Each time.")
    cap_day = OwnMoneyField(
        "At most in a day", render_kw=_DECIMAL, description="Empty: no limit of the day."
    )
    cap_month = OwnMoneyField(
        "At most in a month", render_kw=_DECIMAL, description="Empty: no limit of the month."
    )


@blueprint.route("/recharge", methods=["GET", "POST"])
@subscribers_only
def recharge() -> ResponseReturnValue:
    """Of the wallet of the subscription that is logged in; to save turns it on."""
    context, me, now = subscribers.context(), subscribers.me(), parts.now()
    wallet_id = subscribers.view().wallet.wallet_id
    on_file = sorted(
        methods.of_customer(context, me.customer_id), key=lambda one: not one.is_default
    )
    setting = _setting(wallet_id)
    form = RechargeForm()
    form.method.choices = [SelectChoice(one.method_id, method_words(one)) for one in on_file]
    if form.validate_on_submit():
        try:
            auto_recharge.set_up(
                context,
                me.customer_id,
                method_id=form.method.data or 0,
                threshold_micros=form.threshold.data,
                amount_micros=form.amount.data,
                cap_day_micros=form.cap_day.data,
                cap_month_micros=form.cap_month.data,
                wallet_id=wallet_id,
                now=now,
            )
        except TollwayError as error:
            show_errors(form, error, {})
        else:
            flash("Saved: auto-recharge is on.", "success")
            return redirect(url_for("customer.recharge"))
    if not form.is_submitted() and setting is not None:
        form.method.data = setting.method_id
        form.threshold.data, form.amount.data = setting.threshold_micros, setting.amount_micros
        form.cap_day.data, form.cap_month.data = setting.cap_day_micros, setting.cap_month_micros
    watches = spending.watches(context, me.customer_id, now)
    page = render_template(
        "customer/recharge.html",
        form=form,
        act=ActForm(),
        setting=setting,
        methods=on_file,
        currency=subscribers.view().wallet.currency,
        watch=next(one for one in watches if one.wallet_id == wallet_id),
        customer=customers.get_customer(context, me.customer_id),
        prepaid=any(
            one.wallet_id == wallet_id for one in prepayments.settings(context, me.customer_id)
        ),
    )
    return page, 422 if form.errors else 200


@blueprint.post("/recharge/resume")
@subscribers_only
def resume_recharge() -> ResponseReturnValue:
    """What was paused, or waits for its next try, is tried at once."""
    return _act(resume=True, said="It goes on.")


@blueprint.post("/recharge/stop")
@subscribers_only
def stop_recharge() -> ResponseReturnValue:
    """What is on its way still comes."""
    return _act(resume=False, said="Auto-recharge is off.")


def _act(*, resume: bool, said: str) -> ResponseReturnValue:
    wallet_id = subscribers.view().wallet.wallet_id
    if ActForm().validate_on_submit() and _setting(wallet_id) is not None:
        act = auto_recharge.resume if resume else auto_recharge.stop
        act(subscribers.context(), subscribers.me().customer_id, parts.now(), wallet_id=wallet_id)
        flash(said, "success")
    return redirect(url_for("customer.recharge"))


def _setting(wallet_id: int) -> RechargeView | None:
    found = auto_recharge.settings(subscribers.context(), subscribers.me().customer_id)
    return next((one for one in found if one.wallet_id == wallet_id), None)
