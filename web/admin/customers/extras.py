"""Charges and discounts that bills carry beside the plan (rule I1)."""

from __future__ import annotations

from collections.abc import Sequence

from wtforms import DateField, RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Optional

from billing.errors import InvalidInput
from billing.model.charges import ChargeKind, Extra
from billing.model.views import CustomerView
from billing.services import charges
from billing.services.context import Context
from web import parts
from web.admin.customers.frame import ActionForm, action, request_argument
from web.admin.customers.service import subscription_choices
from web.formats import day, extra_words
from web.forms import MoneyField, OwnPercentField, PercentField, needed
from web.guards import CASHIERS

_ERRORS_AT = {
    "price": "price_micros",
    "percent": "discount_ppm",
    "tax_percent": "tax_rate_ppm",
    "charge": "charge",
}


class _ExtraForm(ActionForm):
    """What both have."""

    subscription = SelectField("Subscription", coerce=int)
    text = StringField("Text", [needed], description="What the bill says.")
    starts_on = DateField("From", [Optional()], description="Empty: today.")
    ends_on = DateField(
        "Until",
        [Optional()],
        description="The day after its last one; empty: until it is ended.",
    )

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """The customer's subscriptions."""
        self.subscription.choices = subscription_choices(context, customer)


class ChargeForm(_ExtraForm):
    """A price a month, or once."""

    kind = RadioField(
        "Billed",
        choices=[
            SelectChoice(ChargeKind.RECURRING.value, "Every month, by the day"),
            SelectChoice(ChargeKind.ONE_OFF.value, "Once, on its first day"),
        ],
        default=ChargeKind.RECURRING.value,
    )
    price_micros = MoneyField("Price", [needed])
    tax_rate_ppm = OwnPercentField(
        "Tax rate", description="Percent, like 7.5; empty: the billing profile's (I1)."
    )


class DiscountForm(_ExtraForm):
    """A share of the plan's price."""

    discount_ppm = PercentField("Percent off the plan's price", [needed])


@action("charge", "Add a charge", ChargeForm, CASHIERS, errors_at=_ERRORS_AT)
def charge(context: Context, customer: CustomerView, form: ChargeForm) -> Sequence[str]:
    """A charge."""
    extra = charges.add_charge(
        context,
        form.subscription.data,
        ChargeKind(form.kind.data),
        form.text.data,
        parts.now(),
        price_micros=form.price_micros.data,
        tax_rate_ppm=form.tax_rate_ppm.data,
        starts_on=form.starts_on.data,
        ends_on=form.ends_on.data,
        idempotency_key=form.key.data,
    )
    return _added(extra)


@action("discount", "Add a discount", DiscountForm, CASHIERS, errors_at=_ERRORS_AT)
def discount(context: Context, customer: CustomerView, form: DiscountForm) -> Sequence[str]:
    """A discount."""
    extra = charges.add_charge(
        context,
        form.subscription.data,
        ChargeKind.DISCOUNT,
        form.text.data,
        parts.now(),
        discount_ppm=form.discount_ppm.data,
        starts_on=form.starts_on.data,
        ends_on=form.ends_on.data,
        idempotency_key=form.key.data,
    )
    return _added(extra)


class EndForm(ActionForm):
    """Which, and when."""

    charge = SelectField("Charge or discount", coerce=int)
    on = DateField(
        "Ends on",
        [Optional()],
        description="The first day without it. Days that are billed already stay billed.",
    )

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """Those that have no end."""
        found = charges.charges_of_customer(context, customer.customer_id)
        self.charge.choices = [
            SelectChoice(one.charge_id, f"{one.text}: {extra_words(one)}")
            for one in found
            if one.ends_on is None
        ]
        if fresh and (wanted := request_argument("charge")) and wanted.isdecimal():
            self.charge.data = int(wanted)


@action("end-charge", "End a charge or a discount", EndForm, CASHIERS)
def end(context: Context, customer: CustomerView, form: EndForm) -> Sequence[str]:
    """Ended."""
    if form.on.data is None:
        raise InvalidInput("must be filled in", field="on")
    (wanted,) = (
        one
        for one in charges.charges_of_customer(context, customer.customer_id)
        if one.charge_id == form.charge.data
    )
    extra = charges.end_charge(
        context, wanted.subscription_id, wanted.charge_id, form.on.data, parts.now()
    )
    return [f"{extra.text} ends: {day(form.on.data)} is the first day without it."]


def _added(extra: Extra) -> list[str]:
    said = [f"{extra.text}: {extra_words(extra)} from {day(extra.starts_on)} on the next bills."]
    if extra.repeated:
        said.append("It had been added already by this form; nothing was added twice.")
    return said
