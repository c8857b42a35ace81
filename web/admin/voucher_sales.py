"""Vouchers of a batch are sold, and taken back (rule R3)."""

from __future__ import annotations

import secrets

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import HiddenField, RadioField, StringField
from wtforms.fields.choices import SelectChoice

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.resellers import ResellerView
from billing.services import customers, resellers, voucher_sales
from billing.services import vouchers as service
from billing.services.voucher_sales import Range
from web import parts
from web.admin import blueprint
from web.formats import CHANNELS, money
from web.forms import WholeField, show_errors
from web.guards import EMPLOYERS, TILLS, staff_only

_WALLET = "wallet"
_LAPSE = "lapse"
_BACK = "wallet"


class RangeForm(FlaskForm):
    """Which ones."""

    first = WholeField("From number", description="As printed; empty: from the first one on.")
    last = WholeField("To number", description="Empty: up to the last one.")

    def which(self, batch_id: int) -> Range:
        return Range(batch_id=batch_id, first=self.first.data, last=self.last.data)


class SellForm(RangeForm):
    """Who pays, and how. `key` makes the sale happen once (rule M5)."""

    key = HiddenField()
    pay_by = RadioField(
        "How they are paid",
        choices=[
            *(SelectChoice(channel.value, words) for channel, words in CHANNELS.items()),
            SelectChoice(_WALLET, "From a customer's wallet"),
        ],
        default=MoneyChannel.CASH.value,
    )
    customer = StringField(
        "Customer", description="Number or full name, where the wallet pays; else empty."
    )


class RevokeForm(RangeForm):
    """What becomes of what was paid."""

    money = RadioField(
        "What was paid for them",
        choices=[
            SelectChoice(_LAPSE, "Is kept: it lapses"),
            SelectChoice(_BACK, "Goes back to the wallets of the customers who bought them"),
            *(
                SelectChoice(channel.value, f"Goes back; over the counter by {words.lower()}")
                for channel, words in CHANNELS.items()
            ),
        ],
        default=_LAPSE,
    )


@blueprint.route("/vouchers/batches/<int:batch_id>/sell", methods=["GET", "POST"])
@staff_only(TILLS)
def voucher_sell(batch_id: int) -> ResponseReturnValue:
    """From then on they can be redeemed. A reseller's are paid from its wallet, whoever sells."""
    context, form = parts.context(), SellForm()
    view = service.get_batch(context, batch_id)
    shop = _shop_of(view.org_id)
    if shop is not None:
        del form.pay_by, form.customer
    if not form.is_submitted():
        form.key.data = secrets.token_hex(16)
    if form.validate_on_submit():
        try:
            done = voucher_sales.activate(
                context,
                form.which(batch_id),
                idempotency_key=form.key.data,
                now=parts.now(),
                pay_by=_channel(form),
                buyer_id=_buyer(form),
            )
        except (InvalidInput, NotFound, Refused, Conflict) as error:
            if error.field == "idempotency_key":
                form.key.data = secrets.token_hex(16)
            show_errors(form, error, {})
        else:
            receipt = f", receipt {done.receipt_number}" if done.receipt_number else ""
            total = money(done.total_micros, done.currency)
            flash(f"{done.count} vouchers are sold for {total}{receipt}.", "success")
            hidden = context.cashier
            if shop is not None and not hidden and (after := _shop_of(view.org_id)) is not None:
                left = money(after.available_micros, after.currency)
                flash(f"The wallet of {after.name} then has {left}.", "info")
            return redirect(url_for("admin.voucher_batch", batch_id=batch_id))
    page = render_template("admin/voucher_sell.html", form=form, view=view, shop=shop)
    return page, 422 if form.is_submitted() else 200


@blueprint.route("/vouchers/batches/<int:batch_id>/revoke", methods=["GET", "POST"])
@staff_only(EMPLOYERS)
def voucher_revoke(batch_id: int) -> ResponseReturnValue:
    """Nobody can redeem them any more. What a reseller gives back goes to its wallet, by itself
    within its window only (rule R1)."""
    context, form = parts.context(), RevokeForm()
    view = service.get_batch(context, batch_id)
    shop = _shop_of(view.org_id)
    if shop is not None:
        form.money.choices = [
            SelectChoice(_BACK, "Goes back to the wallets that paid, at cost"),
            SelectChoice(_LAPSE, "Is kept: it lapses"),
        ]
        if not form.is_submitted():
            form.money.data = _BACK
    if form.validate_on_submit():
        chosen = form.money.data
        try:
            count = voucher_sales.revoke(
                context,
                form.which(batch_id),
                parts.now(),
                refund=chosen != _LAPSE,
                refund_by=None if chosen in (_LAPSE, _BACK) else MoneyChannel(chosen),
            )
        except (InvalidInput, NotFound, Refused, Conflict) as error:
            show_errors(form, error, {"refund_by": "money"})
        else:
            flash(f"{count} vouchers are revoked.", "success")
            return redirect(url_for("admin.voucher_batch", batch_id=batch_id))
    page = render_template("admin/voucher_revoke.html", form=form, view=view, shop=shop)
    return page, 422 if form.is_submitted() else 200


def _shop_of(org_id: int) -> ResellerView | None:
    """The reseller whose batch it is; None for the operator's."""
    try:
        return resellers.show(parts.context(), org_id)
    except NotFound:
        return None


def _channel(form: SellForm) -> MoneyChannel | None:
    if form.pay_by is None or form.pay_by.data == _WALLET:
        return None
    return MoneyChannel(form.pay_by.data)


def _buyer(form: SellForm) -> int | None:
    """Raises InvalidInput, NotFound, Conflict."""
    if form.pay_by is None:
        return None
    name = (form.customer.data or "").strip()
    if form.pay_by.data == _WALLET:
        if not name:
            raise InvalidInput("say whose wallet pays", field="customer")
        return customers.find_customer(parts.context(), name).customer_id
    if name:
        raise InvalidInput("leave it empty, or let the wallet pay", field="customer")
    return None
