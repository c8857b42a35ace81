"""Who logs in: a further subscription, a new password (rules A1, A2)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from wtforms import BooleanField, Field, SelectField, StringField
from wtforms.fields.choices import SelectChoice

from billing.model.views import CustomerView
from billing.services import catalog, customers
from billing.services.context import Context
from web import parts
from web.admin.customers.access import ERRORS_AT, AccessFields
from web.admin.customers.frame import ActionForm, action
from web.admin.customers.service import SubscriptionForm
from web.formats import money, plan_words
from web.forms import needed
from web.guards import CASHIERS

PASSWORD_OCTETS = 9
_KEPT = "A random one stands here. Note it now: it is stored encrypted and not shown again."


class AddedForm(AccessFields, ActionForm):
    """One more of the same customer."""

    username = StringField("User name", [needed], render_kw={"autocapitalize": "none"})
    password = StringField(
        "Password",
        [needed],
        description=_KEPT,
        render_kw={"autocapitalize": "none", "spellcheck": "false"},
    )
    plan = SelectField(
        "Plan",
        coerce=int,
        default=0,
        description="A monthly customer is billed for it; a daily one still has to buy.",
    )
    profile = SelectField(
        "Billing profile",
        coerce=int,
        default=0,
        description="One of its own bills and suspends this subscription by its own rules.",
    )
    own_wallet = BooleanField(
        "With a wallet of its own", description="Else it is paid from the customer's."
    )

    def shown(self) -> list[Field]:
        """Who it is first, then what limits it."""
        return sorted(super().shown(), key=lambda one: hasattr(AccessFields, one.name))

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """A password that nobody knows, every plan on sale."""
        self.choose_nas(context)
        self.plan.choices = [
            SelectChoice(0, "none yet"),
            *(
                SelectChoice(view.plan_id, plan_words(view))
                for view in catalog.list_plans(context, parts.now())
            ),
        ]
        self.profile.choices = [
            SelectChoice(0, f"the customer's: {customer.profile_name}"),
            *(
                SelectChoice(view.profile_id, view.profile.name)
                for view in catalog.list_profiles(context)
            ),
        ]
        if fresh:
            self.password.data = secrets.token_urlsafe(PASSWORD_OCTETS)


@action(
    "subscription",
    "Add a subscription",
    AddedForm,
    CASHIERS,
    quoted=True,
    errors_at=ERRORS_AT,
)
def subscription(context: Context, customer: CustomerView, form: AddedForm) -> Sequence[str]:
    """Added; who is billed in advance gets the bill with it."""
    customers.add_subscription(
        context,
        customer_id=customer.customer_id,
        username=form.username.data,
        password=form.password.data,
        plan_id=form.plan.data or None,
        profile_id=form.profile.data or None,
        own_wallet=form.own_wallet.data,
        now=parts.now(),
        **form.access(),
    )
    wallet = customers.get_customer(context, customer.customer_id).wallets[0]
    return [
        f"{form.username.data} is added, with the password of the form.",
        f"The customer's wallet has {money(wallet.available_micros, wallet.currency)} available.",
    ]


class PasswordForm(SubscriptionForm):
    """In the place of the one before."""

    password = StringField(
        "New password",
        [needed],
        description=_KEPT,
        render_kw={"autocapitalize": "none", "spellcheck": "false"},
    )

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """One that nobody knows."""
        super().prepare(context, customer, fresh=fresh)
        if fresh:
            self.password.data = secrets.token_urlsafe(PASSWORD_OCTETS)


@action(
    "password",
    "New password",
    PasswordForm,
    CASHIERS,
    hint="Sessions that run go on; the next login needs it.",
)
def password(context: Context, customer: CustomerView, form: PasswordForm) -> Sequence[str]:
    """Replaced."""
    customers.set_password(context, form.subscription.data, form.password.data, parts.now())
    return ["The password was replaced."]
