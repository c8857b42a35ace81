"""What a subscription gets and what holds it back: sales, suspension by staff (rules B4, S2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from wtforms import BooleanField, DateTimeLocalField, RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Optional

from billing.errors import InvalidInput
from billing.model.account import HoldBehaviour
from billing.model.commerce import MoneyChannel
from billing.model.views import CustomerView
from billing.services import catalog, customer_record, holds, pauses, sales
from billing.services.context import Context
from web import parts
from web.admin.customers.frame import ActionForm, action, request_argument
from web.formats import CHANNELS, duration, instant, money, plan_words
from web.forms import needed
from web.guards import CASHIERS

_WALLET = "wallet"


def subscription_choices(context: Context, customer: CustomerView) -> list[SelectChoice]:
    """The customer's subscriptions by user name."""
    rows = customer_record.subscriptions(context, customer.customer_id, parts.now())
    return [SelectChoice(row.subscription_id, row.username) for row in rows if not row.closed_at]


class SubscriptionForm(ActionForm):
    """Of one subscription."""

    subscription = SelectField("Subscription", coerce=int)

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """The customer's; the one that a link named."""
        self.subscription.choices = subscription_choices(context, customer)
        if fresh and (wanted := request_argument("subscription")) and wanted.isdecimal():
            self.subscription.data = int(wanted)


class OneSubscriptionForm(SubscriptionForm):
    """Of the subscription that the address names, else the first: it shows what that one has."""

    number: int | None = None

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """No other to choose from."""
        super().prepare(context, customer, fresh=fresh)
        wanted, known = request_argument("subscription"), self.subscription.choices
        named = [one for one in known if str(one.value) == wanted] if wanted else known[:1]
        self.subscription.choices = named
        self.number = named[0].value if named else None


class SaleForm(SubscriptionForm):
    """A package, and how it is paid."""

    plan = SelectField("Plan", coerce=int)
    channel = RadioField(
        "How it is paid",
        choices=[
            SelectChoice(_WALLET, "From the wallet"),
            *(SelectChoice(channel.value, words) for channel, words in CHANNELS.items()),
        ],
        default=_WALLET,
    )
    start_now = BooleanField(
        "Begin now",
        description="Beside what still runs, instead of after it; daily customers only (B4).",
    )

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """Every plan that is on sale."""
        super().prepare(context, customer, fresh=fresh)
        self.plan.choices = [
            SelectChoice(view.plan_id, plan_words(view))
            for view in catalog.list_plans(context, parts.now())
        ]


@action(
    "sell",
    "Sell a package",
    SaleForm,
    CASHIERS,
    quoted=True,
    hint="A monthly customer buys its next month and gets the bill, paid (B5, B6).",
    errors_at={"wallet": "channel"},
)
def sell(context: Context, customer: CustomerView, form: SaleForm) -> Sequence[str]:
    """Money and package in one."""
    channel = None if form.channel.data == _WALLET else MoneyChannel(form.channel.data)
    receipt = sales.sell(
        context,
        form.subscription.data,
        form.plan.data,
        idempotency_key=form.key.data,
        now=parts.now(),
        pay_by=channel,
        start_now=form.start_now.data,
    )
    total = money(receipt.total_micros, receipt.currency)
    tax = money(receipt.tax_micros, receipt.currency)
    how = "from the wallet" if channel is None else f"by {CHANNELS[channel].lower()}"
    said = [f"{receipt.plan_name} is sold for {total} ({tax} of it tax), paid {how}."]
    if receipt.valid_from and receipt.valid_until:
        said.append(f"It is valid from {instant(receipt.valid_from)} to "
                    f"{instant(receipt.valid_until)}.")  # fmt: skip
    elif receipt.valid_until is None and receipt.valid_from is None:
        said.append("It begins after what runs now, or at the first login.")
    said.append(
        f"The wallet then has {money(receipt.available_micros, receipt.currency)} available."
    )
    if receipt.repeated:
        said.append("This sale had been made already by this form; nothing was sold twice.")
    return said


class HoldForm(SubscriptionForm):
    """Why, until when, and what becomes of it."""

    note = StringField("Reason", [needed], description="For colleagues; the customer is told that "
                       "service is suspended, not why.")  # fmt: skip
    until = DateTimeLocalField(
        "Until",
        [Optional()],
        description="In the installation's zone; empty: until somebody lifts it.",
    )
    behaviour = RadioField(
        "Until then",
        choices=[
            SelectChoice(HoldBehaviour.REJECT.value, "Cannot connect"),
            SelectChoice(HoldBehaviour.SUSPENDED_POOL.value, "Connects into the suspended pool"),
        ],
        default=HoldBehaviour.REJECT.value,
    )


@action(
    "hold",
    "Suspend",
    HoldForm,
    CASHIERS,
    hint="Running sessions are moved or ended at once (S2). Bills go on.",
)
def hold(context: Context, customer: CustomerView, form: HoldForm) -> Sequence[str]:
    """Suspended by staff."""
    until = None if form.until.data is None else _local(form.until.data)
    holds.suspend(
        context,
        form.subscription.data,
        note=form.note.data,
        now=parts.now(),
        until=until,
        behaviour=HoldBehaviour(form.behaviour.data),
    )
    return [f"Suspended until {instant(until)}." if until else "Suspended until it is lifted."]


class LiftForm(SubscriptionForm):
    """Of which."""


@action(
    "lift",
    "Lift a suspension",
    LiftForm,
    CASHIERS,
    hint="Ends a suspension by staff and a pause; whatever else holds the service stays held (P9).",
)
def lift(context: Context, customer: CustomerView, form: LiftForm) -> Sequence[str]:
    """Not suspended by staff any more."""
    return resumed(context, form.subscription.data)


def resumed(context: Context, subscription_id: int) -> list[str]:
    """End a suspension by staff and a pause, and say what the pause was good for (rule S3)."""
    now = parts.now()
    holds.resume(context, subscription_id, now)
    ended = [one for one in pauses.pauses_of(context, subscription_id) if one.resumed_at == now]
    if not ended:
        return ["The suspension was lifted."]
    said = ["Resumed."]
    if ended[0].stood_still_seconds:
        longer = duration(ended[0].stood_still_seconds)
        said.append(f"Its packages are valid for {longer} longer.")
    if days := ended[0].credited_days:
        what = "1 day of it is" if days == 1 else f"{days} days of it are"
        said.append(f"{what} credited, or left out of the bill that will hold them.")
    return said


def _local(wall_clock: datetime) -> datetime:
    """What a form says in the operator's zone (rule M3)."""
    if wall_clock.year < 2000:
        raise InvalidInput("lies in the past", field="until")
    return wall_clock.replace(tzinfo=ZoneInfo(parts.operator().time_zone)).astimezone(UTC)
