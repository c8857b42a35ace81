"""How a bank writes its CSV files: the columns and signs that an account's statements have."""

from __future__ import annotations

from collections.abc import Mapping

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import SelectField, StringField
from wtforms.fields.choices import SelectChoice

from billing.errors import InvalidInput, NotFound
from billing.model.bank import UTF_8, BankAccountView, BankFormat
from billing.services import bank as service
from web import parts
from web.admin import blueprint
from web.forms import LinesField, needed, show_errors
from web.guards import EDITORS, staff_only

_ERRORS_AT: Mapping[str, str] = {
    "reference_column": "reference_columns",
    "in_word": "in_words",
    "out_word": "out_words",
}


class FormatForm(FlaskForm):
    """Columns are named as in the file's header, in any case; for camt none."""

    name = StringField("Name of the account", [needed])
    iban = StringField("IBAN", description="Of the account: camt.053 and camt.054 are read by it.")
    date_column = StringField("Column of the booking day")
    date_format = StringField("Days are written", [needed], default="YYYY-MM-DD")
    amount_column = StringField("Column of the amount")
    decimal = SelectField(
        "Decimal sign", choices=[SelectChoice(".", "point"), SelectChoice(",", "comma")]
    )
    debit_column = StringField(
        "Column of what went out", description="Where it has one of its own; else empty."
    )
    sign_column = StringField(
        "Column that says debit or credit",
        description="Where amounts have no sign and a column says it; else empty.",
    )
    in_words = LinesField(
        "There, of money that came in", description="Like CR; one a line.", render_kw={"rows": 2}
    )
    out_words = LinesField(
        "There, of money that went out", description="Like DR; one a line.", render_kw={"rows": 2}
    )
    reference_columns = LinesField(
        "Columns that say what it is for",
        description="One a line; they are read as one text.",
        render_kw={"rows": 2},
    )
    payer_column = StringField("Column of the payer")
    currency_column = StringField("Column of the currency")
    currency = StringField("Currency of lines that do not say", [needed])
    separator = SelectField(
        "Between columns",
        choices=[SelectChoice(sign, sign) for sign in (",", ";", "|")]
        + [SelectChoice("\t", "tabulator")],
    )
    encoding = StringField(
        "Encoding", [needed], default=UTF_8, description="utf-8, windows-1252, iso-8859-1, …"
    )

    def wanted(self) -> BankFormat:
        """As it is written in the form."""
        values = {
            name: tuple(value) if isinstance(value, list) else (value or "").strip(" ")
            for name, value in self.data.items()
            if name not in ("name", "csrf_token")
        }
        return BankFormat(**values)

    def show(self, account: BankAccountView) -> None:
        """Fill in what is stored."""
        self.name.data = account.name
        for field in self:
            if field.name not in ("name", "csrf_token"):
                value = getattr(account.format, field.name)
                field.data = list(value) if isinstance(value, tuple) else value


@blueprint.route("/bank/new", methods=["GET", "POST"])
@staff_only(EDITORS)
def bank_format_new() -> ResponseReturnValue:
    """A further account."""
    form = FormatForm()
    if not form.is_submitted():
        form.currency.data = parts.operator().currency
    return _kept(form, None)


@blueprint.route("/bank/<int:account_id>/format", methods=["GET", "POST"])
@staff_only(EDITORS)
def bank_format(account_id: int) -> ResponseReturnValue:
    """What is stored can be changed; lines that were imported stay."""
    account = service.account(parts.context(), str(account_id))
    form = FormatForm()
    if not form.is_submitted():
        form.show(account)
    form.name.data = account.name
    return _kept(form, account)


def _kept(form: FormatForm, account: BankAccountView | None) -> ResponseReturnValue:
    if form.validate_on_submit():
        try:
            view = _set(form, account)
        except (InvalidInput, NotFound) as error:
            show_errors(form, error, _ERRORS_AT)
        else:
            flash("It is kept how the bank writes. Try a file next.", "success")
            return redirect(url_for("admin.bank_account", account_id=view.account_id))
    page = render_template("admin/bank_format.html", form=form, account=account)
    return page, 422 if form.errors else 200


def _set(form: FormatForm, account: BankAccountView | None) -> BankAccountView:
    context = parts.context()
    if account is None and any(
        one.name == form.name.data and one.org_id == context.home_org_id
        for one in service.accounts(context)
    ):
        raise InvalidInput("an account is called so already: change that one", field="name")
    return service.set_account(
        context,
        form.name.data,
        form.wanted(),
        parts.now(),
        org_id=account.org_id if account else None,
    )
