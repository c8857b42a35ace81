"""The desk's side of collectors: their receipt books, what they hand over, and what each took (rule
R4)."""

from __future__ import annotations

from datetime import date, timedelta

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import StringField, TextAreaField

from billing.errors import Conflict, InvalidInput, Refused
from billing.model.collections import CollectorReport, SettlementView
from billing.services import collections as service
from web import parts
from web.admin import blueprint
from web.formats import local_day, money
from web.forms import MoneyField, WholeField, needed, show_errors
from web.guards import CASHIERS, staff_only

_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2999, 12, 31)


class BookForm(FlaskForm):
    """A book for a collector."""

    collector = StringField(
        "Collector",
        [needed],
        description="The email of who enters receipts on a phone; or a name, whose paper receipts "
        "are entered at the desk.",
        render_kw={"maxlength": 100},
    )
    series = StringField("Series", description="Letters before the number; may be empty.")
    first = WholeField("First number", [needed])
    last = WholeField("Last number", [needed])


class LimitForm(FlaskForm):
    """How much cash a collector may hold."""

    holder = StringField("Collector", [needed], render_kw={"maxlength": 100})
    limit_micros = MoneyField(
        "May hold in cash",
        description="More is not taken until it has handed over. Empty: as much as it takes.",
    )


class HandOverForm(FlaskForm):
    """Count first."""

    counted_micros = MoneyField("Cash that is handed over, counted", [needed])
    note = TextAreaField("Note", render_kw={"rows": 2, "maxlength": 200})


class CloseForm(FlaskForm):
    """Nothing but its CSRF token."""


@blueprint.route("/collectors", methods=["GET", "POST"], endpoint="collections")
@staff_only(CASHIERS)
def collections_page() -> ResponseReturnValue:
    """Who took what between two days and has what still, the books, the settlements; one more
    book."""
    context, form = parts.context(), BookForm()
    if form.validate_on_submit():
        try:
            made = service.open_book(
                context,
                form.collector.data,
                series=form.series.data or "",
                first=form.first.data,
                last=form.last.data,
                now=parts.now(),
            )
        except (InvalidInput, Refused, Conflict) as error:
            show_errors(form, error, {"name": "collector"})
        else:
            flash(f"{made.collector} has the book {made.series}{made.first_number} to "
                  f"{made.last_number}.", "success")  # fmt: skip
            return redirect(url_for("admin.collections"))
    return _page(form)


def _page(form: BookForm, limit: LimitForm | None = None) -> ResponseReturnValue:
    """`limit`: the form that was sent and has mistakes."""
    context = parts.context()
    page = render_template(
        "admin/collections.html",
        report=_report(),
        books=service.books(context),
        settlements=service.settlements(context),
        form=form,
        limits=service.limits(context),
        limit=limit or LimitForm(formdata=None),
        close=CloseForm(formdata=None),
    )
    return page, 422 if form.errors or form.form_errors or limit else 200


@blueprint.post("/collectors/limit")
@staff_only(CASHIERS)
def collector_limit() -> ResponseReturnValue:
    """How much cash a collector may hold before it hands over."""
    form = LimitForm()
    if form.validate_on_submit():
        try:
            done = service.set_limit(
                parts.context(), form.holder.data, form.limit_micros.data, parts.now()
            )
        except (InvalidInput, Refused) as error:
            show_errors(form, error, {"name": "holder", "amount": "limit_micros"})
        else:
            may = "as much as it takes"
            if done.limit_micros is not None:
                may = f"{money(done.limit_micros, done.currency)} at most"
            flash(f"{done.collector} may hold {may}.", "success")
            return redirect(url_for("admin.collections"))
    return _page(BookForm(formdata=None), form)


@blueprint.post("/collectors/books/<int:book_id>/close")
@staff_only(CASHIERS)
def collector_book_close(book_id: int) -> ResponseReturnValue:
    """No number of it is entered any more."""
    if CloseForm().validate_on_submit():
        try:
            service.close_book(parts.context(), book_id, parts.now())
        except Refused as error:
            flash(f"{error.message[:1].upper()}{error.message[1:]}.", "danger")
        else:
            flash("The book is closed.", "success")
    return redirect(url_for("admin.collections"))


@blueprint.route("/collectors/<collector>/hand-over", methods=["GET", "POST"])
@staff_only(CASHIERS)
def collector_hand_over(collector: str) -> ResponseReturnValue:
    """Counted; only then it is told what should be there."""
    context, form = parts.context(), HandOverForm()
    if form.validate_on_submit():
        try:
            done = service.hand_over(
                context,
                collector,
                form.counted_micros.data,
                parts.now(),
                note=form.note.data or None,
            )
        except (InvalidInput, Refused) as error:
            show_errors(form, error, {"counted": "counted_micros"})
        else:
            flash(_difference_words(done), "success" if not done.difference_micros else "warning")
            return redirect(url_for("admin.collections"))
    page = render_template(
        "admin/collector_hand_over.html",
        form=form,
        collector=collector,
        receipts=service.open_receipts(context, collector),
    )
    return page, 422 if form.errors or form.form_errors else 200


def _report() -> CollectorReport:
    """Of the days `from` and `to`, both included: this month so far unless given."""
    today = date.fromisoformat(local_day(parts.now()))
    try:
        first_day = date.fromisoformat(request.args.get("from", today.replace(day=1).isoformat()))
        last_day = date.fromisoformat(request.args.get("to", today.isoformat()))
        if not _FIRST_DAY <= first_day <= last_day < _LAST_DAY:
            raise ValueError
    except ValueError:
        flash("Not two days: write them like 2026-03-01, the first before the last.", "danger")
        first_day, last_day = today.replace(day=1), today
    return service.report(parts.context(), first_day, last_day + timedelta(days=1))


def _difference_words(done: SettlementView) -> str:
    counted = money(done.counted_micros, done.currency)
    said = f"{done.collector} handed over {counted} for {done.receipts} receipts"
    if not done.difference_micros:
        return f"{said}: just what they say."
    words = "more" if done.difference_micros > 0 else "less"
    return f"{said}: {money(abs(done.difference_micros), done.currency)} {words} than they say."
