"""What a customer was told, and the numbers that are told it, too (rules P6, P8)."""

from __future__ import annotations

from collections.abc import Sequence

from billing.model.views import CustomerView
from billing.services import messages, told
from billing.services.context import Context
from web import parts
from web.admin.customers.frame import ActionForm, Facts, action, card
from web.forms import LinesField
from web.guards import CASHIERS

LINES = 10


class NumbersForm(ActionForm):
    """All of them."""

    numbers = LinesField(
        "Numbers",
        description="One a line, like +34600123456; empty: none.",
        render_kw={"rows": 3, "inputmode": "tel"},
    )

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """What is stored."""
        if fresh:
            self.numbers.data = list(customer.alert_numbers)


@action(
    "numbers",
    "Text messages",
    NumbersForm,
    CASHIERS,
    hint="The operator's webhook is told each message for these numbers, beside the mail.",
    errors_at={"sms": "numbers"},
)
def numbers(context: Context, customer: CustomerView, form: NumbersForm) -> Sequence[str]:
    """Store them."""
    messages.set_alerts(context, customer.customer_id, parts.now(), numbers=form.numbers.data)
    return ["The numbers were saved."]


@card("notices", "Notices", place="wide", actions=("numbers",))
def notices(context: Context, customer: CustomerView) -> Facts:
    """The newest events, each with what was told and where it went."""
    return {"notices": told.of_customer(context, customer, limit=LINES)}
