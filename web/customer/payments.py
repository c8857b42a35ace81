"""What has become of payments: paid, on the way, or not, and what to do then (rules P1, P7)."""

from __future__ import annotations

from dataclasses import dataclass

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from billing.model.commerce import MoneyChannel
from billing.model.payments import (
    DeclineKind,
    PaymentKind,
    PaymentPurpose,
    PaymentState,
    PaymentView,
)
from billing.services import online, payments
from web import parts, subscribers
from web.customer import blueprint
from web.customer.fields import is_page
from web.formats import money
from web.guards import subscribers_only

SHOWN = 20
_PAID = {
    PaymentPurpose.TOP_UP: "It is in your wallet.",
    PaymentPurpose.RECHARGE: "It is in your wallet.",
    PaymentPurpose.PREPAYMENT: "It is in your wallet, and the prepayment is met.",
    PaymentPurpose.BILL: "Your bill is paid with it; what was paid of it otherwise meanwhile is in "
    "your wallet.",
}
_DECLINED = {
    DeclineKind.SOFT: "Try again later, or with another card.",
    DeclineKind.HARD: "Use another card, or ask your bank.",
    DeclineKind.AUTHENTICATION: "Pay at a payment page, where you confirm it.",
}
_NO_CARD = {
    MoneyChannel.PAYPAL: {
        DeclineKind.SOFT: "Try again later, or choose another card or account at PayPal.",
        DeclineKind.HARD: "Ask PayPal what is wrong with your account, or pay in another way.",
    },
    MoneyChannel.MOBILE_MONEY: {
        DeclineKind.SOFT: "See whether there is enough on your phone, and try again.",
        DeclineKind.HARD: "Ask whether your number is written down right, or pay in another way.",
    },
}
"""Where it was not a card that was declined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A payment in words. `look`: a colour, beside the words. `lasting`: it will not change by
    itself soon."""

    look: str
    title: str
    text: str
    todo: str = ""
    go_on: bool = False
    try_again: bool = False
    lasting: bool = True


@blueprint.get("/payments")
@subscribers_only
def payments_list() -> ResponseReturnValue:
    """By gateways, newest first."""
    found = payments.listed(
        subscribers.payer(), customer_id=subscribers.me().customer_id, limit=SHOWN
    )
    return render_template("customer/payments.html", lines=[(one, told(one)) for one in found])


@blueprint.get("/payments/<int:attempt_id>")
@subscribers_only
def payment(attempt_id: int) -> ResponseReturnValue:
    """As it stands."""
    return render_template("customer/payment.html", **_facts(attempt_id))


@blueprint.get("/payments/<int:attempt_id>/now")
@subscribers_only
def payment_part(attempt_id: int) -> ResponseReturnValue:
    """What of that page changes by itself."""
    return render_template("customer/_payment.html", **_facts(attempt_id))


@blueprint.get("/payments/<int:attempt_id>/page")
@subscribers_only
def to_provider(attempt_id: int) -> ResponseReturnValue:
    """On to the provider's page."""
    one = _own(attempt_id)
    if not told(one).go_on:
        return redirect(url_for("customer.payment", attempt_id=attempt_id))
    return render_template("customer/to_provider.html", url=one.redirect_url)


@blueprint.get("/payments/back")
@subscribers_only
def came_back() -> ResponseReturnValue:
    """Where providers send payers to, whatever has become of it: the provider is asked."""
    key = f"my-{request.args.get('form', '')}"
    customer_id = subscribers.me().customer_id
    one = online.payment_of_command(subscribers.context(), customer_id, key)
    known = parts.parts()
    online.ask(known.nobody, subscribers.payer(), known.gateways, one, known.clock)
    return redirect(url_for("customer.payment", attempt_id=one.attempt_id))


def told(one: PaymentView) -> Told:
    """What a customer is told of it."""
    amount = money(one.amount_micros, one.currency)
    if one.state.has_paid:
        return _told_paid(one, amount)
    if one.state is PaymentState.CANCELLED:
        text = "You left the payment page, or it has expired. Nothing was taken."
        if _is_asked_on_the_phone(one):
            text = "It was not confirmed on your phone in time. Nothing was taken."
        return Told(look="yellow", title="Not paid", text=text, try_again=True)
    if one.state is PaymentState.FAILED:
        reason = (one.reason or "the provider gave no reason").rstrip(".")
        return Told(
            look="red",
            title="Not paid",
            text=f"{reason[:1].upper()}{reason[1:]}. Nothing was taken.",
            todo=_declined(one),
            try_again=True,
        )
    return _told_open(one, amount)


def _told_paid(one: PaymentView, amount: str) -> Told:
    back, disputed = one.refunded_micros, one.charged_back_micros
    text = f"{amount} was paid. {_PAID[one.purpose]}"
    if back:
        text = f"{amount} was paid, {money(back, one.currency)} of it was given back."
    if disputed:
        text = (
            f"{amount} was paid, {money(disputed, one.currency)} of it was taken back by your bank."
        )
    return Told(look="yellow" if back or disputed else "green", title="Paid", text=text)


def _declined(one: PaymentView) -> str:
    """What the customer can do."""
    kind = one.decline or DeclineKind.SOFT
    elsewhere = _NO_CARD.get(MoneyChannel(one.channel), {}) if one.channel else {}
    return elsewhere.get(kind, _DECLINED[kind])


def _is_asked_on_the_phone(one: PaymentView) -> bool:
    return one.channel == MoneyChannel.MOBILE_MONEY and not one.redirect_url


def _told_open(one: PaymentView, amount: str) -> Told:
    if one.channel == MoneyChannel.DIRECT_DEBIT:
        return Told(
            look="yellow",
            title="On its way",
            text=f"{amount} is collected from your account by direct debit; you get a message with "
            "the day before. It counts when your bank has paid it.",
            lasting=False,
        )
    # Also of a number on file, which is asked each time.
    if _is_asked_on_the_phone(one):
        return Told(
            look="yellow",
            title="Confirm it on your phone",
            text=f"Your phone asks you for {amount}: confirm it there. This page tells you when it "
            "was paid, or how it ended.",
            todo="Does nothing come, see whether your number is right. Do not pay it again before "
            "this page says how it ended.",
            lasting=False,
        )
    if one.kind is PaymentKind.CHARGE:
        charged = "PayPal account" if one.channel == MoneyChannel.PAYPAL else "card"
        return Told(
            look="yellow",
            title="On its way",
            text=f"It is not known yet whether your {charged} was charged {amount}.",
            todo="We go on asking. Do not pay it again before this page says how it ended.",
            lasting=False,
        )
    if is_page(one.redirect_url):
        return Told(
            look="yellow",
            title="Not paid yet",
            text=f"If you have paid the {amount}, it takes a moment until we hear of it: this page "
            "tells you. Do not pay it again. If you have not, go on.",
            go_on=True,
            lasting=False,
        )
    if one.state is PaymentState.UNKNOWN or one.lookups:
        return Told(
            look="red",
            title="The payment page cannot be opened",
            text="The payment service gives no answer. Nothing was taken.",
            todo="Try again in some minutes, or pay in another way.",
            try_again=True,
            lasting=False,
        )
    return Told(
        look="yellow", title="One moment", text="The payment page is being opened.", lasting=False
    )


def _own(attempt_id: int) -> PaymentView:
    """Raises NotFound."""
    return online.payment(subscribers.payer(), subscribers.me().customer_id, attempt_id)


def _facts(attempt_id: int) -> dict[str, object]:
    one = _own(attempt_id)
    return {"payment": one, "told": told(one), "view": subscribers.view()}
