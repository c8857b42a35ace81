"""A customer pauses its service, told before what that is good for (rule S3)."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from billing.errors import Refused
from billing.model.plan_changes import PauseOffer
from billing.services import own_pauses
from web import parts, subscribers
from web.customer import blueprint
from web.customer.methods import ActForm
from web.formats import duration, money
from web.guards import subscribers_only
from web.language import words


@blueprint.get("/pause")
@subscribers_only
def pause() -> ResponseReturnValue:
    """Of the subscription that is logged in."""
    return _page()


@blueprint.post("/pause/begin")
@subscribers_only
def pause_begin() -> ResponseReturnValue:
    """At once."""
    form = ActForm()
    if not form.validate_on_submit():
        return _page(), 422
    try:
        own_pauses.pause(subscribers.context(), subscribers.me().subscription_id, parts.now())
    except Refused as error:
        return _page(error.message), 422
    flash(words("Your service is paused. It goes on when you end the pause."), "success")
    return redirect(url_for("customer.pause"))


@blueprint.post("/pause/end")
@subscribers_only
def pause_end() -> ResponseReturnValue:
    """At once; says what it was good for."""
    form = ActForm()
    if not form.validate_on_submit():
        return _page(), 422
    try:
        was = own_pauses.end(subscribers.context(), subscribers.me().subscription_id, parts.now())
    except Refused as error:
        return _page(error.message), 422
    flash(f"{words('The pause has ended.')} {_was_good_for(was)}", "success")
    return redirect(url_for("customer.home"))


def _page(refused: str | None = None) -> str:
    subscription_id = subscribers.me().subscription_id
    offer = own_pauses.offer(subscribers.context(), subscription_id, parts.now())
    return render_template(
        "customer/pause.html",
        offer=offer,
        form=ActForm(),
        refused=refused or (None if offer.paused_at else offer.refused),
        good_for=_good_for(offer),
        so_far=_was_good_for(offer),
    )


def _good_for(offer: PauseOffer) -> str:
    """Before it begins."""
    most = words(
        "{days} (your plan has {allowed} a year)",
        days=_days(offer.left.days),
        allowed=str(offer.allowed_days),
    )
    if not offer.monthly:
        return words(
            "Your package stands still: when the pause ends it is valid for longer by as long as "
            "the pause was, by {most} at most.",
            most=most,
        )
    price = ""
    if offer.day_micros is not None:
        price = words(", {amount} each", amount=money(offer.day_micros, offer.currency))
    return words(
        "Your plan is not charged for whole days of the pause, from midnight to midnight{price}: "
        "for {most} at most. What is billed already goes back to your wallet, or off the bill that "
        "is open, when the pause ends.",
        price=price,
        most=most,
    )


def _was_good_for(offer: PauseOffer) -> str:
    """While it lasts, and when it ends."""
    if not offer.monthly:
        longer = duration(int(offer.good_for.total_seconds()))
        return words("Your package is valid for {time} longer.", time=longer)
    days = offer.good_for.days
    if not days:
        return words("No whole day was paused, so nothing is given back.")
    return words("Free days of your plan: {days}.", days=str(days))


def _days(days: int) -> str:
    return words("1 day") if days == 1 else words("{days} days", days=str(days))
