"""When a customer is told of its wallets, and what may be spent of them (rules P6, P14)."""

from __future__ import annotations

from collections.abc import Sequence

from wtforms import BooleanField, SelectField
from wtforms.fields.choices import SelectChoice

from billing.model.spending import WalletWatch
from billing.model.views import CustomerView
from billing.services import spending
from billing.services.context import Context
from web import parts
from web.admin.customers.frame import ActionForm, action
from web.formats import instant, money
from web.forms import MoneyField, NumbersField, WholeField
from web.guards import CASHIERS


class WalletForm(ActionForm):
    """Of one wallet; asked where there are several."""

    wallet = SelectField("Wallet", coerce=int)

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """The customer's own first."""
        own, *others = customer.wallets
        self.wallet.choices = [
            SelectChoice(own.wallet_id, "The customer's own"),
            *(SelectChoice(one.wallet_id, f"Wallet {one.wallet_id}") for one in others),
        ]


class AlertsForm(WalletForm):
    """Of the balance, and of packages."""

    balance_percent = WholeField(
        "Tell when less is left than",
        description="Percent of the balance right after the last top-up, 1 to 99; empty: not told.",
    )
    usage_percents = NumbersField(
        "Tell when so much of a package is used",
        description="Percents like 80 100, with blanks between; empty: not told.",
    )

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """What holds for the customer's own wallet."""
        super().prepare(context, customer, fresh=fresh)
        if fresh:
            own = spending.watches(context, customer.customer_id, parts.now())[0]
            self.balance_percent.data = own.alert_percent
            self.usage_percents.data = own.usage_alert_percents


@action(
    "alerts",
    "Alerts",
    AlertsForm,
    CASHIERS,
    hint="Told once at each crossing; what is below by now is told at the next one (P6).",
)
def alerts(context: Context, customer: CustomerView, form: AlertsForm) -> Sequence[str]:
    """Both are set."""
    watch = spending.set_alerts(
        context,
        customer.customer_id,
        parts.now(),
        wallet_id=form.wallet.data,
        balance_percent=form.balance_percent.data or 0,
        usage_percents=form.usage_percents.data,
    )
    return alert_words(watch) or ["The customer is not told of this wallet any more."]


class CapForm(WalletForm):
    """What may be spent in a month."""

    cap_micros = MoneyField("Spending cap a month", description="Empty: there is none.")
    lift = BooleanField(
        "Lift the cap that there is", description="Until the month ends; then it holds again."
    )

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """What holds for the customer's own wallet."""
        super().prepare(context, customer, fresh=fresh)
        watches = spending.watches(context, customer.customer_id, parts.now())
        if all(one.cap_micros is None or one.cap_lifted for one in watches):
            del self.lift
        if fresh:
            self.cap_micros.data = watches[0].cap_micros


@action(
    "cap",
    "Spending cap",
    CapForm,
    CASHIERS,
    hint="Of a calendar month: pay-as-you-go and packages count, bills do not. What was spent this "
    "month counts (P14).",
    errors_at={"amount": "cap_micros"},
)
def cap(context: Context, customer: CustomerView, form: CapForm) -> Sequence[str]:
    """Set, taken away, or lifted."""
    customer_id, wallet_id, now = customer.customer_id, form.wallet.data, parts.now()
    if form.lift is not None and form.lift.data:
        watch = spending.lift_cap(context, customer_id, now, wallet_id=wallet_id)
    else:
        watch = spending.set_cap(
            context, customer_id, form.cap_micros.data, now, wallet_id=wallet_id
        )
    return [cap_words(watch) or "There is no spending cap any more."]


def alert_words(watch: WalletWatch) -> list[str]:
    """When the customer is told, in sentences; none where it is not."""
    said = []
    if watch.alert_percent is not None:
        below = "the next top-up says below which amount"
        if watch.threshold_micros is not None:
            below = f"below {money(watch.threshold_micros, watch.currency)}"
            below += "" if watch.armed else ", not before a credit has lifted it over that"
        said.append(f"Told when less than {watch.alert_percent} % is left: {below}.")
    if watch.usage_alert_percents:
        levels = ", ".join(f"{level} %" for level in watch.usage_alert_percents)
        said.append(f"Told when {levels} of a package is used.")
    return said


def cap_words(watch: WalletWatch) -> str:
    """What is spent and left of the cap; empty where there is none."""
    if watch.cap_micros is None or watch.spent_micros is None or watch.cap_until is None:
        return ""
    spent, most = money(watch.spent_micros, watch.currency), money(watch.cap_micros, watch.currency)
    until = instant(watch.cap_until)
    if watch.cap_left_micros is None:
        return f"{spent} of {most} spent this month; lifted until {until}."
    left = money(watch.cap_left_micros, watch.currency)
    return f"{spent} of {most} spent this month, {left} left until {until}."
