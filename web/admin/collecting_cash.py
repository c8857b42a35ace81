"""A collector's pages, for a phone: find who pays, enter the receipt by its number (rule R4)."""

from __future__ import annotations

from collections.abc import Sequence

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import SelectField
from wtforms.fields.choices import SelectChoice

from billing.model.collections import BookView
from billing.model.customer_record import BillLine
from billing.services import collections as service
from billing.services import customer_record, customers
from billing.services.context import Context
from web import parts
from web.admin import blueprint
from web.formats import money
from web.forms import MoneyField, WholeField, needed
from web.guards import COLLECTORS, staff_only
from web.once import OnceForm, send

FOUND_ROWS = 20


class TakeForm(OnceForm):
    """The receipt's number makes it happen once."""

    book = SelectField("Receipt book", coerce=int)
    number = WholeField("Receipt number", [needed], render_kw={"inputmode": "numeric"})
    bill = SelectField("For", default="")
    amount_micros = MoneyField("Amount in cash", [needed], render_kw={"inputmode": "decimal"})


@blueprint.get("/collect")
@staff_only(COLLECTORS)
def collect() -> ResponseReturnValue:
    """Search; and what one has on oneself."""
    context, text = parts.context(), request.args.get("q", "").strip()
    found = (
        customer_record.search(context, text, parts.now(), limit=FOUND_ROWS).rows if text else ()
    )
    return render_template(
        "admin/collect.html",
        text=text,
        found=found,
        books=_books(),
        own=service.open_receipts(context, context.actor),
        limit=service.limit_of(context, context.actor),
    )


@blueprint.route("/collect/<int:customer_id>", methods=["GET", "POST"])
@staff_only(COLLECTORS)
def collect_from(customer_id: int) -> ResponseReturnValue:
    """Cash of one customer, by the next number of the book unless another is entered."""
    context, form = parts.context(), TakeForm()
    customer = customers.get_customer(context, customer_id)
    books = _books()
    found = customer_record.open_bills(context, customer_id, parts.now())
    form.book.choices = [SelectChoice(one.book_id, _book_words(one)) for one in books]
    form.bill.choices = [
        SelectChoice("", "The wallet: pays open bills, oldest first; the rest is credit"),
        *(SelectChoice(one.bill.number, f"{one.bill.number}: {_open(one)} open") for one in found),
    ]
    if not form.is_submitted():
        form.number.data = books[0].next_number if books else None
    sent = send(
        context,
        form,
        lambda within: _take(within, customer_id, form),
        errors_at={"amount": "amount_micros", "invoice": "bill"},
    )
    if sent.done:
        taken = {"book_id": form.book.data, "number": form.number.data}
        return redirect(url_for("admin.collected", **taken))
    page = render_template("admin/collect_from.html", form=form, customer=customer, books=books)
    return page, 422 if form.errors or form.form_errors else 200


@blueprint.get("/collect/receipts/<int:book_id>/<int:number>")
@staff_only(COLLECTORS)
def collected(book_id: int, number: int) -> ResponseReturnValue:
    """The receipt, to show or to print."""
    return render_template(
        "admin/collected.html", one=service.receipt(parts.context(), book_id, number)
    )


def _take(context: Context, customer_id: int, form: TakeForm) -> Sequence[str]:
    service.take(
        context,
        form.book.data,
        form.number.data,
        customer_id,
        form.amount_micros.data,
        parts.now(),
        bill_number=form.bill.data or None,
    )
    return ()


def _books() -> list[BookView]:
    """A collector's own; at the desk those of all, to enter paper receipts."""
    person = parts.member()
    own = person.email if person.is_collector else None
    found = service.books(parts.context(), collector=own)
    return [one for one in found if one.closed_at is None and one.next_number is not None]


def _book_words(one: BookView) -> str:
    return f"{one.series}{one.first_number}–{one.last_number} ({one.collector})"


def _open(line: BillLine) -> str:
    return money(line.bill.open_micros, line.bill.currency)
