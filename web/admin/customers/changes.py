"""Another plan, a pause, renewal by itself (rules B17, S3, P10)."""

from __future__ import annotations

from collections.abc import Sequence

from wtforms import BooleanField, RadioField, SelectField
from wtforms.fields.choices import SelectChoice

from billing.model.plan_changes import ChangeState, PlanChangeView, When
from billing.model.views import CustomerView
from billing.services import catalog, holds, plan_changes, subscribers
from billing.services.context import Context
from web import parts
from web.admin.customers.frame import action, request_argument
from web.admin.customers.service import SubscriptionForm, resumed
from web.formats import day, instant, money, plan_words
from web.guards import CASHIERS

_BY_PRICE = ""


class PlanForm(SubscriptionForm):
    """To which, and when."""

    plan = SelectField("To plan", coerce=int)
    when = RadioField(
        "When",
        choices=[
            SelectChoice(_BY_PRICE, "A dearer one now, a cheaper one with the next cycle"),
            SelectChoice(When.NOW.value, "Now: unused days are given back"),
            SelectChoice(When.NEXT.value, "With the next cycle, or when the packages have ended"),
        ],
        default=_BY_PRICE,
    )

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """Every plan that is on sale."""
        super().prepare(context, customer, fresh=fresh)
        self.plan.choices = [
            SelectChoice(view.plan_id, plan_words(view))
            for view in catalog.list_plans(context, parts.now())
        ]


@action(
    "plan",
    "Change the plan",
    PlanForm,
    CASHIERS,
    quoted=True,
    hint="A change that waits is replaced (B17).",
    errors_at={"wallet": "plan", "when": "when"},
)
def plan(context: Context, customer: CustomerView, form: PlanForm) -> Sequence[str]:
    """Changed, with what is given back and charged."""
    receipt = plan_changes.change_plan(
        context,
        form.subscription.data,
        form.plan.data,
        idempotency_key=form.key.data,
        now=parts.now(),
        when=When(form.when.data) if form.when.data else None,
    )
    currency = receipt.currency
    when = "now" if receipt.when == When.NOW else "later"
    said = [
        f"{receipt.username} goes from {receipt.from_plan or 'no plan'} to {receipt.to_plan}, "
        f"{when}.",
        *receipt.lines,
        f"Given back {money(receipt.credited_micros, currency)}, charged "
        f"{money(receipt.charged_micros, currency)}: a difference of "
        f"{money(receipt.difference_micros, currency)}.",
        f"The wallet then has {money(receipt.available_micros, currency)} available.",
    ]
    if receipt.repeated:
        said.append("This was done before; nothing was done twice.")
    return said


class SingleForm(SubscriptionForm):
    """Of which."""


@action(
    "keep-plan",
    "Keep the plan",
    SingleForm,
    CASHIERS,
    hint="The change that waits comes to nothing. Bills of cycles ahead that were issued for it "
    "are issued anew.",
)
def keep_plan(context: Context, customer: CustomerView, form: SingleForm) -> Sequence[str]:
    """Revoked."""
    view = plan_changes.revoke(context, form.subscription.data, parts.now())
    return [f"The change to {view.to_plan} is dropped."]


def changes_to_come(context: Context, subscription_id: int) -> list[PlanChangeView]:
    """What waits for a subscription."""
    found = plan_changes.changes_of(context, subscription_id)
    return [one for one in found if one.state is ChangeState.PENDING]


@action(
    "pause",
    "Pause",
    SingleForm,
    CASHIERS,
    hint="Service stops until it is resumed. What that gives back is the plan's to say, and is "
    "told then (S3).",
)
def pause(context: Context, customer: CustomerView, form: SingleForm) -> Sequence[str]:
    """Paused."""
    holds.pause(context, form.subscription.data, parts.now())
    return ["Paused until it is resumed."]


@action(
    "resume",
    "End a pause",
    SingleForm,
    CASHIERS,
    hint="Ends a suspension by staff, too; whatever else holds the service stays held (P9).",
)
def resume(context: Context, customer: CustomerView, form: SingleForm) -> Sequence[str]:
    """Resumed, with what the pause was good for."""
    return resumed(context, form.subscription.data)


class RenewalForm(SubscriptionForm):
    """On or off."""

    on = BooleanField(
        "Renew by itself",
        description="The last package's plan is bought again from the wallet at its end. Where "
        "nothing runs and the wallet covers it, that is at once.",
    )

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """What holds for the subscription that the link named."""
        super().prepare(context, customer, fresh=fresh)
        named = request_argument("subscription")
        if fresh and named and int(self.subscription.data or 0) in customer.subscription_ids:
            view = subscribers.show(context, self.subscription.data, parts.now())
            self.on.data = view.renews


@action(
    "renewal",
    "Renewal",
    RenewalForm,
    CASHIERS,
    quoted=True,
    hint="For daily customers; monthly service is renewed by its bills (P10).",
)
def renewal(context: Context, customer: CustomerView, form: RenewalForm) -> Sequence[str]:
    """Switched, with what is bought next."""
    subscription_id, now = form.subscription.data, parts.now()
    holds.set_renewal(context, subscription_id, now, on=form.on.data)
    view = subscribers.show(context, subscription_id, now)
    wallet = view.wallet
    said = [f"{view.row.username} {'renews' if view.renews else 'does not renew'} by itself."]
    if view.upcoming is not None:
        begins = view.upcoming.begins_at
        said.append(
            f"Next: {view.upcoming.text} for {money(view.upcoming.total_micros, wallet.currency)}"
            f"{', ' + instant(begins) if begins else ', as soon as the wallet covers it'}."
        )
        if view.upcoming.problem:
            said.append(f"It cannot be bought: {view.upcoming.problem}.")
    return [*said, f"The wallet has {money(wallet.available_micros, wallet.currency)} available."]


def change_day(change: PlanChangeView) -> str:
    """`from 1 Apr 2026 on`, or that it waits for packages to end."""
    if change.effective_on is None:
        return "when the packages have ended"
    return f"from {day(change.effective_on)} on"
