"""`tollway bank`: accounts, and the import of their statements."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from billing.cli.app import App, Command, Group, at_option
from billing.cli.units import show_money
from billing.errors import InvalidInput
from billing.model.bank import UTF_8, BankAccountView, BankFormat, BankImportReport, LineReport
from billing.services import bank as services
from billing.services import bank_files, bank_import, catalog, customers

_TAB = "tab"
_SEPARATORS = [",", ";", "|", _TAB]


@click.group(cls=Group)
def bank() -> None:
    """Statements of bank accounts."""


@bank.command("set", cls=Command)
@click.argument("name")
@click.option("--iban", default="", help="Of the account; camt files are read by it.")
@click.option("--date-column", default="", help="Of the booking date, as the header names it.")
@click.option("--amount-column", default="", help="What came in; what went out is negative.")
@click.option("--debit-column", default="", help="Where what went out has a column of its own.")
@click.option("--sign-column", default="", help="Where a column beside unsigned amounts says it.")
@click.option("--in-word", "in_words", multiple=True, help="There, of money in; repeatable.")
@click.option("--out-word", "out_words", multiple=True, help="There, of money out; repeatable.")
@click.option(
    "--reference-column",
    "reference_columns",
    multiple=True,
    help="What the money is for; repeatable.",
)
@click.option("--payer-column", default="")
@click.option("--currency-column", default="")
@click.option("--currency", help="Of lines that do not say; the operator's unless given.")
@click.option("--decimal", type=click.Choice([".", ","]), default=".", show_default=True)
@click.option("--date-format", default="YYYY-MM-DD", show_default=True, help="Like DD.MM.YYYY.")
@click.option("--separator", type=click.Choice(_SEPARATORS), default=",", show_default=True)
@click.option("--encoding", default=UTF_8, show_default=True, help="Like windows-1252.")
@click.option("--org", type=int, help="Whose account; the operator's unless given.")
@at_option
@click.pass_obj
def set_(
    app: App,
    name: str,
    iban: str,
    date_column: str,
    amount_column: str,
    debit_column: str,
    sign_column: str,
    in_words: tuple[str, ...],
    out_words: tuple[str, ...],
    reference_columns: tuple[str, ...],
    payer_column: str,
    currency_column: str,
    currency: str | None,
    decimal: str,
    date_format: str,
    separator: str,
    encoding: str,
    org: int | None,
    at: datetime,
) -> None:
    """Add an account, or change how its bank writes: its IBAN for camt, its columns for CSV."""
    wanted = BankFormat(
        iban=iban,
        date_column=date_column,
        amount_column=amount_column,
        debit_column=debit_column,
        sign_column=sign_column,
        in_words=in_words,
        out_words=out_words,
        reference_columns=reference_columns,
        payer_column=payer_column,
        currency_column=currency_column,
        currency=currency or catalog.operator(app.context).currency,
        decimal=decimal,
        date_format=date_format,
        separator="\t" if separator == _TAB else separator,
        encoding=encoding,
    )
    view = services.set_account(app.context, name, wanted, at, org_id=org)
    app.show(view, f"bank account {view.account_id} is {view.name}")


@bank.command("list", cls=Command)
@click.pass_obj
def list_(app: App) -> None:
    """The accounts and how their banks write."""
    found = services.accounts(app.context)
    app.show_table(
        found,
        ("account", "name", "organisation", "columns", "written"),
        [(one.account_id, one.name, one.org_id, _columns(one), _written(one)) for one in found],
    )


@bank.command("import", cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--account", required=True, help="Its number or name.")
@click.option("--dry-run", is_flag=True, help="Only say what would become of each line.")
@at_option
@click.pass_obj
def import_(app: App, file: Path, account: str, dry_run: bool, at: datetime) -> None:
    """Credit what a statement says came in, CSV, camt.053 or camt.054, and take back direct debits
    that it says came back; lines that were imported before are left out.

    What names no bill and no customer, or more than one, waits in `tollway suspense list`.
    """
    found = services.account(app.context, account)
    try:
        with file.open("rb") as stream:
            body = stream.read(bank_files.FILE_LIMIT + 1)
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", field="file") from None
    report = bank_import.import_statement(app.context, found, body, at, dry_run=dry_run)
    app.show(report, *(_line(one) for one in report.lines), _summary(report))


@bank.command("lines", cls=Command)
@click.argument("account")
@click.option("--limit", type=int, default=50, show_default=True)
@click.pass_obj
def lines(app: App, account: str, limit: int) -> None:
    """What became of imported lines, newest first."""
    context = app.context
    found = services.imported(context, services.account(context, account).account_id, limit=limit)
    app.show_table(
        found,
        ("booked", "amount", "payer", "reference", "outcome", "receipt"),
        [
            (
                one.booked_on,
                show_money(one.amount_micros, one.currency),
                one.payer,
                one.reference,
                one.words,
                one.receipt_number,
            )
            for one in found
        ],
    )


@bank.command("reference", cls=Command)
@click.argument("customer")
@click.pass_obj
def reference(app: App, customer: str) -> None:
    """What a customer writes on each transfer to be credited by it."""
    customer_id = customers.find_customer(app.context, customer).customer_id
    written = services.reference_of(customer_id)
    app.show({"customer_id": customer_id, "reference": written}, written)


def _columns(one: BankAccountView) -> str:
    return ", ".join(one.format.columns) or "camt only"


def _written(one: BankAccountView) -> str:
    wanted = one.format
    separator = _TAB if wanted.separator == "\t" else wanted.separator
    words = ", ".join(
        [
            *(f"{one} is in" for one in wanted.in_words),
            *(f"{one} is out" for one in wanted.out_words),
        ]
    )
    return (
        f"{wanted.date_format}, decimal {wanted.decimal} separator {separator}"
        f" {wanted.encoding}, {wanted.currency}{f', {words}' if words else ''}"
    )


def _line(one: LineReport) -> str:
    amount = show_money(one.amount_micros, one.currency)
    receipt = f", receipt {one.receipt_number}" if one.receipt_number else ""
    place = "" if one.outcome.credits or one.outcome.went_out else "suspense: "
    return f"line {one.line}: {amount} {place}{one.words}{receipt}"


def _summary(report: BankImportReport) -> str:
    did = "would be" if report.dry_run else "were"
    said = (
        f"{report.credited} {did} credited, {report.waiting} put in suspense;"
        f" {report.known} known already, {report.outgoing} not money that came in"
    )
    if report.went_out:
        said += f"; {report.went_out} went out again, see above"
    if report.unbooked:
        said += f"; {report.unbooked} not booked yet"
    if report.elsewhere:
        said += f"; not read: {', '.join(report.elsewhere)}"
    return said
