"""`tollway reseller transfer`, `request`, `approve`, `decline`, `statement`."""

from __future__ import annotations

import secrets
from datetime import date, datetime

import click

from billing.cli.app import App, Command, at_option
from billing.cli.catalog import amount
from billing.cli.units import show_instant, show_money
from billing.errors import InvalidInput
from billing.model.commerce import MoneyChannel
from billing.services import reseller_money

_CHANNELS = [
    one.value for one in MoneyChannel if one not in (MoneyChannel.RESELLER, MoneyChannel.VOUCHER)
]
_key = click.option("--key", help="Idempotency key: repeated with the same one, it is done once.")
_org = click.argument("org_id", metavar="NUMBER", type=int)


@click.command("transfer", cls=Command)
@_org
@click.argument("amount_text", metavar="AMOUNT")
@click.option("--back", is_flag=True, help="Pull back what it has not spent.")
@click.option("--channel", type=click.Choice(_CHANNELS), help="Of money to the operator.")
@click.option("--reference", help="Receipt or transfer number.")
@_key
@at_option
@click.pass_obj
def transfer(
    app: App,
    org_id: int,
    amount_text: str,
    back: bool,
    channel: str | None,
    reference: str | None,
    key: str | None,
    at: datetime,
) -> None:
    """Put money into its wallet, from the wallet above or, below the operator, from outside."""
    micros = amount(app, amount_text, "amount")
    if micros < 0:
        raise InvalidInput("give --back to pull money back", field="amount")
    done = reseller_money.transfer(
        app.context,
        org_id,
        -micros if back else micros,
        idempotency_key=key or secrets.token_hex(16),
        now=at,
        channel=MoneyChannel(channel) if channel else None,
        reference=reference,
    )
    number = f", receipt {done.receipt_number}" if done.receipt_number else ""
    app.show(
        done,
        f"{'done before' if done.repeated else 'done'}: "
        f"{show_money(done.amount_micros, done.currency)}{number}",
        f"its wallet has {show_money(done.available_micros, done.currency)}",
    )


@click.command("transfers", cls=Command)
@_org
@click.pass_obj
def transfers(app: App, org_id: int) -> None:
    """What came into its wallet from above, or went back, newest first."""
    found = reseller_money.transfers(app.context, org_id)
    app.show_table(
        found,
        ("transfer", "at", "amount", "by way of", "reference", "by"),
        (
            (
                one.transfer_id,
                show_instant(one.at),
                show_money(one.amount_micros, one.currency),
                one.channel or "the wallet above",
                one.reference,
                one.by,
            )
            for one in found
        ),
    )


@click.command("request", cls=Command)
@_org
@click.argument("amount_text", metavar="AMOUNT")
@click.option("--note")
@at_option
@click.pass_obj
def request(app: App, org_id: int, amount_text: str, note: str | None, at: datetime) -> None:
    """Ask who is above it for money."""
    micros = amount(app, amount_text, "amount")
    asked = reseller_money.ask(app.context, org_id, micros, at, note=note)
    app.show(asked, f"request {asked.request_id} waits for its answer")


@click.command("requests", cls=Command)
@click.pass_obj
def requests(app: App) -> None:
    """Requests for money: those that wait first."""
    found = reseller_money.requests(app.context)
    app.show_table(
        found,
        ("request", "reseller", "amount", "state", "asked", "note"),
        (
            (
                one.request_id,
                one.name,
                show_money(one.amount_micros, one.currency),
                one.state,
                show_instant(one.asked_at),
                one.note,
            )
            for one in found
        ),
    )


@click.command("approve", cls=Command)
@click.argument("request_id", metavar="REQUEST", type=int)
@click.option("--channel", type=click.Choice(_CHANNELS), help="Of money to the operator.")
@at_option
@click.pass_obj
def approve(app: App, request_id: int, channel: str | None, at: datetime) -> None:
    """Transfer what a request asks for."""
    by = MoneyChannel(channel) if channel else None
    done = reseller_money.answer(app.context, request_id, at, approve=True, channel=by)
    app.show(done, f"{done.state}: {show_money(done.amount_micros, done.currency)} to {done.name}")


@click.command("decline", cls=Command)
@click.argument("request_id", metavar="REQUEST", type=int)
@click.option("--reason", help="What the reseller reads.")
@at_option
@click.pass_obj
def decline(app: App, request_id: int, reason: str | None, at: datetime) -> None:
    """Decline a request."""
    done = reseller_money.answer(app.context, request_id, at, approve=False, words=reason)
    app.show(done, f"{done.state}: request {request_id}")


@click.command("statement", cls=Command)
@_org
@click.option(
    "--month", type=click.DateTime(["%Y-%m"]), help="Like 2026-03; this one unless given."
)
@at_option
@click.pass_obj
def statement(app: App, org_id: int, month: datetime | None, at: datetime) -> None:
    """A month: how its wallet moved, and what it earned."""
    day = (month or at).date()
    found = reseller_money.statement(app.context, org_id, date(day.year, day.month, 1))
    if not app.json:
        for words, micros in (
            ("opening", found.opening_micros),
            ("transfers", found.transfers_micros),
            ("sales", found.sales_micros),
            ("closing", found.closing_micros),
            ("commission", found.commission_micros),
        ):
            app.out.print(f"{words:<11}{show_money(micros, found.currency)}")
    app.show_table(
        found,
        ("seller", "kind", "plan", "sold", "undone", "paid", "cost", "commission"),
        (
            (
                line.seller_name,
                line.kind.words,
                line.plan_name,
                line.sold,
                line.undone,
                show_money(line.paid_micros, found.currency),
                show_money(line.cost_micros, found.currency),
                show_money(line.commission_micros, found.currency),
            )
            for line in found.lines
        ),
    )


COMMANDS = (transfer, transfers, request, requests, approve, decline, statement)
