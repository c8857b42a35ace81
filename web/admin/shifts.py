"""A cashier's shift: a counted float, a blind count, handing over (rule R4)."""

from __future__ import annotations

from collections.abc import Callable

from flask import abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import StringField, TextAreaField

from billing.errors import Conflict, InvalidInput, Refused
from billing.model.shifts import ShiftView
from billing.services import shifts as service
from web import parts
from web.admin import blueprint
from web.formats import money
from web.forms import MoneyField, needed, show_errors
from web.guards import ABOVE, TILLS, staff_only


class OpenForm(FlaskForm):
    """What is in the drawer."""

    float_micros = MoneyField("In the drawer, counted", [needed])


class CloseForm(FlaskForm):
    """What is in it at the end."""

    counted_micros = MoneyField("In the drawer, counted", [needed])
    note = TextAreaField(
        "Note",
        description="Why it differs, where you know.",
        render_kw={"rows": 2, "maxlength": 200},
    )


class HandOverForm(FlaskForm):
    """To whom."""

    to = StringField("Who took the money", [needed])


class DepositForm(FlaskForm):
    """By which slip."""

    reference = StringField("Reference of the paying-in slip", [needed])


@blueprint.route("/shifts", methods=["GET", "POST"], endpoint="shifts")
@staff_only(TILLS)
def shifts_page() -> ResponseReturnValue:
    """Open ones first; and the own one is opened."""
    context, form = parts.context(), OpenForm()
    if form.validate_on_submit():
        try:
            done = service.start(context, form.float_micros.data, parts.now())
        except (InvalidInput, Conflict) as error:
            show_errors(form, error, {"float": "float_micros"})
        else:
            flash("Your shift is open: what you take at the desk is in it.", "success")
            return redirect(url_for("admin.shift", shift_id=done.shift_id))
    found = service.listed(context)
    own = next((one for one in found if _is_own(one) and one.closed_at is None), None)
    page = render_template("admin/shifts.html", rows=found, own=own, form=form)
    return page, 422 if form.errors else 200


@blueprint.get("/shifts/<int:shift_id>")
@staff_only(TILLS)
def shift(shift_id: int) -> ResponseReturnValue:
    """Its report once it is counted; before that, the count."""
    return _page(service.show(parts.context(), shift_id))


@blueprint.post("/shifts/<int:shift_id>/close")
@staff_only(TILLS)
def shift_close(shift_id: int) -> ResponseReturnValue:
    """Counted; only then it is told what should have been there. By its cashier, or an owner."""
    context, form = parts.context(), CloseForm()
    view = service.show(context, shift_id)
    if not _may_close(view):
        abort(403)

    def close() -> str:
        done = service.close(
            context, shift_id, form.counted_micros.data, parts.now(), note=form.note.data or None
        )
        return _difference_words(done)

    return _changed(view, form, close, {"counted": "counted_micros"})


@blueprint.post("/shifts/<int:shift_id>/hand-over")
@staff_only(TILLS)
def shift_hand_over(shift_id: int) -> ResponseReturnValue:
    """The counted money went to somebody."""
    context, form = parts.context(), HandOverForm()

    def hand_over() -> str:
        service.hand_over(context, shift_id, form.to.data, parts.now())
        return "It is kept who took the money."

    return _changed(service.show(context, shift_id), form, hand_over, {"name": "to"})


@blueprint.post("/shifts/<int:shift_id>/deposit")
@staff_only(ABOVE)
def shift_deposit(shift_id: int) -> ResponseReturnValue:
    """It was paid in at the bank."""
    context, form = parts.context(), DepositForm()

    def deposit() -> str:
        service.deposit(context, shift_id, form.reference.data, parts.now())
        return "It is kept that the money was paid in."

    return _changed(service.show(context, shift_id), form, deposit, {"name": "reference"})


def _changed(
    view: ShiftView, form: FlaskForm, act: Callable[[], str], errors_at: dict[str, str]
) -> ResponseReturnValue:
    if form.validate_on_submit():
        try:
            flash(act(), "success")
            return redirect(url_for("admin.shift", shift_id=view.shift_id))
        except (InvalidInput, Refused) as error:
            show_errors(form, error, errors_at)
    return _page(service.show(parts.context(), view.shift_id), form)


def _page(view: ShiftView, sent: FlaskForm | None = None) -> ResponseReturnValue:
    forms = {
        kind.__name__: sent if isinstance(sent, kind) else kind(formdata=None)
        for kind in (CloseForm, HandOverForm, DepositForm)
    }
    may_close = view.closed_at is None and _may_close(view)
    page = render_template("admin/shift.html", view=view, may_close=may_close, **forms)
    return page, 200 if sent is None else 422


def _difference_words(view: ShiftView) -> str:
    missing = view.difference_micros or 0
    if not missing:
        return "Counted: just what should be there."
    words = "more than" if missing > 0 else "less than"
    return f"Counted: {money(abs(missing), view.currency)} {words} should be there."


def _may_close(view: ShiftView) -> bool:
    """Its cashier, or an owner of the cashier's organisation or above."""
    person = parts.member()
    return _is_own(view) or person.may_edit or person.may_resell


def _is_own(view: ShiftView) -> bool:
    return view.cashier == parts.member().email
