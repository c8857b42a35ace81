"""Money of nobody: looked at, matched to who paid it, split, given back (rule P1)."""

from __future__ import annotations

from collections.abc import Sequence

from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import BooleanField, HiddenField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice

from billing.errors import Conflict, InvalidInput
from billing.model.commerce import MoneyChannel
from billing.model.money import Money
from billing.model.payments import SuspenseView
from billing.model.suspense import Why
from billing.model.views import PaymentReceipt
from billing.services import customers, suspense_desk, suspense_undo
from billing.services import suspense as service
from billing.services.context import Context
from web import parts
from web.admin import blueprint
from web.formats import channel, money
from web.forms import AmountField, needed
from web.guards import CASHIERS, DESK, staff_only
from web.once import OnceForm, send

PAGE_ROWS = 50
WHY = {
    Why.PAYMENT: "paid before with this reference",
    Why.REFERENCE: "named by the text",
    Why.AMOUNT: "just so much is open",
    Why.NAME: "is called so",
}
_ERRORS_AT = {"invoice": "number", "wallet": "customer", "suspense": "amount"}


_CHANNELS = [
    SelectChoice(one.value, channel(one.value))
    for one in (
        MoneyChannel.BANK_TRANSFER,
        MoneyChannel.CASH,
        MoneyChannel.MOBILE_MONEY,
        MoneyChannel.CARD,
        MoneyChannel.DIRECT_DEBIT,
        MoneyChannel.PAYPAL,
    )
]


class MatchForm(OnceForm):
    """Whose it is, and for what."""

    customer = StringField("Customer", [needed], description="Number or full name.")
    number = StringField(
        "Bill or prepayment invoice",
        description="Like INV-7 or PRE-7. Empty: the wallet, which pays open bills, oldest first.",
        render_kw={"autocapitalize": "characters"},
    )
    amount = AmountField("Amount", description="Empty: all that is left. The rest goes on waiting.")


class ReturnForm(OnceForm):
    """How it went back. `left`: what was left when it was shown, in micros."""

    left = HiddenField()
    amount = AmountField("Amount", description="Empty: all that is left.")
    note = TextAreaField(
        "How",
        [needed],
        description="To whom and by which transfer; it stays on record.",
        render_kw={"rows": 2, "maxlength": 200},
    )


class ReceiveForm(OnceForm):
    """Money that came, and what is known of it."""

    amount = AmountField("Amount", [needed])
    channel = SelectField("How it came", choices=_CHANNELS)
    reference = StringField(
        "Reference", [needed], description="What it came with; each is kept once."
    )
    note = TextAreaField(
        "What is known of it", description="Who paid, and for what.", render_kw={"rows": 2}
    )


class UndoForm(OnceForm):
    """Why."""

    reason = TextAreaField(
        "What was wrong", [needed], description="It stays on record.", render_kw={"rows": 2}
    )
    even_if_spent = BooleanField(
        "Even if it is spent", description="The wallet may fall below zero: the customer owes it."
    )


@blueprint.get("/suspense", endpoint="suspense")
@staff_only(DESK)
def suspense_page() -> ResponseReturnValue:
    """What waits, oldest first, from behind the number `after`; what was moved too with `all`."""
    everything = "all" in request.args
    found = service.listed(
        parts.context(),
        everything=everything,
        after=request.args.get("after", type=int),
        limit=PAGE_ROWS,
    )
    more = found[-1].suspense_id if len(found) == PAGE_ROWS else None
    return render_template("admin/suspense.html", rows=found, more=more, everything=everything)


@blueprint.route("/suspense/receive", methods=["GET", "POST"])
@staff_only(CASHIERS)
def suspense_receive() -> ResponseReturnValue:
    """Money has come, and nobody knows from whom."""
    context, form = parts.context(), ReceiveForm()
    form.amount.currency = parts.operator().currency

    def receive(within: Context) -> Sequence[str]:
        amount = Money(form.amount.data, form.amount.currency)
        kept = service.receive(
            within,
            amount,
            MoneyChannel(form.channel.data),
            reference=form.reference.data.strip(),
            note=(form.note.data or "").strip(),
            now=parts.now(),
        )
        if not kept:
            raise Conflict("is kept already: each reference of a channel once", field="reference")
        return [f"{money(amount.amount_micros, amount.currency)} waits for its owner."]

    sent = send(context, form, receive)
    if sent.done:
        return redirect(url_for("admin.suspense"))
    page = render_template(
        "admin/suspense_form.html", form=form, one=None, quote=None, label="Enter money of nobody"
    )
    return page, 422 if form.errors else 200


@blueprint.route("/suspense/<int:number>/undo/<int:move>", methods=["GET", "POST"])
@staff_only(CASHIERS)
def suspense_undone(number: int, move: int) -> ResponseReturnValue:
    """A match was wrong; what taking it back does is shown first."""
    context, form = parts.context(), UndoForm()
    case = suspense_desk.show(context, number)
    chosen = next((one for one in case.moves if one.move_id == move), None)
    if chosen is None:
        abort(404)

    def undo(within: Context) -> Sequence[str]:
        suspense_undo.undo(
            within, move, form.reason.data, parts.now(), even_if_spent=form.even_if_spent.data
        )
        gone = money(chosen.amount_micros, case.money.currency)
        return [
            f"{gone} leaves the wallet of {chosen.customer_name}, and is nobody's again.",
            "A bill that it paid stays paid: what is missing stands in the wallet.",
        ]

    sent = send(context, form, undo, quoted=True, errors_at={"move": "reason"})
    if sent.done:
        return redirect(url_for("admin.suspense_case", number=number))
    page = render_template(
        "admin/suspense_form.html", form=form, one=case.money, quote=sent.quote,
        label="Undo the match",
    )  # fmt: skip
    return page, 422 if form.errors else 200


@blueprint.get("/suspense/<int:number>")
@staff_only(DESK)
def suspense_case(number: int) -> ResponseReturnValue:
    """One amount: what came of it so far, and whose it may be."""
    context = parts.context()
    return render_template(
        "admin/suspense_case.html",
        case=suspense_desk.show(context, number),
        proposals=suspense_desk.proposed(context, number),
        why=WHY,
    )


@blueprint.route("/suspense/<int:number>/match", methods=["GET", "POST"])
@staff_only(CASHIERS)
def suspense_match(number: int) -> ResponseReturnValue:
    """It is a customer's, or a part of it is. What it does is shown first."""
    context, form = parts.context(), MatchForm()
    one = suspense_desk.show(context, number).money
    form.amount.currency = one.currency
    if not form.is_submitted():
        form.customer.data = request.args.get("customer")
        form.number.data = request.args.get("for_number")
    sent = send(
        context, form, lambda within: _match(within, one, form), quoted=True, errors_at=_ERRORS_AT
    )
    if sent.done:
        return redirect(url_for("admin.suspense_case", number=number))
    page = render_template(
        "admin/suspense_form.html", form=form, one=one, quote=sent.quote, label="Match"
    )
    return page, 422 if form.errors else 200


@blueprint.route("/suspense/<int:number>/return", methods=["GET", "POST"])
@staff_only(CASHIERS)
def suspense_return(number: int) -> ResponseReturnValue:
    """It went back to whom it came from, or a part did."""
    context, form = parts.context(), ReturnForm()
    one = suspense_desk.show(context, number).money
    form.amount.currency = one.currency
    if not form.is_submitted():
        # Sent twice, the second finds less left than was shown: it is done once.
        form.left.data = str(one.left_micros)
    sent = send(context, form, lambda within: _give_back(within, one, form), errors_at=_ERRORS_AT)
    if sent.done:
        return redirect(url_for("admin.suspense_case", number=number))
    page = render_template(
        "admin/suspense_form.html", form=form, one=one, quote=None, label="Give back"
    )
    return page, 422 if form.errors else 200


def _match(context: Context, one: SuspenseView, form: MatchForm) -> Sequence[str]:
    customer = customers.find_customer(context, form.customer.data.strip())
    receipt = service.match(
        context,
        one.suspense_id,
        customer.customer_id,
        idempotency_key=form.key.data,
        now=parts.now(),
        amount_micros=form.amount.data,
        number=(form.number.data or "").strip().upper() or None,
    )
    return _words(customer.name, receipt)


def _words(name: str, receipt: PaymentReceipt) -> list[str]:
    amount = money(receipt.amount_micros, receipt.currency)
    if receipt.repeated:
        return [f"{amount} had been matched already by this form; nothing was done twice."]
    said = [f"{amount} is {name}’s, with a receipt."]
    if receipt.settled:
        said.append(f"Paid in full: {', '.join(receipt.settled)}.")
    available = money(receipt.available_micros, receipt.currency)
    return [*said, f"The wallet then has {available} available."]


def _give_back(context: Context, one: SuspenseView, form: ReturnForm) -> Sequence[str]:
    shown = form.left.data or ""
    if not (shown.isascii() and shown.isdecimal() and len(shown) <= 18):
        raise InvalidInput("open this page again", field="amount")
    before = int(shown)
    view = service.give_back(
        context,
        one.suspense_id,
        note=form.note.data,
        now=parts.now(),
        amount_micros=form.amount.data,
        if_left_micros=before,
    )
    given = money(before - view.left_micros, view.currency)
    return [f"{given} was given back; {money(view.left_micros, view.currency)} is left of it."]
