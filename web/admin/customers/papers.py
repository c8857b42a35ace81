"""Receipts and statements of account (rules I6, M3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import DateField, RadioField
from wtforms.fields.choices import SelectChoice

from billing.documents.html import receipt_to_html
from billing.documents.pdf import statement_to_pdf, to_pdf
from billing.errors import InvalidInput, NotFound, Refused
from billing.model.views import CustomerView
from billing.services import customers, designs, receipts, statements
from billing.services.context import Context
from web import parts
from web.admin import blueprint
from web.admin.bills import asked_paper, pdf_response
from web.admin.customers.frame import ActionForm, Facts, action, card
from web.formats import local_day
from web.forms import needed, show_errors
from web.guards import ALL, CASHIERS, STAFF, staff_only

RECEIPTS_SHOWN = 10


@card("receipts", "Receipts and statements", place="left", actions=("statements",))
def papers(context: Context, customer: CustomerView) -> Facts:
    """The newest receipts."""
    found = receipts.of_customer(context, customer.customer_id, limit=RECEIPTS_SHOWN)
    return {"lines": found}


@blueprint.get("/customers/<int:customer_id>/receipts/<number>.pdf")
@staff_only(ALL)
def receipt_pdf(customer_id: int, number: str) -> ResponseReturnValue:
    """`size`: a4 or receipt."""
    context = parts.context()
    customer = customers.get_customer(context, customer_id)
    paper = asked_paper(request.args)
    receipt = receipts.by_number(context, number, org_id=customer.org_id)
    if receipt.customer_id != customer_id:
        raise NotFound("there is no such receipt", field="number")
    design = designs.design_of(context, receipt.org_id)
    return pdf_response(to_pdf(receipt_to_html(receipt, paper, design), paper), f"{number}.pdf")


class StatementForm(FlaskForm):
    """Both days included."""

    first_day = DateField("From", [needed], name="from")
    last_day = DateField("To", [needed], name="to")


@blueprint.get("/customers/<int:customer_id>/statement")
@staff_only(STAFF)
def customer_statement(customer_id: int) -> ResponseReturnValue:
    """The account `from` a local day `to` another, as PDF; without them, the form, which names the
    last month."""
    context = parts.context()
    customer = customers.get_customer(context, customer_id)
    form = StatementForm(request.args, meta={"csrf": False})
    if request.args and form.validate():
        try:
            return _statement_pdf(context, customer_id, form.first_day.data, form.last_day.data)
        except (InvalidInput, Refused) as error:
            show_errors(form, error, {"to": "last_day", "from": "first_day"})
    if not request.args:
        today = date.fromisoformat(local_day(parts.now()))
        form.last_day.data = today.replace(day=1) - timedelta(days=1)
        form.first_day.data = form.last_day.data.replace(day=1)
    page = render_template("admin/customer_statement.html", customer=customer, form=form)
    return page, 422 if form.errors else 200


def _statement_pdf(
    context: Context, customer_id: int, first_day: date, last_day: date
) -> ResponseReturnValue:
    found = statements.statement(context, customer_id, first_day, last_day)
    design = designs.design_of(context, found.org_id)
    name = f"statement-{customer_id}-{first_day}-{last_day}.pdf"
    return pdf_response(statement_to_pdf(found, design), name)


class WishForm(ActionForm):
    """The customer's own, or its profile's."""

    wanted = RadioField(
        "A statement by mail each month",
        choices=[
            SelectChoice("profile", "As its profile says"),
            SelectChoice("on", "Yes"),
            SelectChoice("off", "No"),
        ],
    )

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """What is stored."""
        if fresh:
            self.wanted.data = {None: "profile", True: "on", False: "off"}[
                customer.monthly_statement
            ]


@action(
    "statements",
    "Monthly statements",
    WishForm,
    CASHIERS,
    hint="On day 1, of the month before; a month without movements and balance is left out.",
)
def wish(context: Context, customer: CustomerView, form: WishForm) -> Sequence[str]:
    """Stored."""
    wanted = {"profile": None, "on": True, "off": False}[form.wanted.data]
    statements.set_monthly(context, customer.customer_id, wanted, parts.now())
    return ["The wish was saved."]
