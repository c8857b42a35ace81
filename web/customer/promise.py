"""A customer promises to pay, within the limits of its billing profile (rule B19)."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import DateField
from wtforms.validators import Optional

from billing.errors import InvalidInput, Refused, TollwayError
from billing.model.promises import PromiseOffer
from billing.services import agreements, promises
from web import parts, subscribers
from web.customer import blueprint
from web.customer.fields import OwnMoneyField
from web.formats import day, money
from web.forms import show_errors
from web.guards import subscribers_only
from web.language import words


class PromiseForm(FlaskForm):
    """`credit` only where the wallet is used up."""

    until = DateField("I pay by", [Optional()])
    credit = OwnMoneyField("Lend me until then", render_kw={"inputmode": "decimal"})


@blueprint.route("/promise", methods=["GET", "POST"])
@subscribers_only
def promise() -> ResponseReturnValue:
    """Of all bills of the customer, and the wallet of the subscription that is logged in."""
    offer = _offer()
    form = PromiseForm()
    form.until.description = words("{day} at the latest.", day=day(offer.latest))
    most = money(offer.credit_micros, offer.currency)
    form.credit.description = words("Up to {amount}: so much you may use, and owe.", amount=most)
    if not offer.used_up:
        del form.credit
    if form.validate_on_submit():
        try:
            said = _promise(form, offer)
        except TollwayError as error:
            show_errors(form, error, {})
        else:
            flash(said, "success")
            return redirect(url_for("customer.home"))
    if not form.is_submitted():
        form.until.data = offer.latest
    page = render_template("customer/promise.html", form=form, offer=offer, more=_more(offer))
    return page, 422 if form.errors else 200


def _more(offer: PromiseOffer) -> str:
    times = "You can promise once more in {days} days."
    if offer.left != 1:
        times = "You can promise {times} times more in {days} days."
    return words(times, times=str(offer.left), days=str(offer.limits.period_days))


def _offer() -> PromiseOffer:
    wallet_id = subscribers.view().wallet.wallet_id
    customer_id = subscribers.me().customer_id
    return promises.offer(subscribers.context(), customer_id, wallet_id, parts.now())


def _promise(form: PromiseForm, offer: PromiseOffer) -> str:
    if not offer.wanted:
        raise Refused("nothing is to be paid: there is nothing to promise")
    if form.until.data is None:
        raise InvalidInput("choose the day by which you pay", field="until")
    lent_micros = (form.credit.data or 0) if offer.used_up else 0
    if offer.used_up and not lent_micros and not offer.open_micros:
        most = money(offer.credit_micros, offer.currency)
        raise InvalidInput(f"say how much you need, up to {most}", field="credit")
    agreements.promise_oneself(
        subscribers.context(),
        subscribers.me().customer_id,
        form.until.data,
        parts.now(),
        wallet_id=subscribers.view().wallet.wallet_id,
        credit_micros=lent_micros,
    )
    return words(
        "Thank you: pay by the end of {day}, and your service goes on.", day=day(form.until.data)
    )
