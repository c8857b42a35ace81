"""A reseller sells the packages that end to many customers in one go (rule R1): choose, see what it
takes from the wallet, confirm, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from billing.errors import InvalidInput
from billing.model.resellers import Chosen
from billing.services import reseller_renewals as service
from billing.services import shifts
from web import parts
from web.admin import blueprint
from web.admin.counter import own_context, own_shop
from web.guards import SELLERS, staff_only

DAYS = (1, 3, 7, 14, 31)
_SEPARATOR = "-"
Pairs = list[tuple[int, int]]


class RenewForm(FlaskForm):
    """Nothing but its CSRF token; what is chosen are the fields `chosen`, one a package."""


@blueprint.route("/counter/renew", methods=["GET", "POST"])
@staff_only(SELLERS)
def counter_renew() -> ResponseReturnValue:
    """Whose packages end; sent, what selling them again would do."""
    form, chosen = RenewForm(), _pairs(request.form.getlist("chosen"))
    if not form.validate_on_submit():
        return _choose(form, None)
    context = own_context()
    try:
        found = service.quote(context, context.home_org_id, chosen, parts.now())
    except InvalidInput as error:
        return _choose(form, error.message)
    lines = [
        (row, "" if row.receipt is None else service.terms_of(context, row.receipt))
        for row in found.rows
    ]
    page = render_template(
        "admin/counter_renew_quote.html",
        found=found,
        lines=lines,
        shop=own_shop(context),
        form=form,
        in_shift=shifts.is_open(context),
    )
    return page, 200


@blueprint.post("/counter/renew/sell")
@staff_only(SELLERS)
def counter_renew_sell() -> ResponseReturnValue:
    """Each sale by itself, once however often this is sent: a line for each."""
    context, form = own_context(), RenewForm()
    chosen = [
        Chosen(
            subscription_id=subscription_id,
            entitlement_id=entitlement_id,
            quoted=request.form.get(f"quoted-{subscription_id}", ""),
        )
        for subscription_id, entitlement_id in _pairs(request.form.getlist("chosen"))
    ]
    if not form.validate_on_submit():
        return _choose(form, None)
    try:
        rows = service.renew_chosen(context, context.home_org_id, chosen, parts.now())
    except InvalidInput as error:
        return _choose(form, error.message)
    sold = [row for row in rows if row.receipt is not None]
    return render_template(
        "admin/counter_renewed.html",
        rows=rows,
        shop=own_shop(context),
        sold=len(sold),
        total_micros=sum(row.receipt.total_micros for row in sold if row.receipt),
    )


def _choose(form: RenewForm, problem: str | None) -> ResponseReturnValue:
    context = own_context()
    asked = request.args.get("days", 3, type=int)
    days = asked if asked in DAYS else 3
    text = request.args.get("q", "").strip()
    most = service.CHOSEN_MOST
    rows = service.due(
        context, context.home_org_id, timedelta(days=days), parts.now(), text=text, most=most + 1
    )
    page = render_template(
        "admin/counter_renew.html",
        rows=rows[:most],
        more=len(rows) > most,
        days=days,
        choices=DAYS,
        text=text,
        form=form,
        shop=own_shop(context),
        problem=problem,
    )
    return page, 422 if form.is_submitted() else 200


def _pairs(values: Sequence[str]) -> Pairs:
    """Of subscription and package; what is no such pair is left out."""
    found = []
    for value in values:
        first, _, second = value.partition(_SEPARATOR)
        if first.isdecimal() and second.isdecimal() and len(value) < 38:
            found.append((int(first), int(second)))
    return list(dict.fromkeys(found))
