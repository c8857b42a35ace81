"""Statements of bank accounts: how a bank writes, a file tried, then imported (rules P1, M5)."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import HiddenField

from billing.errors import BadLines, Conflict, InvalidInput, Refused
from billing.model.bank import BankAccountView, BankImportReport, LineOutcome
from billing.services import bank as service
from billing.services import bank_files
from billing.services import bank_import as importing
from billing.services.context import Context
from web import parts, uploads
from web.admin import blueprint
from web.forms import show_errors
from web.guards import CASHIERS, DESK, staff_only

LINES_SHOWN = 100
TRIED_SHOWN = 1_000
BAD_SHOWN = 200
IMPORTED_AT_ONCE = 250
"""Lines, of one request: some seconds."""


class UploadForm(FlaskForm):
    """A file as the bank wrote it."""

    file = FileField(
        "Statement",
        description="CSV, camt.053 or camt.054, of whole days; a file may come twice.",
    )


class ImportForm(FlaskForm):
    """The file that was tried, and what would have become of it by then."""

    packed = HiddenField()
    quoted = HiddenField()


@blueprint.get("/bank")
@staff_only(DESK)
def bank_accounts() -> ResponseReturnValue:
    """With how each bank writes."""
    return render_template("admin/bank.html", accounts=service.accounts(parts.context()))


@blueprint.get("/bank/<int:account_id>")
@staff_only(DESK)
def bank_account(account_id: int) -> ResponseReturnValue:
    """What became of the lines of its statements, newest first; and the next one."""
    return _account_page(_found(parts.context(), account_id), UploadForm())


@blueprint.post("/bank/<int:account_id>/try")
@staff_only(CASHIERS)
def bank_try(account_id: int) -> ResponseReturnValue:
    """What would become of each line of a file; nothing is imported."""
    context, form = parts.context(), UploadForm()
    account = _found(context, account_id)
    if not form.validate_on_submit():
        return _account_page(account, form)
    try:
        body = form.file.data.read() if form.file.data else b""
        if not body:
            raise InvalidInput("choose a file that holds something", field="file")
        packed = uploads.packed(body)
        report = importing.import_statement(context, account, body, parts.now(), dry_run=True)
    except BadLines as error:
        return _account_page(account, form, bad=error)
    except (InvalidInput, Refused) as error:
        show_errors(form, error, {})
        return _account_page(account, form)
    return _tried_page(account, report, packed)


@blueprint.post("/bank/<int:account_id>/import")
@staff_only(CASHIERS)
def bank_import(account_id: int) -> ResponseReturnValue:
    """The file that was tried; where anything would become of it now that was not shown, that is
    shown first. Each line counts once, however often it is sent."""
    context, form = parts.context(), ImportForm()
    account = _found(context, account_id)
    if not form.validate_on_submit():
        return redirect(url_for("admin.bank_account", account_id=account_id))
    packed = form.packed.data or ""
    try:
        body, now = uploads.unpacked(packed, bank_files.FILE_LIMIT), parts.now()
        report = importing.import_statement(context, account, body, now, dry_run=True)
        if report.lines and _digest(report) != form.quoted.data:
            flash("Something has changed since you looked: look again.", "warning")
            return _tried_page(account, report, packed)
        report = importing.import_statement(context, account, body, now, limit=IMPORTED_AT_ONCE)
        _tell(report)
        if report.left:
            return _tried_page(
                account,
                importing.import_statement(context, account, body, now, dry_run=True),
                packed,
            )
    except (InvalidInput, Refused, Conflict) as error:
        flash(f"{error.message[:1].upper()}{error.message[1:]}", "danger")
    return redirect(url_for("admin.bank_account", account_id=account_id))


def _account_page(
    account: BankAccountView, form: UploadForm, bad: BadLines | None = None
) -> ResponseReturnValue:
    problems = [] if bad is None else bad.lines
    page = render_template(
        "admin/bank_account.html",
        account=account,
        lines=service.imported(parts.context(), account.account_id, limit=LINES_SHOWN),
        form=form,
        bad=problems[:BAD_SHOWN],
        bad_count=len(problems),
    )
    return page, 422 if form.is_submitted() else 200


def _tried_page(
    account: BankAccountView, report: BankImportReport, packed: str
) -> ResponseReturnValue:
    form = ImportForm(formdata=None, packed=packed, quoted=_digest(report))
    totals: Counter[tuple[str, str]] = Counter()
    for one in report.lines:
        totals[_becomes(one.outcome), one.currency] += abs(one.amount_micros)
    return render_template(
        "admin/bank_try.html",
        account=account,
        report=report,
        lines=report.lines[:TRIED_SHOWN],
        totals=sorted(totals.items()),
        at_once=min(IMPORTED_AT_ONCE, len(report.lines)),
        form=form,
    )


def _becomes(outcome: LineOutcome) -> str:
    if outcome.went_out:
        return "went out again"
    return "would be credited" if outcome.credits else "would wait as money of nobody"


def _tell(report: BankImportReport) -> None:
    left = f" {report.left} lines are left: go on." if report.left else ""
    back = f", {report.went_out} went out again" if report.went_out else ""
    flash(
        f"{report.credited} credited, {report.waiting} wait as money of nobody{back}.{left}",
        "success",
    )


def _found(context: Context, account_id: int) -> BankAccountView:
    return service.account(context, str(account_id))


def _digest(report: BankImportReport) -> str:
    """Of what would become of the lines."""
    return sha256(repr(report.lines).encode()).hexdigest()
