"""`tollway customer statement` and `tollway customer statements`."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import click

from billing.cli.app import App, Command, at_option
from billing.cli.bill_pdf import write
from billing.cli.units import DAY, show_money
from billing.documents.pdf import statement_to_pdf
from billing.model.statements import Statement
from billing.services import customers, designs
from billing.services import statements as services


@click.command("statement", cls=Command)
@click.argument("customer")
@click.option("--from", "first_day", type=DAY, required=True, help="First local day.")
@click.option("--to", "last_day", type=DAY, required=True, help="Last local day, included.")
@click.option("--pdf", type=click.Path(path_type=Path), help="File that is (over)written.")
@click.pass_obj
def statement(
    app: App, customer: str, first_day: date, last_day: date, pdf: Path | None
) -> None:  # fmt: skip
    """What happened on a customer's account: balances, movements, open bills."""
    customer_id = customers.find_customer(app.context, customer).customer_id
    found = services.statement(app.context, customer_id, first_day, last_day)
    if pdf is not None:
        design = designs.design_of(app.context, found.org_id)
        write(pdf, statement_to_pdf(found, design))
    app.show(found, *_lines(found), *([f"the statement is in {pdf}"] if pdf else []))


@click.command("statements", cls=Command)
@click.argument("customer")
@click.argument("wanted", type=click.Choice(["on", "off", "profile"]))
@at_option
@click.pass_obj
def statements(app: App, customer: str, wanted: str, at: datetime) -> None:
    """Whether a customer gets a statement each month, or what its profile says."""
    view = customers.find_customer(app.context, customer)
    choice = {"on": True, "off": False, "profile": None}[wanted]
    services.set_monthly(app.context, view.customer_id, choice, at)
    app.show({"customer_id": view.customer_id, "wanted": choice}, f"statements: {wanted}")


def _lines(found: Statement) -> list[str]:
    account, currency = found.account, found.currency
    return [
        f"{account.first_day}  balance before: {show_money(account.opening_micros, currency)}",
        *(
            f"{line.on}  {line.text}: {show_money(line.amount_micros, currency)}"
            f" = {show_money(line.balance_micros, currency)}"
            for line in account.lines
        ),
        f"{account.last_day}  balance after: {show_money(account.closing_micros, currency)}",
        *(
            f"open: {bill.number} {show_money(bill.open_micros, currency)}, due {bill.due_on}"
            for bill in found.open_bills
        ),
    ]
