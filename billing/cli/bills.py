"""`tollway bill`."""

from __future__ import annotations

import secrets
from datetime import date, datetime

import click

from billing.cli.app import App, Command, Group, at_option
from billing.cli.catalog import amount
from billing.cli.sales import CHANNELS, payment_lines
from billing.cli.units import DAY, show_money
from billing.model.commerce import MoneyChannel
from billing.services import bills as services
from billing.services import customers


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
