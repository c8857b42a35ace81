"""Bills that are asked for, chased and given up (rules I5, B7)."""

from __future__ import annotations

from collections.abc import Sequence

from flask import render_template
from flask.typing import ResponseReturnValue
from wtforms import DateField, SelectField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Optional

from billing.model.charges import ChargeKind
from billing.model.views import CustomerView
from billing.services import (
    charges,
    credits,
    customer_record,
    customers,
    dunning,
    on_demand,
    write_offs,
)
from billing.services.context import Context
from web import parts
from web.admin import blueprint
from web.admin.customers.frame import (
    ActionForm,
    Facts,
    action,
    address_of,
    card,
    offered,
    request_argument,
)
from web.admin.customers.money import bill_words
from web.formats import day, extra_words, money
from web.forms import needed
from web.guards import CASHIERS, STAFF, staff_only


@card("write_offs", "Written off", place="right")
def written_off(context: Context, customer: CustomerView) -> Facts:
    """What nobody expects to be paid any more."""
    return {
        "lines": write_offs.of_customer(context, customer.customer_id, limit=10),
        "may_pay": bool(offered(["pay"])),
        "customer_id": customer.customer_id,
        "address_of": address_of,
    }


@blueprint.get("/customers/<int:customer_id>/dunning/<number>")
@staff_only(STAFF)
def bill_dunning(customer_id: int, number: str) -> ResponseReturnValue:
    """What was done about a bill that is unpaid, and what comes next."""
    context = parts.context()
    return render_template(
        "admin/bill_dunning.html",
        customer=customers.get_customer(context, customer_id),
        view=dunning.of_bill(context, number, parts.now(), customer_id=customer_id),
        actions=offered(["promise", "write-off"]),
        address_of=address_of,
    )


class WriteOffForm(ActionForm):
    """Which, and why."""

    bill = SelectField("Bill", [needed])
    reason = TextAreaField(
        "Reason",
        [needed],
        description="Why nobody expects it to be paid; it stays on record.",
        render_kw={"rows": 2, "maxlength": credits.REASON_MOST},
    )

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """Every bill with something left to pay."""
        found = customer_record.open_bills(context, customer.customer_id, parts.now())
        self.bill.choices = [SelectChoice(one.bill.number, bill_words(one)) for one in found]
        if fresh:
            self.bill.data = request_argument("bill")


@action(
    "write-off",
    "Write off a bill",
    WriteOffForm,
    CASHIERS,
    quoted=True,
    hint="Paid after all, it is recovered by the payment. What should not have been billed is "
    "credited instead.",
    errors_at={"invoice": "bill"},
)
def write_off(context: Context, customer: CustomerView, form: WriteOffForm) -> Sequence[str]:
    """Given up."""
    view = write_offs.write_off(
        context,
        form.bill.data,
        customer_id=customer.customer_id,
        reason=form.reason.data,
        idempotency_key=form.key.data,
        now=parts.now(),
    )
    said = [
        f"{money(view.amount_micros, view.currency)} of {view.number} is given up: it is a loss in "
        "the ledger (bad_debt).",
        "The bill holds nobody back any more, and nobody is reminded of it.",
    ]
    if view.repeated:
        said.append("This was done before; nothing was done twice.")
    return said


class BillNowForm(ActionForm):
    """Up to when."""

    until = DateField(
        "Up to before",
        [Optional()],
        description="Empty: what the next run would bill. In advance whole cycles, in arrears days "
        "that are served.",
    )


@action(
    "bill-now",
    "Bill now",
    BillNowForm,
    CASHIERS,
    quoted=True,
    hint="Later runs go on from there: nothing is billed twice.",
)
def bill_now(context: Context, customer: CustomerView, form: BillNowForm) -> Sequence[str]:
    """Issued."""
    issued = on_demand.bill_customer(context, customer.customer_id, parts.now(), form.until.data)
    currency = customer.wallets[0].currency
    return [
        f"A bill of {money(bill.total_micros, currency)} is issued, payable until "
        f"{day(bill.due_on)}."
        for bill in issued
    ] or ["Nothing is due: no bill is issued."]


class WaiveForm(ActionForm):
    """Which."""

    charge = SelectField("Charge", coerce=int)

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """One-off charges that no bill holds."""
        found = charges.charges_of_customer(context, customer.customer_id)
        self.charge.choices = [
            SelectChoice(one.charge_id, f"{one.text}: {extra_words(one)}")
            for one in found
            if one.kind == ChargeKind.ONE_OFF and not (one.billed_until or one.waived_at)
        ]
        if fresh and (wanted := request_argument("charge")) and wanted.isdecimal():
            self.charge.data = int(wanted)


@action(
    "waive",
    "Waive a charge",
    WaiveForm,
    CASHIERS,
    hint="A one-off charge or a late fee that no bill holds yet: no bill will.",
)
def waive(context: Context, customer: CustomerView, form: WaiveForm) -> Sequence[str]:
    """Let go."""
    (wanted,) = (
        one
        for one in charges.charges_of_customer(context, customer.customer_id)
        if one.charge_id == form.charge.data
    )
    extra = charges.waive_charge(context, wanted.subscription_id, wanted.charge_id, parts.now())
    return [f"{extra.text} is waived: no bill will have it."]
