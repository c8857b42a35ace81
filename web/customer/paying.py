"""Paying by a gateway: into the wallet, a bill, a prepayment invoice (rules P1, P4, P5, B8, M5).

What is begun is stored first, and its provider is called at once. A form must not lead to another
site by itself (the browsers' form-action), so a page here does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import HiddenField

from billing.errors import Conflict, InvalidInput, NotFound, Refused, TollwayError
from billing.model.money import Money
from billing.model.payments import PaymentState, PaymentView
from billing.services import documents, online, payments, prepayments
from billing.services.online import Ways
from web import parts, subscribers
from web.customer import blueprint
from web.customer.fields import OwnMoneyField, PayForm
from web.formats import money
from web.forms import needed, show_errors
from web.guards import subscribers_only
from web.language import words


class TopUpForm(PayForm):
    """`currency`: what the amount was typed in."""

    currency = HiddenField()
    amount = OwnMoneyField("Amount", [needed], render_kw={"inputmode": "decimal"})


class DueForm(PayForm):
    """`due`: the amount that was shown, in micros."""

    due = HiddenField()


@dataclass(frozen=True, slots=True)
class _Chosen:
    """How somebody wants to pay, checked."""

    gateway_id: int
    method_id: int | None
    keep: bool
    key: str
    return_url: str


@blueprint.route("/topup", methods=["GET", "POST"])
@subscribers_only
def top_up() -> ResponseReturnValue:
    """Into the wallet of the subscription that is logged in."""
    view, me = subscribers.view(), subscribers.me()
    ways = _ways()
    form = TopUpForm()
    form.offer(ways)
    advice = online.advice(subscribers.payer(), view)

    def begin(chosen: _Chosen) -> PaymentView:
        if form.currency.data != view.wallet.currency:
            raise InvalidInput(
                f"your wallet is in {view.wallet.currency}: open this page again", field="amount"
            )
        return payments.top_up(
            subscribers.payer(),
            me.customer_id,
            chosen.gateway_id,
            int(form.amount.data or 0),
            idempotency_key=chosen.key,
            now=parts.now(),
            wallet_id=view.wallet.wallet_id,
            method_id=chosen.method_id,
            saves_method=chosen.keep,
            return_url=chosen.return_url,
        )

    if form.validate_on_submit() and (begun := _begun(form, ways, begin)) is not None:
        return redirect(begun)
    if not form.is_submitted():
        form.amount.data = _wanted(request.args.get("amount")) or advice.recommended_micros or None
    form.renew_key()
    form.currency.data = view.wallet.currency
    page = render_template(
        "customer/topup.html",
        form=form,
        view=view,
        advice=advice,
        ways=ways,
        unfinished=_unfinished(),
    )
    return page, 422 if form.errors else 200


@blueprint.route("/bills/<int:invoice_id>/card", methods=["GET", "POST"])
@subscribers_only
def pay_bill_online(invoice_id: int) -> ResponseReturnValue:
    """All that is open of it; or as much as the form said, which must be the same."""
    me = subscribers.me()
    bill = documents.by_id(subscribers.context(), me.customer_id, invoice_id)
    due = Money(bill.open_micros, bill.currency)

    def begin(chosen: _Chosen, form: DueForm) -> PaymentView:
        with subscribers.payer().together() as joined:
            made = payments.pay_bill(
                joined,
                bill.number,
                chosen.gateway_id,
                idempotency_key=chosen.key,
                now=parts.now(),
                customer_id=me.customer_id,
                method_id=chosen.method_id,
                saves_method=chosen.keep,
                return_url=chosen.return_url,
            )
            _check_shown(form, made)
        return made

    return _pay(words("Pay {number}", number=bill.number), due, begin)


@blueprint.route("/prepayments/<int:prepayment_id>/card", methods=["GET", "POST"])
@subscribers_only
def pay_prepayment(prepayment_id: int) -> ResponseReturnValue:
    """The whole of it."""
    me = subscribers.me()
    asked = prepayments.invoice_of(subscribers.context(), me.customer_id, prepayment_id)
    is_open = asked.state == "open"
    due = Money(asked.amount_micros if is_open else 0, asked.currency)

    def begin(chosen: _Chosen, form: DueForm) -> PaymentView:
        return payments.pay_prepayment(
            subscribers.payer(),
            me.customer_id,
            prepayment_id,
            chosen.gateway_id,
            idempotency_key=chosen.key,
            now=parts.now(),
            method_id=chosen.method_id,
            saves_method=chosen.keep,
            return_url=chosen.return_url,
        )

    return _pay(words("Pay {number}", number=asked.number), due, begin)


def _pay(
    title: str, due: Money, begin: Callable[[_Chosen, DueForm], PaymentView]
) -> ResponseReturnValue:
    """The page of something whose amount stands. `due` 0: nothing is open."""
    ways = _ways()
    form = DueForm()
    form.offer(ways)
    if form.validate_on_submit():
        begun = _begun(form, ways, lambda chosen: begin(chosen, form))
        if begun is not None:
            return redirect(begun)
    elif not due.amount_micros:
        return redirect(url_for("customer.bills"))
    form.renew_key()
    form.due.data = str(due.amount_micros)
    page = render_template(
        "customer/pay_online.html",
        title=title,
        due=due,
        form=form,
        ways=ways,
        unfinished=_unfinished(),
    )
    return page, 422 if form.errors else 200


def _unfinished() -> list[PaymentView]:
    """What the customer might pay a second time by mistake."""
    return payments.listed(
        subscribers.context(),
        customer_id=subscribers.me().customer_id,
        states=[state for state in PaymentState if state.is_open],
        limit=3,
    )


def _ways() -> Ways:
    known = parts.parts()
    return online.ways(subscribers.payer(), known.gateways, subscribers.me().customer_id)


def _begun(form: PayForm, ways: Ways, begin: Callable[[_Chosen], PaymentView]) -> str | None:
    """Begin it and call the provider: the address to go on to; None: the form says why not."""
    try:
        gateway_id, method_id = form.chosen(ways)
        key = form.command_key()
        chosen = _Chosen(
            gateway_id,
            method_id,
            form.keeps(ways, gateway_id, method_id),
            key,
            url_for("customer.came_back", form=form.key.data, _external=True),
        )
        online.check_open(subscribers.payer(), subscribers.me().customer_id)
        made = begin(chosen)
    except (InvalidInput, Conflict, NotFound, Refused) as error:
        _refuse(form, error)
        return None
    known = parts.parts()
    online.call(known.nobody, subscribers.payer(), known.gateways, made, known.clock)
    made = online.payment(subscribers.context(), made.customer_id, made.attempt_id)
    endpoint = "customer.to_provider" if made.state.is_open and made.redirect_url else ""
    return url_for(endpoint or "customer.payment", attempt_id=made.attempt_id)


def _refuse(form: PayForm, error: TollwayError) -> None:
    if error.field == "idempotency_key":
        form.form_errors.append(
            "This form was sent before, with something else in it. Look at your payments before "
            "you send it again."
        )
    else:
        show_errors(form, error, {"method": "way", "gateway": "way"})


def _check_shown(form: DueForm, made: PaymentView) -> None:
    """Raises Refused: something else is open now than what was shown."""
    if form.due.data != str(made.amount_micros):
        open_now = money(made.amount_micros, made.currency)
        raise Refused(f"{open_now} is open now. Look at it again; nothing was begun.")


def _wanted(text: str | None) -> int | None:
    """An amount in micros that another page asks for."""
    known = bool(text) and str(text).isascii() and str(text).isdecimal() and len(str(text)) <= 15
    return int(str(text)) if known else None
