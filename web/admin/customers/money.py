"""Money comes in, and bills are taken back (rules P1, I2, I4, M5)."""

from __future__ import annotations

from collections.abc import Sequence

from flask import url_for
from markupsafe import Markup
from wtforms import RadioField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice

from billing.errors import InvalidInput
from billing.model.commerce import MoneyChannel
from billing.model.credits import CreditNoteView
from billing.model.customer_record import BillLine
from billing.model.prepayments import PrepaymentInvoiceView
from billing.model.views import CustomerView, PaymentReceipt
from billing.services import bills, credits, customer_record, prepayments, sales
from billing.services.context import Context
from web import parts
from web.admin.customers.frame import ActionForm, action, request_argument
from web.formats import CHANNELS, day, money
from web.forms import MoneyField, needed
from web.guards import CASHIERS

BILLS_CHOSEN_FROM = 100
_WALLET = "wallet"
_PREPAYMENT = "prepayment-"
_REFERENCE_MOST = 100


class PaymentForm(ActionForm):
    """Money that somebody hands over, or wallet money for a bill."""

    bill = SelectField("For", default="")
    channel = RadioField(
        "How it is paid",
        choices=[
            *(SelectChoice(channel.value, words) for channel, words in CHANNELS.items()),
            SelectChoice(_WALLET, "From the wallet (for a bill)"),
        ],
        default=MoneyChannel.CASH.value,
    )
    amount_micros = MoneyField(
        "Amount",
        description="Empty: all that is open of the bill that was chosen. What is too much stays "
        "in the wallet. A prepayment invoice is paid in whole.",
    )
    reference = StringField(
        "Reference",
        description="Number of the transfer, slip or card receipt.",
        render_kw={"maxlength": _REFERENCE_MOST},
    )

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """The wallet, every bill with something left to pay, or given up, and what was asked for
        in advance (rule P5)."""
        now = parts.now()
        found = customer_record.open_bills(context, customer.customer_id, now)
        found += customer_record.given_up(context, customer.customer_id, now)
        self.bill.choices = [
            SelectChoice("", "The wallet: pays open bills, oldest first; the rest is credit"),
            *(
                SelectChoice(f"{_WALLET}-{one.wallet_id}", f"Wallet {one.wallet_id}")
                for one in customer.wallets[1:]
            ),
            *(SelectChoice(one.bill.number, bill_words(one)) for one in found),
            *(
                SelectChoice(_PREPAYMENT + one.number, _prepayment_words(one))
                for one in prepayments.invoices_of(context, customer.customer_id)
                if one.state == "open"
            ),
        ]
        if fresh:
            asked = request_argument("prepayment")
            self.bill.data = _PREPAYMENT + asked if asked else request_argument("bill") or ""


@action(
    "pay",
    "Take a payment",
    PaymentForm,
    CASHIERS,
    hint="Once sent, it is in the books: a mistake is corrected by another entry, not taken out.",
    errors_at={"amount": "amount_micros", "invoice": "bill", "wallet": "amount_micros"},
)
def pay(context: Context, customer: CustomerView, form: PaymentForm) -> Sequence[str]:
    """A payment for a bill or a prepayment invoice, or a top-up."""
    channel = None if form.channel.data == _WALLET else MoneyChannel(form.channel.data)
    reference = _checked_reference(form.reference.data)
    if form.bill.data.startswith(_PREPAYMENT):
        receipt = _pay_in_advance(context, customer, form, channel, reference)
    elif form.bill.data and not form.bill.data.startswith(f"{_WALLET}-"):
        receipt = bills.pay(
            context,
            form.bill.data,
            customer_id=customer.customer_id,
            amount_micros=form.amount_micros.data,
            channel=channel,
            reference=reference,
            idempotency_key=form.key.data,
            now=parts.now(),
        )
    else:
        if channel is None:
            raise InvalidInput("choose the bill that the wallet is to pay", field="bill")
        if form.amount_micros.data is None:
            raise InvalidInput("must be filled in", field="amount_micros")
        receipt = sales.topup(
            context,
            customer.customer_id,
            form.amount_micros.data,
            channel=channel,
            wallet_id=int(form.bill.data.removeprefix(f"{_WALLET}-") or 0) or None,
            reference=reference,
            idempotency_key=form.key.data,
            now=parts.now(),
        )
    return _payment_words(receipt)


def _pay_in_advance(
    context: Context,
    customer: CustomerView,
    form: PaymentForm,
    channel: MoneyChannel | None,
    reference: str | None,
) -> PaymentReceipt:
    """A prepayment invoice, in whole (rule P5). Raises InvalidInput, Refused, Conflict."""
    number = form.bill.data.removeprefix(_PREPAYMENT)
    if channel is None:
        raise InvalidInput("it fills the wallet: say how the money came", field="channel")
    return prepayments.pay(
        context,
        number,
        channel,
        customer_id=customer.customer_id,
        amount_micros=form.amount_micros.data,
        reference=reference,
        idempotency_key=form.key.data or "",
        now=parts.now(),
    )


class CreditForm(ActionForm):
    """A bill taken back, or a part of it."""

    bill = SelectField("Bill", [needed])
    part = RadioField(
        "How much",
        choices=[
            SelectChoice("whole", "All that is not credited yet"),
            SelectChoice("part", "A part: the amount below"),
            SelectChoice("void", "Void: as if never issued; the next run bills its days again"),
        ],
        default="whole",
    )
    amount_micros = MoneyField("Amount of the part")
    reason = TextAreaField(
        "Reason",
        [needed],
        description="The customer reads it on the credit note.",
        render_kw={"rows": 2, "maxlength": credits.REASON_MOST},
    )

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """The newest bills that are not credited in full."""
        found = customer_record.bills(
            context, customer.customer_id, parts.now(), limit=BILLS_CHOSEN_FROM
        )
        self.bill.choices = [
            SelectChoice(one.bill.number, bill_words(one))
            for one in found.lines
            if one.bill.credited_micros + one.bill.written_off_micros < one.bill.total_micros
        ]
        if fresh:
            self.bill.data = request_argument("bill")


@action(
    "credit",
    "Credit a bill",
    CreditForm,
    CASHIERS,
    quoted=True,
    hint="What is still open is owed no more; what was paid goes back to the wallet.",
    errors_at={"amount": "amount_micros", "invoice": "bill", "void": "part"},
)
def credit(context: Context, customer: CustomerView, form: CreditForm) -> Sequence[str]:
    """A credit note."""
    amount_micros = None
    if form.part.data == "part":
        amount_micros = form.amount_micros.data
        if amount_micros is None:
            raise InvalidInput("must be filled in", field="amount_micros")
    note = credits.credit(
        context,
        form.bill.data,
        customer_id=customer.customer_id,
        reason=form.reason.data,
        amount_micros=amount_micros,
        void=form.part.data == "void",
        idempotency_key=form.key.data,
        now=parts.now(),
    )
    return credit_words(note, void=form.part.data == "void")


def bill_words(line: BillLine) -> str:
    """`INV-7, payable until 20 Mar 2026: 30.00 USD open (overdue)`."""
    bill = line.bill
    left = f"{money(bill.open_micros, bill.currency)} open of " if bill.open_micros else ""
    total = money(bill.total_micros, bill.currency)
    return f"{bill.number}, payable until {day(bill.due_on)}: {left}{total} ({line.state})"


def _prepayment_words(one: PrepaymentInvoiceView) -> str:
    """`PRE-7, prepayment for 2026-03, payable until 20 Mar 2026: 30.00 USD`."""
    amount = money(one.amount_micros, one.currency)
    what = f"{one.number}, prepayment for {one.month:%Y-%m}"
    return f"{what}, payable until {day(one.due_on)}: {amount}"


def credit_words(note: CreditNoteView, *, void: bool = False) -> list[str]:
    """What a credit note does, in sentences."""
    owed_micros = note.total_micros - note.to_wallet_micros
    said = [
        f"{money(note.total_micros, note.currency)} of {note.invoice_number} is credited: "
        f"{money(owed_micros, note.currency)} is owed no more, "
        f"{money(note.to_wallet_micros, note.currency)} goes to the wallet."
    ]
    if void:
        said.append("The bill is void: the next run bills its days and charges again.")
    if note.repeated:
        said.append("This was done before; nothing was done twice.")
    return said


def _payment_words(receipt: PaymentReceipt) -> list[str]:
    amount = money(receipt.amount_micros, receipt.currency)
    arrived = receipt.payment_id is not None
    said = [f"{amount} was taken." if arrived else f"{amount} of the wallet was used."]
    if receipt.receipt_number:
        link = url_for(
            "admin.receipt_pdf",
            customer_id=receipt.customer_id,
            number=receipt.receipt_number,
            size="receipt",
        )
        words = Markup('Receipt {}: <a href="{}">print it</a>.')
        said.append(words.format(receipt.receipt_number, link))
    if receipt.settled:
        said.append(f"Paid in full: {', '.join(receipt.settled)}.")
    if receipt.recovered_micros:
        recovered = money(receipt.recovered_micros, receipt.currency)
        said.append(f"{recovered} had been written off and is recovered.")
    said.append(f"The wallet has {money(receipt.available_micros, receipt.currency)} available.")
    if receipt.repeated:
        said = [f"{amount} had been taken already by this form; nothing was taken twice."]
    return said


def _checked_reference(text: str | None) -> str | None:
    reference = (text or "").strip()
    if len(reference) > _REFERENCE_MOST:
        raise InvalidInput(f"longer than {_REFERENCE_MOST} characters", field="reference")
    return reference or None
