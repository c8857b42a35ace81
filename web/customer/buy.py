"""Buying a package with wallet money (rules B4, B8, P12, M5)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import HiddenField

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.commerce import SaleChannel
from billing.model.profile import BillingKind
from billing.model.views import PlanView, SaleReceipt, SubscriptionView
from billing.services import catalog, offers, sales
from billing.services import subscribers as service
from billing.services.context import Context
from web import parts, subscribers
from web.customer import blueprint
from web.formats import instant, money
from web.guards import subscribers_only
from web.language import sentence, words


class BuyForm(FlaskForm):
    """`key` makes the purchase happen once; `total` is the price that was shown, in micros."""

    key = HiddenField()
    total = HiddenField()


@dataclass(frozen=True, slots=True)
class Quote:
    """What a purchase would do now, or why it cannot be."""

    receipt: SaleReceipt | None
    refused: str


@blueprint.get("/buy")
@subscribers_only
def buy() -> ResponseReturnValue:
    """What is on sale for the subscription, with what it costs in full."""
    context, now, me = subscribers.context(), parts.now(), subscribers.me()
    view = service.show(context, me.subscription_id, now)
    monthly = view.profile.kind is BillingKind.MONTHLY
    found = [] if monthly else offers.of_subscription(context, me.subscription_id, now)
    return render_template(
        "customer/buy.html", view=view, offers=found, monthly=monthly, runs=_runs(view)
    )


@blueprint.route("/buy/<int:plan_id>", methods=["GET", "POST"])
@subscribers_only
def confirm(plan_id: int) -> ResponseReturnValue:
    """`begin=now`: beside what runs, not after it. First what it will do, then it is done."""
    context, now = subscribers.context(), parts.now()
    start_now = request.args.get("begin") == "now"
    plan = catalog.get_plan(context, plan_id, now)
    form = BuyForm()
    if form.validate_on_submit():
        try:
            receipt = _sell(context, plan, form, start_now=start_now)
        except (InvalidInput, Conflict, NotFound, Refused) as error:
            form.form_errors.append(_words(error))
        else:
            flash(_done(receipt), "success")
            return redirect(url_for("customer.home"))
    view = service.show(context, subscribers.me().subscription_id, now)
    quote = _quote(context, plan, start_now=start_now)
    form.key.data = secrets.token_hex(16)
    form.total.data = str(quote.receipt.total_micros) if quote.receipt else ""
    page = render_template(
        "customer/confirm.html",
        plan=plan,
        view=view,
        quote=quote,
        form=form,
        start_now=start_now,
        runs=_runs(view),
    )
    return page, 422 if form.form_errors else 200


def _sell(context: Context, plan: PlanView, form: BuyForm, *, start_now: bool) -> SaleReceipt:
    """For the price that was shown, or not at all."""
    with context.together() as joined:
        receipt = sales.sell(
            joined,
            subscribers.me().subscription_id,
            plan.plan_id,
            idempotency_key=f"my-{form.key.data}",
            now=parts.now(),
            channel=SaleChannel.PORTAL,
            start_now=start_now,
        )
        if str(receipt.total_micros) != form.total.data:
            raise Refused("The price has changed. Look at it again; nothing was bought.")
    return receipt


def _quote(context: Context, plan: PlanView, *, start_now: bool) -> Quote:
    """From a rehearsal: what is shown cannot differ from what is done."""
    try:
        with context.rehearsed() as trial:
            receipt = sales.sell(
                trial,
                subscribers.me().subscription_id,
                plan.plan_id,
                idempotency_key=f"quote-{secrets.token_hex(16)}",
                now=parts.now(),
                channel=SaleChannel.PORTAL,
                start_now=start_now,
            )
    except (NotFound, Refused) as error:
        return Quote(None, _words(error))
    return Quote(receipt, "")


def _words(error: InvalidInput | Conflict | NotFound | Refused) -> str:
    if error.field == "idempotency_key":
        return words(
            "This was sent before, and was done. Look at your packages before you buy again."
        )
    return sentence(error.message)


def _done(receipt: SaleReceipt) -> str:
    price = money(receipt.total_micros, receipt.currency)
    said = [words("{plan} is yours for {price}.", plan=receipt.plan_name, price=price)]
    if receipt.valid_until is not None:
        said.append(words("It is valid until {time}.", time=instant(receipt.valid_until)))
    if receipt.repeated:
        said.append(words("It had been bought already; nothing was bought twice."))
    return " ".join(said)


def _runs(view: SubscriptionView) -> bool:
    """Whether a package would wait behind another one (rule B4)."""
    return any(one.status in ("running", "waiting") for one in view.entitlements)
