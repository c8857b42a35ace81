"""A reseller asks for money, and who is above it answers (rules R1, R2)."""

from __future__ import annotations

from collections.abc import Sequence

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import RadioField, StringField
from wtforms.fields.choices import SelectChoice

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.commerce import MoneyChannel
from billing.model.resellers import RequestView
from billing.services import reseller_money, resellers
from billing.services.context import Context
from web import parts
from web.admin import blueprint
from web.admin.counter import own_context, own_shop
from web.formats import CHANNELS, money
from web.forms import MoneyField, needed, show_errors
from web.guards import ABOVE, SHOPKEEPERS, staff_only
from web.once import OnceForm, send

APPROVE, DECLINE = "approve", "decline"


class AskForm(FlaskForm):
    """How much, and why."""

    amount_micros = MoneyField("Amount", [needed])
    note = StringField("Note", description="Who is above you reads it, like 'paid in at the bank'.")


class AnswerForm(OnceForm):
    """Yes or no. `channel` is left out where the money comes from a wallet above."""

    decision = RadioField(
        "Answer",
        [needed],
        choices=[SelectChoice(APPROVE, "Approve"), SelectChoice(DECLINE, "Refuse")],
    )
    channel = RadioField(
        "If approved: how the money came",
        choices=[SelectChoice(channel.value, words) for channel, words in CHANNELS.items()],
        default=MoneyChannel.CASH.value,
    )
    words = StringField("Words to the reseller", description="Why, where you refuse; may be empty.")


@blueprint.route("/counter/money", methods=["GET", "POST"])
@staff_only(SHOPKEEPERS)
def counter_money() -> ResponseReturnValue:
    """Ask who is above; and what became of earlier requests."""
    context, form = own_context(), AskForm()
    shop = own_shop(context)
    if not form.is_submitted() and (wanted := request.args.get("amount", type=int)):
        form.amount_micros.data = max(0, wanted)
    if form.validate_on_submit():
        try:
            asked = reseller_money.ask(
                context, shop.org_id, form.amount_micros.data, parts.now(), note=form.note.data
            )
        except (InvalidInput, Conflict) as error:
            show_errors(form, error, {"amount": "amount_micros"})
        else:
            flash(f"You asked for {money(asked.amount_micros, asked.currency)}.", "success")
            return redirect(url_for("admin.counter_money"))
    page = render_template(
        "admin/counter_money.html",
        form=form,
        shop=shop,
        asked=reseller_money.requests(context),
        moved=reseller_money.transfers(context, shop.org_id),
    )
    return page, 422 if form.errors else 200


@blueprint.route("/resellers/requests/<int:request_id>", methods=["GET", "POST"])
@staff_only(ABOVE)
def reseller_request(request_id: int) -> ResponseReturnValue:
    """The one that waits: approved, its money is moved; refused, nothing is."""
    context, form = parts.context(), AnswerForm()
    asked = _waiting(context, request_id)
    shop = resellers.show(context, asked.org_id)
    sources = {one.org_id: one for one in resellers.listed(context)}
    source = sources.get(shop.parent_org_id)
    if source is not None:
        del form.channel
    by_channel = source is None
    sent = send(
        context,
        form,
        lambda within: _answer(within, request_id, form, by_channel=by_channel),
        errors_at={"answer": "words"},
    )
    if sent.done:
        return redirect(url_for("admin.resellers"))
    page = render_template(
        "admin/reseller_request.html", form=form, asked=asked, shop=shop, source=source
    )
    return page, 422 if form.errors else 200


def _answer(
    context: Context, request_id: int, form: AnswerForm, *, by_channel: bool
) -> Sequence[str]:
    approve = form.decision.data == APPROVE
    done = reseller_money.answer(
        context,
        request_id,
        parts.now(),
        approve=approve,
        channel=MoneyChannel(form.channel.data) if approve and by_channel else None,
        words=form.words.data,
    )
    amount = money(done.amount_micros, done.currency)
    return [f"{amount} went to {done.name}." if approve else f"{done.name} was refused."]


def _waiting(context: Context, request_id: int) -> RequestView:
    """Raises NotFound, and Refused where it was answered already."""
    for one in reseller_money.requests(context):
        if one.request_id == request_id:
            if one.decided_at is not None:
                raise Refused(f"the request was {one.state} already")
            return one
    raise NotFound(f"no request has the number {request_id}", field="request")
