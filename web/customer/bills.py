"""Bills and receipts: to look at, to download, to pay from the wallet (rules I3, I4, I6, M5)."""

from __future__ import annotations

import secrets

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import HiddenField

from billing.documents.html import receipt_to_html
from billing.documents.pdf import bill_to_pdf, to_pdf
from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.customer_record import BillLine
from billing.model.documents import Paper
from billing.model.money import Money
from billing.model.views import WalletView
from billing.services import bills as service
from billing.services import customer_record, customers, designs, documents, prepayments, receipts
from billing.services.context import Context
from web import parts, subscribers
from web.admin.bills import pdf_response
from web.customer import blueprint
from web.formats import money
from web.guards import subscribers_only
from web.language import words

PAGE_ROWS = 12
RECEIPTS_SHOWN = 12


class PayForm(FlaskForm):
    """`key` makes the payment happen once; `amount` is what was shown, in micros."""

    key = HiddenField()
    amount = HiddenField()


@blueprint.get("/bills")
@subscribers_only
def bills() -> ResponseReturnValue:
    """All of the customer's, newest first."""
    context, me = subscribers.context(), subscribers.me()
    page_before = request.args.get("before", type=int)
    page = customer_record.bills(
        context,
        me.customer_id,
        parts.now(),
        before=page_before,
        limit=PAGE_ROWS,
    )
    found = receipts.of_customer(context, me.customer_id, limit=RECEIPTS_SHOWN)
    asked = [
        one
        for one in prepayments.invoices_of(context, me.customer_id)
        if one.state == "open" and not page_before
    ]
    return render_template(
        "customer/bills.html",
        page=page,
        receipts=found,
        asked=asked,
        may_promise=bool(
            subscribers.view().unpaid_bills and subscribers.view().profile.promise_count
        ),
    )


@blueprint.get("/bills/<int:invoice_id>.pdf")
@subscribers_only
def bill_pdf(invoice_id: int) -> ResponseReturnValue:
    """As it stands now."""
    context = subscribers.context()
    bill = documents.by_id(context, subscribers.me().customer_id, invoice_id)
    design = designs.design_of(context, bill.org_id)
    return pdf_response(bill_to_pdf(bill, Paper.A4, design), f"{bill.number}.pdf")


@blueprint.get("/receipts/<number>.pdf")
@subscribers_only
def receipt_pdf(number: str) -> ResponseReturnValue:
    """As it was issued."""
    context, me = subscribers.context(), subscribers.me()
    receipt = receipts.by_number(context, number, org_id=me.org_id)
    if receipt.customer_id != me.customer_id:
        raise NotFound("there is no such receipt", field="number")
    design = designs.design_of(context, receipt.org_id)
    page = receipt_to_html(receipt, Paper.A4, design)
    return pdf_response(to_pdf(page, Paper.A4), f"{receipt.number}.pdf")


@blueprint.route("/bills/<int:invoice_id>/pay", methods=["GET", "POST"])
@subscribers_only
def pay_bill(invoice_id: int) -> ResponseReturnValue:
    """What is open of it, from the wallet that it is of."""
    context, me = subscribers.context(), subscribers.me()
    form = PayForm()
    number = documents.by_id(context, me.customer_id, invoice_id).number
    if form.validate_on_submit():
        try:
            receipt = service.pay(
                context,
                number,
                customer_id=me.customer_id,
                amount_micros=_shown(form.amount.data),
                idempotency_key=f"my-{form.key.data}",
                now=parts.now(),
            )
        except (InvalidInput, Conflict, Refused) as error:
            form.form_errors.append(error.message)
        else:
            paid = money(receipt.amount_micros, receipt.currency)
            flash(words("{amount} was paid.", amount=paid), "success")
            return redirect(url_for("customer.bills"))
    line = _open(context, me.customer_id, invoice_id)
    if line is None:
        return redirect(url_for("customer.bills"))
    wallet = _wallet(context, me.customer_id, line)
    form.key.data = secrets.token_hex(16)
    form.amount.data = str(line.bill.open_micros)
    missing = Money(max(0, line.bill.open_micros - wallet.available_micros), wallet.currency)
    page = render_template(
        "customer/pay.html", line=line, wallet=wallet, form=form, missing=missing.amount_micros
    )
    return page, 422 if form.form_errors else 200


def _shown(text: str | None) -> int:
    if not text or not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise InvalidInput("open this page again", field="amount")
    return int(text)


def _open(context: Context, customer_id: int, invoice_id: int) -> BillLine | None:
    found = customer_record.open_bills(context, customer_id, parts.now())
    return next((one for one in found if one.bill.invoice_id == invoice_id), None)


def _wallet(context: Context, customer_id: int, line: BillLine) -> WalletView:
    """Of the bill's subscription; the customer's own where it is of none."""
    wallets = customers.get_customer(context, customer_id).wallets
    wallet_id = service.wallet_id_of(context, customer_id, line.bill.invoice_id)
    return next((one for one in wallets if one.wallet_id == wallet_id), wallets[0])
