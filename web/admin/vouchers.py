"""Vouchers: batches with their stock, one by its serial number, what was redeemed (rule R3)."""

from __future__ import annotations

from datetime import date, timedelta

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from billing.errors import Conflict, InvalidInput, NotFound, Refused
from billing.model.vouchers import VoucherView
from billing.services import vouchers as service
from web import parts
from web.admin import blueprint
from web.admin.voucher_batches import prints_for
from web.formats import local_day
from web.guards import ABOVE, CASHIERS, STAFF, may_call, staff_only

PAGE_BATCHES = 50
_SERIAL_MOST = 18


class ReplaceForm(FlaskForm):
    """Nothing but its CSRF token."""


@blueprint.get("/vouchers")
@staff_only(STAFF)
def vouchers() -> ResponseReturnValue:
    """Batches, the newest first, from before the number `before` on."""
    before = request.args.get("before", type=int)
    batches = service.list_batches(parts.context(), before=before, limit=PAGE_BATCHES)
    more = batches[-1].batch_id if len(batches) == PAGE_BATCHES else None
    return render_template("admin/vouchers.html", batches=batches, more=more)


@blueprint.get("/vouchers/find")
@staff_only(STAFF)
def voucher_find() -> ResponseReturnValue:
    """By the number `serial` that is printed on the card."""
    text = request.args.get("serial", "").strip()
    # A code is no number; nobody should paste one here, as the address of a page is kept in logs.
    if text.isascii() and text.isdigit() and len(text) <= _SERIAL_MOST:
        try:
            found = service.show(parts.context(), int(text))
        except NotFound as error:
            flash(error.message, "danger")
        else:
            return redirect(url_for("admin.voucher", serial=found.serial))
    else:
        flash("Write the serial number of the card, in digits; never its code.", "danger")
    return redirect(url_for("admin.vouchers"))


@blueprint.get("/vouchers/<int:serial>")
@staff_only(STAFF)
def voucher(serial: int) -> ResponseReturnValue:
    """One, without its code; whose it is was looked up is kept."""
    view = service.look_up(parts.context(), serial, parts.now())
    return render_template(
        "admin/voucher.html", view=view, made=None, form=ReplaceForm(), replaces=_replaces(view)
    )


@blueprint.post("/vouchers/<int:serial>/replace")
@staff_only(ABOVE)
def voucher_replace(serial: int) -> ResponseReturnValue:
    """The new code stands on this page, that once. A reseller replaces its own cards."""
    form, context = ReplaceForm(), parts.context()
    if not _replaces(service.show(context, serial)):
        abort(403)
    if not form.validate_on_submit():
        return redirect(url_for("admin.voucher", serial=serial))
    try:
        made = service.replace(context, serial, parts.now())
    except (Refused, Conflict) as error:
        flash(error.message, "danger")
        return redirect(url_for("admin.voucher", serial=serial))
    view = service.show(context, made.serial)
    return render_template("admin/voucher.html", view=view, made=made, form=form, replaces=False)


@blueprint.get("/vouchers/report")
@staff_only(CASHIERS)
def voucher_report() -> ResponseReturnValue:
    """From the local day `from` to the day `to`: this month so far unless given."""
    today = date.fromisoformat(local_day(parts.now()))
    first, last = _asked("from") or today.replace(day=1), _asked("to") or today
    try:
        lines = service.report(parts.context(), first, last)
    except InvalidInput as error:
        flash(f"The last day {error.message}.", "danger")
        lines = []
    return render_template("admin/voucher_report.html", lines=lines, first=first, last=last)


def _replaces(view: VoucherView) -> bool:
    """Whether who is logged in may have the new code of a card."""
    return may_call("admin.voucher_replace") and prints_for(view.org_id)


def _asked(name: str) -> date | None:
    text = request.args.get(name, "").strip()
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = date.min
    if not date(2000, 1, 1) <= found <= date(2999, 12, 31) - timedelta(days=1):
        flash("Not a day: write it like 2026-03-01.", "danger")
        return None
    return found
