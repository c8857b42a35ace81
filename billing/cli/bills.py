"""`tollway bill`."""

from __future__ import annotations

import secrets
from datetime import date, datetime
from functools import partial

import click

from billing.cli.app import App, Command, Group, at_option
from billing.cli.catalog import amount
from billing.cli.parked import echo_would_park, parked_lines, show_parked
from billing.cli.progress import progress_bars
from billing.cli.sales import CHANNELS, payment_lines
from billing.cli.units import DAY, show_money
from billing.model.bills import BillPreview
from billing.model.commerce import MoneyChannel
from billing.services import bill_run, catalog, credits, customers, on_demand
from billing.services import bills as services


@click.group(cls=Group)
def bill() -> None:
    """Bills of monthly customers."""


@bill.command("issue", cls=Command)
@click.argument("username")
@click.option("--from", "cycle_from", type=DAY, required=True, help="First day of the cycle.")
@click.option("--until", "cycle_until", type=DAY, required=True, help="First day of the next one.")
@click.option("--amount", "amount_text", required=True, help="Like 30.00.")
@at_option
@click.pass_obj
def issue(
    app: App,
    username: str,
    cycle_from: date,
    cycle_until: date,
    amount_text: str,
    at: datetime,
) -> None:
    """Issue a bill for a cycle."""
    view = services.issue_bill(
        app.context,
        customers.subscription_id_of(app.context, username),
        cycle_from=cycle_from,
        cycle_until=cycle_until,
        amount_micros=amount(app, amount_text, "amount"),
        now=at,
    )
    total = show_money(view.total_micros, view.currency)
    paid = ", paid from the wallet" if view.paid_at else ""
    app.show(view, f"bill {view.number}: {total}, due {view.due_on}{paid}")


@bill.command("now", cls=Command)
@click.argument("customer")
@click.option("--until", type=DAY, help="All that is not billed yet up to before this day.")
@at_option
@click.pass_obj
def now_(app: App, customer: str, until: date | None, at: datetime) -> None:
    """Issue a customer's bills on demand; later runs go on from there."""
    customer_id = customers.find_customer(app.context, customer).customer_id
    issued = on_demand.bill_customer(app.context, customer_id, at, until)
    currency = catalog.operator(app.context).currency
    lines = [
        f"bill {one.number}: {show_money(one.total_micros, currency)}, due {one.due_on}"
        for one in issued
    ]
    app.show(issued, *(lines or ["nothing is to be billed"]))


@bill.command("pay", cls=Command)
@click.argument("number")
@click.option("--amount", "amount_text", help="A part; all that is open unless given.")
@click.option(
    "--pay",
    type=click.Choice(["wallet", *CHANNELS]),
    default="wallet",
    show_default=True,
    help="Wallet money, or money that arrives for it.",
)
@click.option("--key", help="Idempotency key: repeated with the same one, it is paid once.")
@at_option
@click.pass_obj
def pay(
    app: App, number: str, amount_text: str | None, pay: str, key: str | None, at: datetime
) -> None:  # fmt: skip
    """Pay a bill."""
    receipt = services.pay(
        app.context,
        number,
        idempotency_key=key or secrets.token_hex(16),
        now=at,
        amount_micros=None if amount_text is None else amount(app, amount_text, "amount"),
        channel=None if pay == "wallet" else MoneyChannel(pay),
    )
    app.show(receipt, *payment_lines(receipt))


@bill.command("credit", cls=Command)
@click.argument("number")
@click.option("--amount", "amount_text", help="A part; all that is not credited yet unless given.")
@click.option("--reason", required=True, help="Why; the customer reads it on the credit note.")
@click.option("--void", is_flag=True, help="As if never issued: the next run bills its days again.")
@click.option("--key", help="Idempotency key: repeated with the same one, it is credited once.")
@at_option
@click.pass_obj
def credit(
    app: App,
    number: str,
    amount_text: str | None,
    reason: str,
    void: bool,
    key: str | None,
    at: datetime,
) -> None:
    """Take a bill back by a credit note; what had been paid goes to the wallet."""
    note = credits.credit(
        app.context,
        number,
        reason=reason,
        idempotency_key=key or secrets.token_hex(16),
        now=at,
        amount_micros=None if amount_text is None else amount(app, amount_text, "amount"),
        void=void,
    )
    total = show_money(note.total_micros, note.currency)
    to_wallet = show_money(note.to_wallet_micros, note.currency)
    app.show(
        note,
        f"credit note {note.number}: {total} of {note.invoice_number}, {to_wallet} to the wallet",
    )


@bill.command("credits", cls=Command)
@click.argument("number")
@click.pass_obj
def credits_(app: App, number: str) -> None:
    """The credit notes of a bill."""
    found = credits.credit_notes(app.context, number)
    app.show_table(
        found,
        ("number", "issued", "total", "to the wallet", "reason"),
        [
            (
                one.number,
                f"{one.issued_at:%Y-%m-%d %H:%M}",
                show_money(one.total_micros, one.currency),
                show_money(one.to_wallet_micros, one.currency),
                one.reason,
            )
            for one in found
        ],
    )


@bill.command("run", cls=Command)
@click.option("--dry-run", is_flag=True, help="List what would be issued; write nothing.")
@at_option
@click.pass_obj
def run_(app: App, dry_run: bool, at: datetime) -> int:
    """Issue every bill that is due (rule B7); exit code 1 when customers were parked."""
    if dry_run:
        _preview(app, at)
        return 0
    with progress_bars({"run": "customers"}) as show:
        report = bill_run.run(app.context, at, partial(show, "run"))
    total = show_money(report.total_micros, report.currency)
    app.show(
        report,
        f"issued {report.issued} bills, {total} in all",
        *parked_lines(report.parked),
    )
    return 1 if report.parked else 0


@bill.command("parked", cls=Command)
@click.pass_obj
def parked(app: App) -> None:
    """Customers that could not be billed, and why; each run tries them again."""
    show_parked(app, bill_run.parked(app.context))


def _preview(app: App, at: datetime) -> None:
    found = list(bill_run.preview(app.context, at))
    bills = [one for one in found if isinstance(one, BillPreview)]
    app.show_table(
        found,
        ("subscriber", "from", "until", "plan", "total", "the wallet lacks"),
        [
            (
                one.username,
                one.first_day,
                one.next_first_day,
                one.plan_name,
                show_money(one.total_micros, one.currency),
                show_money(one.short_micros, one.currency) if one.short_micros else None,
            )
            for one in bills
        ],
    )
    if app.json:
        return
    issued = [one for one in bills if not one.short_micros]
    if bills:
        total = show_money(sum(one.total_micros for one in issued), bills[0].currency)
        click.echo(f"{len(issued)} bills, {total} in all; nothing was written")
    echo_would_park(found)
