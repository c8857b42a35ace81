"""A voucher is redeemed for a customer at the desk (rule R3)."""

from __future__ import annotations

from collections.abc import Sequence

from wtforms import SelectField, StringField
from wtforms.fields.choices import SelectChoice

from billing.model.views import CustomerView
from billing.model.vouchers import serial_text
from billing.services import voucher_redeem
from billing.services.context import Context
from web import parts
from web.admin.customers.frame import ActionForm, action
from web.admin.customers.service import subscription_choices
from web.formats import money
from web.forms import needed
from web.guards import CASHIERS

_AS_PRINTED = {"autocapitalize": "characters", "spellcheck": "false"}


class RedeemForm(ActionForm):
    """What is printed on the card."""

    code = StringField(
        "Code",
        [needed],
        description="As it is printed; blanks, hyphens and small letters do not matter.",
        render_kw=_AS_PRINTED,
    )
    password = StringField(
        "Password", description="Only where one is printed beside the code.", render_kw=_AS_PRINTED
    )
    subscription = SelectField("For", coerce=int, default=0)

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """Subscriptions that are open."""
        self.subscription.choices = [
            SelectChoice(0, "its only subscription, or the wallet"),
            *subscription_choices(context, customer),
        ]


@action(
    "redeem",
    "Redeem a voucher",
    RedeemForm,
    CASHIERS,
    hint="Money goes to the wallet and pays open bills; a package begins as if it were bought.",
)
def redeem(context: Context, customer: CustomerView, form: RedeemForm) -> Sequence[str]:
    """Redeemed, or said why not."""
    done = voucher_redeem.redeem(
        context,
        form.code.data,
        customer.customer_id,
        source=context.actor,
        idempotency_key=form.key.data,
        now=parts.now(),
        password=form.password.data or "",
        subscription_id=form.subscription.data or None,
        known=True,
    )
    worth = done.plan_name or money(done.face_micros, done.currency)
    said = [
        f"Voucher {serial_text(done.serial)} is redeemed: {worth}. "
        f"In the wallet: {money(done.available_micros, done.currency)}."
    ]
    if done.receipt_number:
        said.append(f"Receipt {done.receipt_number}.")
    if done.repeated:
        said.append("It had been redeemed already by this form; nothing was given twice.")
    return said
