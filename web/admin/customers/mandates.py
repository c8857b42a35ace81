"""A mandate for direct debits that the customer has signed (rules P1, P5, security.md 10)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from wtforms import DateField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Optional

from billing.model.sepa import Sequence as Kind
from billing.model.views import CustomerView
from billing.services import gateways, sepa_mandates
from billing.services.context import Context
from web import parts
from web.admin.customers.frame import ActionForm, action
from web.formats import local_day
from web.forms import needed
from web.guards import CASHIERS

_KINDS = {
    Kind.FIRST: "many times, from now on (FRST)",
    Kind.RECURRING: "many times, and it was before, elsewhere (RCUR)",
    Kind.ONE_OFF: "once (OOFF)",
    Kind.FINAL: "once more, for the last time (FNAL)",
}


class MandateForm(ActionForm):
    """As it stands on the paper."""

    gateway = SelectField("Collected by", coerce=int)
    iban = StringField(
        "IBAN", [needed], description="Kept sealed; only its last digits are shown again."
    )
    bic = StringField("BIC", description="May be left out.")
    holder = StringField("Whose account", description="The customer's, unless given.")
    signed_on = DateField("Signed on", [Optional()], description="Today, unless given.")
    reference = StringField("Reference", description="Made up, unless given.")
    sequence = SelectField(
        "Collected", choices=[SelectChoice(kind.value, words) for kind, words in _KINDS.items()]
    )

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """Gateways that collect by file."""
        self.gateway.choices = [
            SelectChoice(one.gateway_id, one.name)
            for one in gateways.collecting(context, customer.org_id)
        ]


@action(
    "mandate",
    "Direct debit mandate",
    MandateForm,
    CASHIERS,
    hint="Due bills are collected by it; remove it among the cards to revoke it.",
)
def mandate(context: Context, customer: CustomerView, form: MandateForm) -> Sequence[str]:
    """On file from now on."""
    now = parts.now()
    made = sepa_mandates.sign(
        context,
        parts.parts().gateways,
        customer.customer_id,
        form.gateway.data,
        iban=form.iban.data or "",
        bic=form.bic.data or "",
        holder=form.holder.data or "",
        reference=form.reference.data or "",
        signed_on=form.signed_on.data or date.fromisoformat(local_day(now)),
        sequence=Kind(form.sequence.data),
        now=now,
    )
    return [f"The mandate {made.reference} for {made.account} is on file."]
