"""What a customer is told of a payment, and what to do then (rules P1, P7)."""

from __future__ import annotations

from dataclasses import dataclass

from billing.model.commerce import MoneyChannel
from billing.model.money import Money
from billing.model.payments import (
    DeclineKind,
    PaymentKind,
    PaymentPurpose,
    PaymentState,
    PaymentView,
)
from web.customer.fields import is_page
from web.formats import money
from web.language import sentence, words

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


def told(one: PaymentView) -> Told:
    """What a customer is told of it, in its language."""
    amount = money(one.amount_micros, one.currency)
    if one.state.has_paid:
        return _told_paid(one, amount)
    if one.kept is not None:
        return _told_kept(one, one.kept, amount)
    if one.state is PaymentState.CANCELLED:
        text = words("You left the payment page, or it has expired. Nothing was taken.")
        if _is_asked_on_the_phone(one):
            text = words("It was not confirmed on your phone in time. Nothing was taken.")
        return Told(look="yellow", title=words("Not paid"), text=text, try_again=True)
    if one.state is PaymentState.FAILED:
        reason = sentence(one.reason or "the provider gave no reason").rstrip(".")
        return Told(
            look="red",
            title=words("Not paid"),
            text=words("{reason}. Nothing was taken.", reason=reason),
            todo=words(_declined(one)),
            try_again=True,
        )
    return _told_open(one, amount)


def _told_kept(one: PaymentView, came: Money, amount: str) -> Told:
    """Something else came than what was asked for: whoever pays again pays twice."""
    return Told(
        look="yellow",
        title=words("We have your money"),
        text=words(
            "{came} came, and {amount} was asked for, so nothing was bought or credited with it "
            "yet. We have got it and keep it for you.",
            came=money(came.amount_micros, came.currency),
            amount=amount,
        ),
        todo=words(
            "Do not pay again: call us, and tell us the number of the payment, {number}.",
            number=str(one.attempt_id),
        ),
    )


def _told_paid(one: PaymentView, amount: str) -> Told:
    back, disputed = one.refunded_micros, one.charged_back_micros
    text = f"{words('{amount} was paid.', amount=amount)} {words(_PAID[one.purpose])}"
    if back:
        text = words(
            "{amount} was paid, {back} of it was given back.",
            amount=amount,
            back=money(back, one.currency),
        )
    if disputed:
        text = words(
            "{amount} was paid, {back} of it was taken back by your bank.",
            amount=amount,
            back=money(disputed, one.currency),
        )
    return Told(look="yellow" if back or disputed else "green", title=words("Paid"), text=text)


def _declined(one: PaymentView) -> str:
    """What the customer can do."""
    kind = one.decline or DeclineKind.SOFT
    elsewhere = _NO_CARD.get(MoneyChannel(one.channel), {}) if one.channel else {}
    return elsewhere.get(kind, _DECLINED[kind])


def _is_asked_on_the_phone(one: PaymentView) -> bool:
    return one.channel == MoneyChannel.MOBILE_MONEY and not one.redirect_url


def _told_open(one: PaymentView, amount: str) -> Told:
    if one.channel == MoneyChannel.DIRECT_DEBIT:
        return _waits(
            "On its way",
            "{amount} is collected from your account by direct debit; you get a message with the "
            "day before. It counts when your bank has paid it.",
            amount,
        )
    # Also of a number on file, which is asked each time.
    if _is_asked_on_the_phone(one):
        return _waits(
            "Confirm it on your phone",
            "Your phone asks you for {amount}: confirm it there. This page tells you when it was "
            "paid, or how it ended.",
            amount,
            todo="Does nothing come, see whether your number is right. Do not pay it again before "
            "this page says how it ended.",
        )
    if one.kind is PaymentKind.CHARGE:
        return _waits(
            "On its way",
            "It is not known yet whether your PayPal account was charged {amount}."
            if one.channel == MoneyChannel.PAYPAL
            else "It is not known yet whether your card was charged {amount}.",
            amount,
            todo="We go on asking. Do not pay it again before this page says how it ended.",
        )
    if is_page(one.redirect_url):
        return _waits(
            "Not paid yet",
            "If you have paid the {amount}, it takes a moment until we hear of it: this page tells "
            "you. Do not pay it again. If you have not, go on.",
            amount,
            go_on=True,
        )
    if one.state is PaymentState.UNKNOWN or one.lookups:
        return Told(
            look="red",
            title=words("The payment page cannot be opened"),
            text=words("The payment service gives no answer. Nothing was taken."),
            todo=words("Try again in some minutes, or pay in another way."),
            try_again=True,
            lasting=False,
        )
    return _waits("One moment", "The payment page is being opened.", amount)


def _waits(title: str, text: str, amount: str, *, todo: str = "", go_on: bool = False) -> Told:
    """Its outcome is still to come."""
    return Told(
        look="yellow",
        title=words(title),
        text=words(text, amount=amount),
        todo=words(todo) if todo else "",
        go_on=go_on,
        lasting=False,
    )
