"""Who a customer is, what stands on its bills, where its messages go."""

from __future__ import annotations

from collections.abc import Sequence

from wtforms import StringField, TextAreaField

from billing.model.views import CustomerView
from billing.services import contacts, letterhead, messages
from billing.services.context import Context
from web import parts
from web.admin.customers.frame import ActionForm, action
from web.forms import LinesField, needed
from web.guards import CASHIERS


class DetailsForm(ActionForm):
    """All of it is stored, or nothing."""

    name = StringField("Name", [needed])
    email = StringField("Email", render_kw={"type": "email"})
    phone = StringField("Phone", render_kw={"type": "tel"})
    address = TextAreaField(
        "Postal address",
        description=f"As on a letter, {letterhead.ADDRESS_LINES} lines at most; on bills.",
        render_kw={"rows": 4},
    )
    tax_id = StringField("Tax number", description="The customer's own; it stands on bills.")
    alerts = LinesField(
        "Messages go to",
        description="Addresses, one a line; empty: to the email above.",
        render_kw={"rows": 3},
    )
    language = StringField("Language of messages", [needed], description="Like en or pt-BR.")

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """What is stored."""
        if not fresh:
            return
        party = letterhead.of_customer(context, customer.customer_id)
        self.name.data = customer.name
        self.email.data, self.phone.data = customer.email, customer.phone
        self.address.data = "\n".join(party.address_lines)
        self.tax_id.data = party.tax_id
        self.alerts.data = list(customer.alert_addresses)
        self.language.data = customer.locale


@action(
    "details",
    "Change contact",
    DetailsForm,
    CASHIERS,
    errors_at={"address_line": "address", "address": "alerts"},
)
def details(context: Context, customer: CustomerView, form: DetailsForm) -> Sequence[str]:
    """Three services, one transaction."""
    now = parts.now()
    with context.together() as joined:
        contacts.change(
            joined,
            customer.customer_id,
            now,
            name=form.name.data,
            email=form.email.data,
            phone=form.phone.data,
        )
        letterhead.set_of_customer(
            joined,
            customer.customer_id,
            now=now,
            address_lines=(form.address.data or "").splitlines(),
            tax_id=form.tax_id.data or "",
        )
        messages.set_alerts(
            joined,
            customer.customer_id,
            now,
            addresses=form.alerts.data,
            language=form.language.data,
        )
    return ["The contact was saved."]
