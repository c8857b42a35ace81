"""Money by a gateway: a page to pay at, a card that is charged, a card that goes (rules P1, M5)."""

from __future__ import annotations

from collections.abc import Sequence

from flask import url_for
from markupsafe import Markup
from wtforms import BooleanField, SelectField
from wtforms.fields.choices import SelectChoice

from billing.errors import InvalidInput
from billing.model.payments import PaymentState, PaymentView
from billing.model.views import CustomerView
from billing.services import (
    auto_recharge,
    customer_record,
    gateways,
    payment_calls,
    payments,
    prepayments,
)
from billing.services import methods as methods_on_file
from billing.services.context import Context
from web import parts
from web.admin.customers.frame import ActionForm, Facts, action, card, request_argument
from web.admin.customers.money import bill_words
from web.formats import money
from web.forms import MoneyField
from web.guards import CASHIERS, DESK, SHOPKEEPERS

_ERRORS_AT = {"amount": "amount_micros", "invoice": "bill", "payment": "amount_micros"}
_OPEN = [state for state in PaymentState if state.is_open]
_SHOWN = 5


@card(
    "funding",
    "Cards and recharge",
    place="right",
    actions=("checkout", "charge-card", "recharge", "prepay", "mandate"),
)
def funding(context: Context, customer: CustomerView) -> Facts:
    """What is on file, how wallets recharge themselves, and what is on its way."""
    return {
        "methods": methods_on_file.looked_up(context, customer.customer_id, parts.now()),
        "prepaid": prepayments.settings(context, customer.customer_id),
        "asked": [
            one
            for one in prepayments.invoices_of(context, customer.customer_id)
            if one.state == "open"
        ],
        "recharges": auto_recharge.settings(context, customer.customer_id),
        "on_its_way": payments.listed(
            context, customer_id=customer.customer_id, states=_OPEN, limit=_SHOWN
        ),
    }


class _PayForm(ActionForm):
    """For what, and how much."""

    bill = SelectField("For", default="")
    amount_micros = MoneyField("Amount", description="For the wallet; empty where a bill is paid.")

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """The wallet, and every bill with something left to pay."""
        found = customer_record.open_bills(context, customer.customer_id, parts.now())
        self.bill.choices = [
            SelectChoice("", "The wallet: pays open bills, oldest first; the rest is credit"),
            *(SelectChoice(one.bill.number, bill_words(one)) for one in found),
        ]
        if fresh:
            self.bill.data = request_argument("bill") or ""


class CheckoutForm(_PayForm):
    """By which gateway."""

    gateway = SelectField("By", coerce=int)
    saves_method = BooleanField(
        "Keep the card on file", description="Only where the wallet is topped up."
    )

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """Those that serve the customer."""
        super().prepare(context, customer, fresh=fresh)
        self.gateway.choices = [
            SelectChoice(one.gateway_id, one.name)
            for one in gateways.serving(context, customer.org_id)
        ]


@action(
    "checkout",
    "Payment link",
    CheckoutForm,
    DESK | SHOPKEEPERS,
    hint="A page of the provider where the customer pays; nothing is credited before.",
    errors_at=_ERRORS_AT,
)
def checkout(context: Context, customer: CustomerView, form: CheckoutForm) -> Sequence[str]:
    """Begun, and the provider's page asked for."""
    if form.bill.data and form.saves_method.data:
        raise InvalidInput("choose the wallet for that", field="saves_method")
    made = _begin(context, customer, form, form.gateway.data, saves=form.saves_method.data)
    one = _called(context, made)
    if one.redirect_url and one.state.is_open:
        return [_linked(one, "the customer pays at {}", one.redirect_url)]
    return [_linked(one, "{}", _state_words(one))]


class ChargeForm(_PayForm):
    """Which card."""

    method = SelectField("Card on file", coerce=int)

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """All that the customer has."""
        super().prepare(context, customer, fresh=fresh)
        self.method.choices = _method_choices(context, customer)


@action(
    "charge-card",
    "Charge a card",
    ChargeForm,
    CASHIERS,
    hint="At once, while the customer is away; only as the customer has agreed.",
    errors_at=_ERRORS_AT,
)
def charge_card(context: Context, customer: CustomerView, form: ChargeForm) -> Sequence[str]:
    """Charged, or declined, or asked for until the outcome is known."""
    chosen = next(
        one
        for one in methods_on_file.of_customer(context, customer.customer_id)
        if one.method_id == form.method.data
    )
    made = _begin(context, customer, form, chosen.gateway_id, method_id=chosen.method_id)
    one = _called(context, made)
    return [_linked(one, "{}", _state_words(one))]


class RemoveForm(ActionForm):
    """Which."""

    method = SelectField("Card on file", coerce=int)

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """All that the customer has."""
        self.method.choices = _method_choices(context, customer)
        chosen = request_argument("method")
        if fresh and chosen and chosen.isdecimal():
            self.method.data = int(chosen)


@action(
    "remove-card",
    "Remove a card",
    RemoveForm,
    CASHIERS,
    hint="It is charged no more; what recharges itself from it pauses when it is next due.",
)
def remove_card(context: Context, customer: CustomerView, form: RemoveForm) -> Sequence[str]:
    """Gone."""
    methods_on_file.remove(context, customer.customer_id, form.method.data, parts.now())
    return ["The card was removed."]


def _begin(
    context: Context,
    customer: CustomerView,
    form: _PayForm,
    gateway_id: int,
    *,
    method_id: int | None = None,
    saves: bool = False,
) -> PaymentView:
    """Stored; its provider knows nothing yet. Raises InvalidInput, NotFound, Refused, Conflict."""
    now, amount_micros = parts.now(), form.amount_micros.data
    if form.bill.data:
        if amount_micros is not None:
            raise InvalidInput("leave it empty: all that is open of the bill", field="amount")
        return payments.pay_bill(
            context,
            form.bill.data,
            gateway_id,
            idempotency_key=form.key.data,
            now=now,
            customer_id=customer.customer_id,
            method_id=method_id,
            return_url=context.portal_url,
        )
    if amount_micros is None:
        raise InvalidInput("must be filled in", field="amount")
    return payments.top_up(
        context,
        customer.customer_id,
        gateway_id,
        amount_micros,
        idempotency_key=form.key.data,
        now=now,
        method_id=method_id,
        saves_method=saves,
        return_url=context.portal_url,
    )


def _called(context: Context, made: PaymentView) -> PaymentView:
    """Its provider is called at once; where the worker was faster, that is seen."""
    known = parts.parts()
    payment_calls.carry_out(context, known.gateways, made.customer_id, made.attempt_id, known.clock)
    return payments.history(context, made.attempt_id).payment


def _linked(one: PaymentView, words: str, value: str) -> str:
    link = url_for("admin.payment", number=one.attempt_id)
    begun = Markup('<a href="{}">Payment {}</a> of {}: ').format(
        link, one.attempt_id, money(one.amount_micros, one.currency)
    )
    return begun + words.format(value)


def _state_words(one: PaymentView) -> str:
    if one.state.is_open:
        return "the provider has not said yet what came of it; it is asked until it does"
    return one.state.value.replace("_", " ") + (f", {one.reason}" if one.reason else "")


def _method_choices(context: Context, customer: CustomerView) -> list[SelectChoice]:
    return [
        SelectChoice(one.method_id, one.label)
        for one in methods_on_file.of_customer(context, customer.customer_id)
    ]
