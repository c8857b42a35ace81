"""Wallets that recharge themselves from a card on file: set, gone on with, stopped (rule P7)."""

from __future__ import annotations

from collections.abc import Sequence

from wtforms import IntegerField, SelectField
from wtforms.fields.choices import SelectChoice

from billing.model.payments import RechargeView
from billing.model.views import CustomerView
from billing.services import auto_recharge, prepayments
from billing.services import methods as methods_on_file
from billing.services.context import Context
from web import parts
from web.admin.customers.frame import ActionForm, action, request_argument
from web.admin.customers.limits import WalletForm
from web.formats import money
from web.forms import MoneyField, needed
from web.guards import CASHIERS

_ERRORS_AT = {
    "threshold": "threshold_micros",
    "amount": "amount_micros",
    "cap_day": "cap_day_micros",
    "cap_month": "cap_month_micros",
}


class RechargeForm(WalletForm):
    """From which card, when, and how much."""

    method = SelectField("Card on file", coerce=int)
    threshold_micros = MoneyField("When so much or less is available", [needed])
    amount_micros = MoneyField("Recharge by", [needed])
    cap_day_micros = MoneyField("At most so much a day", description="Empty: any.")
    cap_month_micros = MoneyField("At most so much a month", description="Empty: any.")

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """What holds for the customer's own wallet."""
        super().prepare(context, customer, fresh=fresh)
        self.method.choices = [
            SelectChoice(one.method_id, one.label)
            for one in methods_on_file.of_customer(context, customer.customer_id)
        ]
        own = customer.wallets[0].wallet_id
        for one in auto_recharge.settings(context, customer.customer_id) if fresh else ():
            if one.wallet_id == own:
                self.method.data = one.method_id
                self.threshold_micros.data = one.threshold_micros
                self.amount_micros.data = one.amount_micros
                self.cap_day_micros.data = one.cap_day_micros
                self.cap_month_micros.data = one.cap_month_micros


@action(
    "recharge",
    "Auto-recharge",
    RechargeForm,
    CASHIERS,
    hint="Only as the customer has agreed. Where so little is available, it is charged at once.",
    errors_at=_ERRORS_AT,
)
def recharge(context: Context, customer: CustomerView, form: RechargeForm) -> Sequence[str]:
    """Set; what was paused goes on."""
    view = auto_recharge.set_up(
        context,
        customer.customer_id,
        method_id=form.method.data,
        threshold_micros=form.threshold_micros.data,
        amount_micros=form.amount_micros.data,
        cap_day_micros=form.cap_day_micros.data,
        cap_month_micros=form.cap_month_micros.data,
        wallet_id=form.wallet.data,
        now=parts.now(),
    )
    return _words(view)


class OfWalletForm(ActionForm):
    """Of which wallet that recharges itself."""

    wallet = SelectField("Wallet", coerce=int)

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """Those that do."""
        own = customer.wallets[0].wallet_id
        self.wallet.choices = [
            SelectChoice(
                one.wallet_id,
                "The customer's own" if one.wallet_id == own else f"Wallet {one.wallet_id}",
            )
            for one in auto_recharge.settings(context, customer.customer_id)
        ]
        asked = request_argument("wallet")
        if fresh and asked and asked.isdecimal():
            self.wallet.data = int(asked)


@action(
    "resume-recharge",
    "Lift the pause",
    OfWalletForm,
    CASHIERS,
    hint="What was paused, or waits for its next try, is tried at once: the customer has acted.",
)
def resume(context: Context, customer: CustomerView, form: OfWalletForm) -> Sequence[str]:
    """As if nothing had been declined."""
    view = auto_recharge.resume(
        context, customer.customer_id, parts.now(), wallet_id=form.wallet.data
    )
    return _words(view)


@action(
    "stop-recharge",
    "Stop auto-recharge",
    OfWalletForm,
    CASHIERS,
    hint="No recharge any more; one that is on its way still comes.",
)
def stop(context: Context, customer: CustomerView, form: OfWalletForm) -> Sequence[str]:
    """Ended."""
    auto_recharge.stop(context, customer.customer_id, parts.now(), wallet_id=form.wallet.data)
    return ["The wallet is not recharged any more."]


def _words(view: RechargeView) -> list[str]:
    amount = money(view.amount_micros, view.currency)
    threshold = money(view.threshold_micros, view.currency)
    said = [f"Recharged by {amount} from {view.method} when {threshold} or less is available."]
    if view.pending:
        said.append("One is on its way.")
    return said


class PrepayForm(WalletForm):
    """How much, each month."""

    amount_micros = MoneyField("Each month", [needed])
    due_days = IntegerField("To be paid within days", default=14)

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """What holds for the customer's own wallet."""
        super().prepare(context, customer, fresh=fresh)
        own = customer.wallets[0].wallet_id
        for one in prepayments.settings(context, customer.customer_id) if fresh else ():
            if one.wallet_id == own:
                self.amount_micros.data, self.due_days.data = one.amount_micros, one.due_days


@action(
    "prepay",
    "Prepayment invoices",
    PrepayForm,
    CASHIERS,
    hint="Each month, from the present one on; credited when it is paid. Auto-recharge ends by it.",
    errors_at={"amount": "amount_micros"},
)
def prepay(context: Context, customer: CustomerView, form: PrepayForm) -> Sequence[str]:
    """Asked for by the next run of the job."""
    view = prepayments.set_up(
        context,
        customer.customer_id,
        form.amount_micros.data,
        now=parts.now(),
        due_days=form.due_days.data if form.due_days.data is not None else -1,
        wallet_id=form.wallet.data,
    )
    asked = money(view.amount_micros, view.currency)
    return [f"{asked} is asked for each month, to be paid within {view.due_days} days."]


@action(
    "stop-prepay",
    "Stop prepayment invoices",
    WalletForm,
    CASHIERS,
    hint="Nothing is asked for any more, and what is open is cancelled.",
)
def stop_prepay(context: Context, customer: CustomerView, form: WalletForm) -> Sequence[str]:
    """What was paid stays credited."""
    prepayments.stop(context, customer.customer_id, parts.now(), wallet_id=form.wallet.data)
    return ["No prepayment invoice is issued any more."]
