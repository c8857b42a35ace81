"""Payments: the list of all money that came in, and one payment by a gateway (rules P1, M5)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import BooleanField, HiddenField, TextAreaField

from billing.errors import Conflict, InvalidInput, NotFound, Refused, TollwayError
from billing.model.commerce import MoneyChannel
from billing.model.money_in import RECEIVED, MoneyPlace, MoneyUsed
from billing.model.payments import PaymentHistory, PaymentState, PaymentView
from billing.services import money_list, payment_calls, payment_cancel, payments
from billing.services.context import Context
from web import parts
from web.admin import blueprint
from web.formats import money
from web.forms import AmountField, needed
from web.guards import CASHIERS, DESK, EVERYONE, staff_only
from web.once import OnceForm, send

PAGE_ROWS = 50
STATES = (RECEIVED, *(state.value for state in PaymentState))
_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2999, 12, 31)


@dataclass(frozen=True, slots=True)
class Filter:
    """What the address asks for; empty: anything."""

    text: str
    state: str
    channel: str
    day: str
    customer_id: int | None


class AskForm(FlaskForm):
    """Nothing but its CSRF token."""


class RetryForm(FlaskForm):
    """Its command's key: sent twice, it is begun once."""

    key = HiddenField(default=lambda: secrets.token_hex(16))


class RefundForm(OnceForm):
    """How much, and why."""

    amount = AmountField("Amount", description="Empty: all that is left of the payment.")
    reason = TextAreaField(
        "Reason", [needed], description="It stays on record.", render_kw={"rows": 2}
    )
    even_if_spent = BooleanField(
        "Even if it is spent", description="The wallet may fall below zero: the customer owes it."
    )


@blueprint.get("/payments", endpoint="payments")
@staff_only(EVERYONE)
def payments_page() -> ResponseReturnValue:
    """By `q`, `state`, `channel`, local `day` and `customer`; newest first, from the place `before`
    on."""
    asked = Filter(
        *(request.args.get(name, "").strip() for name in ("q", "state", "channel", "day")),
        request.args.get("customer", type=int),
    )
    page = None
    try:
        page = money_list.search(
            parts.context(),
            text=asked.text,
            states=_one_of(asked.state, STATES, "state"),
            channel=next(iter(_one_of(asked.channel, tuple(MoneyChannel), "channel")), None),
            customer_id=asked.customer_id,
            day=_asked_day(asked.day),
            before=_asked_place(request.args.get("before")),
            limit=PAGE_ROWS,
        )
    except InvalidInput as error:
        flash(f"{error.message[:1].upper()}{error.message[1:]}.", "danger")
    return render_template(
        "admin/payments.html", page=page, asked=asked, states=STATES, channels=list(MoneyChannel)
    ), 200 if page else 422


@blueprint.get("/payments/<int:number>")
@staff_only(EVERYONE)
def payment(number: int) -> ResponseReturnValue:
    """One by a gateway, with all that became of it."""
    found = payments.history(parts.context(), number)
    return render_template(
        "admin/payment.html",
        one=found.payment,
        used=_used(found.payment),
        told=_told(found),
        form=AskForm(),
        again=RetryForm(),
        on_its_way=sum(one.amount_micros for one in found.reversals if one.state.is_open),
    )


@blueprint.post("/payments/<int:number>/look-up")
@staff_only(DESK)
def payment_look_up(number: int) -> ResponseReturnValue:
    """Its provider is asked at once what has become of it."""

    def ask(context: Context) -> PaymentView:
        found = payments.ask_again(context, number, parts.now())
        known = parts.parts()
        payment_calls.carry_out(context, known.gateways, found.customer_id, number, known.clock)
        return payments.history(context, number).payment

    return _asked(number, ask, "The provider says: {}.")


@blueprint.post("/payments/<int:number>/cancel", endpoint="payment_cancel")
@staff_only(CASHIERS)
def cancelled(number: int) -> ResponseReturnValue:
    """Taken back before anybody has paid; where somebody has, it is credited."""

    def ask(context: Context) -> PaymentView:
        known = parts.parts()
        return payment_cancel.cancel(context, known.gateways, number, known.clock)

    return _asked(number, ask, "The payment is {}.")


@blueprint.post("/payments/<int:number>/retry")
@staff_only(CASHIERS)
def payment_retry(number: int) -> ResponseReturnValue:
    """One that has failed or was cancelled is begun anew, once from each page that shows it."""
    form = RetryForm()
    if form.validate_on_submit():
        context, known = parts.context(), parts.parts()
        try:
            made = payments.retry(
                context, number, idempotency_key=form.key.data or "", now=parts.now()
            )
            payment_calls.carry_out(
                context, known.gateways, made.customer_id, made.attempt_id, known.clock
            )
        except (InvalidInput, NotFound, Refused, Conflict) as error:
            flash(_sentence(error), "danger")
        else:
            flash("Begun anew, as a payment of its own.", "success")
            return redirect(url_for("admin.payment", number=made.attempt_id))
    return redirect(url_for("admin.payment", number=number))


@blueprint.route("/payments/<int:number>/refund", methods=["GET", "POST"])
@staff_only(CASHIERS)
def payment_refund(number: int) -> ResponseReturnValue:
    """All of it or a part, by the way it came; what it does is shown first."""
    context, form = parts.context(), RefundForm()
    one = payments.history(context, number).payment
    form.amount.currency = one.currency
    sent = send(
        context,
        form,
        lambda within: _refund(within, one, form),
        quoted=True,
    )
    if sent.done:
        return redirect(url_for("admin.payment", number=number))
    page = render_template("admin/payment_refund.html", form=form, one=one, quote=sent.quote)
    return page, 422 if form.errors else 200


def state_words(one: PaymentView) -> str:
    """`partly refunded`, with the reason where there is one."""
    words = one.state.value.replace("_", " ")
    return f"{words} ({one.reason})" if one.reason else words


def _used(one: PaymentView) -> MoneyUsed | None:
    if one.payment_id is None:
        return None
    return money_list.used(parts.context(), one.customer_id, one.payment_id)


def _refund(context: Context, one: PaymentView, form: RefundForm) -> Sequence[str]:
    made = payments.refund(
        context,
        one.attempt_id,
        reason=form.reason.data,
        idempotency_key=form.key.data,
        now=parts.now(),
        amount_micros=form.amount.data,
        even_if_spent=form.even_if_spent.data,
    )
    given = money(made.amount_micros, made.currency)
    return [
        f"{given} leaves the wallet of {one.customer_name} at once.",
        f"{one.gateway or 'The gateway'} is asked to give it back by the way it came.",
    ]


def _asked(number: int, ask: Callable[[Context], PaymentView], words: str) -> ResponseReturnValue:
    if AskForm().validate_on_submit():
        try:
            one = ask(parts.context())
        except (InvalidInput, NotFound, Refused) as error:
            flash(_sentence(error), "danger")
        else:
            flash(words.format(state_words(one)), "success" if not one.state.is_open else "info")
    return redirect(url_for("admin.payment", number=number))


def _told(found: PaymentHistory) -> list[tuple[datetime, str, str]]:
    """What became of it, oldest first: when, what, and by whom or why."""
    one = found.payment
    told = [(one.created_at, "Begun", one.requested_by)]
    if one.sent_at is not None:
        told.append((one.sent_at, "Sent to the provider", one.gateway))
    told += [
        (event.received_at, f"The provider told: {event.kind}",
         " · ".join(filter(None, (event.outcome.value.replace("_", " "), event.detail))))
        for event in found.events
    ]  # fmt: skip
    for back in found.reversals:
        amount = money(back.amount_micros, back.currency)
        words = f"{back.kind.value.capitalize()} of {amount}"
        told.append((back.created_at, words, f"{back.requested_by}: {back.reason}"))
        if back.settled_at is not None:
            told.append((back.settled_at, f"{words}: {back.state.value}", back.provider_ref or ""))
    if one.settled_at is not None:
        first = one.state.has_paid
        told.append((one.settled_at, "The money came" if first else state_words(one), ""))
    return sorted(told, key=lambda line: line[0])


def _one_of(text: str, known: Sequence[str], name: str) -> Sequence[str]:
    if text and text not in known:
        raise InvalidInput(f"there is no such {name}: choose one of the list", field=name)
    return (text,) if text else ()


def _asked_day(text: str) -> date | None:
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = date.min
    if not _FIRST_DAY <= found < _LAST_DAY:
        raise InvalidInput("not a day: write it like 2026-03-01", field="day")
    return found


def _asked_place(text: str | None) -> MoneyPlace | None:
    try:
        return MoneyPlace.parse(text) if text else None
    except ValueError:
        raise InvalidInput("not a place in the list: begin at its top", field="before") from None


def _sentence(error: TollwayError) -> str:
    return f"{error.message[:1].upper()}{error.message[1:]}."
