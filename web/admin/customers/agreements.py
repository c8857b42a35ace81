"""What is agreed about paying: promise, last day, another profile (rules B6, B14, B15, B19)."""

from __future__ import annotations

from collections.abc import Sequence

from wtforms import BooleanField, DateField, SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Optional

from billing.errors import InvalidInput
from billing.model.views import CustomerView
from billing.services import agreements, catalog, moves
from billing.services.context import Context
from web import parts
from web.admin.customers.frame import ActionForm, action
from web.admin.customers.limits import WalletForm
from web.admin.customers.money import credit_words
from web.formats import day, money
from web.forms import MoneyField
from web.guards import CASHIERS, DESK


class PromiseForm(WalletForm):
    """Until when, or not any more; what is lent to a wallet."""

    until = DateField("Until", [Optional()], description="The last day of the promise.")
    credit_micros = MoneyField(
        "Lend to a used-up wallet",
        description="For pay-as-you-go until then, beside its credit limit (P8); empty: nothing.",
    )
    withdraw = BooleanField("Withdraw the promise", description="It ends at once.")

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """A promise that stands."""
        super().prepare(context, customer, fresh=fresh)
        if customer.promise_until is None:
            del self.withdraw
        elif fresh:
            self.until.data = customer.promise_until


@action(
    "promise",
    "Promise to pay",
    PromiseForm,
    DESK,
    hint="Overdue bills do not suspend up to and including that day; then it ends by itself (B19). "
    "Prepaid service on hold is billed on credit, due on that day (P10).",
    errors_at={"credit": "credit_micros"},
)
def promise(context: Context, customer: CustomerView, form: PromiseForm) -> Sequence[str]:
    """Taken, replaced or withdrawn."""
    if form.withdraw is not None and form.withdraw.data:
        agreements.withdraw(context, customer.customer_id, parts.now())
        return ["The promise was withdrawn."]
    if form.until.data is None:
        raise InvalidInput("must be filled in", field="until")
    lent_micros = form.credit_micros.data or 0
    view = agreements.promise(
        context,
        customer.customer_id,
        form.until.data,
        parts.now(),
        credit_micros=lent_micros,
        wallet_id=form.wallet.data,
    )
    said = [f"Promised: overdue bills do not suspend until the end of {day(form.until.data)}."]
    if lent_micros:
        said.append(f"{money(lent_micros, view.wallets[0].currency)} is lent until then.")
    return said


class DiscontinueForm(ActionForm):
    """A last day, or none."""

    on = DateField("Last day", [Optional()], description="Empty: there is none.")

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """The day that holds."""
        if fresh:
            self.on.data = customer.discontinue_on


@action(
    "discontinue",
    "Last day",
    DiscontinueForm,
    CASHIERS,
    hint="With a bill unpaid at the end of that day service ends, whatever the profile says; with "
    "all paid the day has no effect (B15).",
)
def discontinue(context: Context, customer: CustomerView, form: DiscontinueForm) -> Sequence[str]:
    """Set or taken away."""
    agreements.discontinue(context, customer.customer_id, form.on.data, parts.now())
    if form.on.data is None:
        return ["There is no last day any more."]
    return [f"Unpaid at the end of {day(form.on.data)}, service ends."]


class ProfileMoveForm(ActionForm):
    """Another profile, and where needed another plan."""

    profile = SelectField("To profile", coerce=int)
    plan = SelectField(
        "Plan of its subscriptions",
        coerce=int,
        default=0,
        description="Monthly profiles want a plan of one month (B5).",
    )

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """Every other profile, every plan."""
        self.profile.choices = [
            SelectChoice(view.profile_id, f"{view.profile.name} ({view.profile.kind})")
            for view in catalog.list_profiles(context)
            if view.profile_id != customer.profile_id
        ]
        self.plan.choices = [
            SelectChoice(0, "Stays as it is"),
            *(
                SelectChoice(view.plan_id, view.name)
                for view in catalog.list_plans(context, parts.now())
            ),
        ]


@action(
    "profile",
    "Move to another profile",
    ProfileMoveForm,
    CASHIERS,
    quoted=True,
    hint="Bills of days that the new profile serves otherwise are credited; the next bill bridges "
    "the days to the new cycle (B6, B14).",
)
def profile(context: Context, customer: CustomerView, form: ProfileMoveForm) -> Sequence[str]:
    """Moved, with what is credited and billed by it."""
    move = moves.change_profile(
        context,
        customer.customer_id,
        form.profile.data,
        parts.now(),
        plan_id=form.plan.data or None,
    )
    said = [f"{customer.name} goes from {customer.profile_name} to {move.customer.profile_name}."]
    said += [sentence for note in move.credited for sentence in credit_words(note)]
    currency = move.customer.wallets[0].currency
    said += [
        f"A bill of {money(bill.total_micros, currency)} is issued, payable until "
        f"{day(bill.due_on)}."
        for bill in move.issued
    ]
    if not move.credited and not move.issued:
        said.append("Nothing is credited or billed by this.")
    available = move.customer.wallets[0].available_micros
    return [*said, f"The wallet then has {money(available, currency)} available."]
