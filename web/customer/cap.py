"""A customer caps what it may spend in a month (rule P14)."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from billing.errors import TollwayError
from billing.model.spending import WalletWatch
from billing.services import spending
from web import parts, subscribers
from web.customer import blueprint
from web.customer.fields import OwnMoneyField
from web.customer.methods import ActForm
from web.forms import show_errors
from web.guards import subscribers_only
from web.language import words


class CapForm(FlaskForm):
    """As `tollway customer cap` sets it, by the same service."""

    cap_micros = OwnMoneyField(
        "Spend at most, in a month",
        render_kw={"inputmode": "decimal"},
        description="What you used and bought this month counts, bills do not. Empty: no cap.",
    )


@blueprint.route("/cap", methods=["GET", "POST"])
@subscribers_only
def cap() -> ResponseReturnValue:
    """Of the wallet of the subscription that is logged in."""
    form = CapForm()
    if form.validate_on_submit():
        try:
            spending.set_cap(
                subscribers.context(),
                subscribers.me().customer_id,
                form.cap_micros.data,
                parts.now(),
                wallet_id=subscribers.view().wallet.wallet_id,
            )
        except TollwayError as error:
            show_errors(form, error, {"amount": "cap_micros"})
        else:
            none = form.cap_micros.data is None
            flash(
                words("There is no cap any more." if none else "Saved: the cap holds now."),
                "success",
            )
            return redirect(url_for("customer.cap"))
    watch = _watch()
    if not form.is_submitted():
        form.cap_micros.data = watch.cap_micros
    page = render_template("customer/cap.html", form=form, act=ActForm(), watch=watch)
    return page, 422 if form.errors else 200


@blueprint.post("/cap/lift")
@subscribers_only
def cap_lift() -> ResponseReturnValue:
    """For the rest of the month."""
    if ActForm().validate_on_submit() and _watch().cap_left_micros is not None:
        spending.lift_cap(
            subscribers.context(),
            subscribers.me().customer_id,
            parts.now(),
            wallet_id=subscribers.view().wallet.wallet_id,
        )
        flash(words("Lifted: it holds again when the next month begins."), "success")
    return redirect(url_for("customer.cap"))


def _watch() -> WalletWatch:
    wallet_id = subscribers.view().wallet.wallet_id
    customer_id = subscribers.me().customer_id
    found = spending.watches(subscribers.context(), customer_id, parts.now())
    return next(one for one in found if one.wallet_id == wallet_id)
