"""`tollway customer alerts` and `tollway customer cap`."""

from __future__ import annotations

from datetime import datetime

import click

from billing.cli.app import App, Command, at_option
from billing.cli.catalog import amount
from billing.cli.customers import customer_lines
from billing.cli.units import show_instant, show_money
from billing.model.spending import WalletWatch
from billing.services import customers, messages
from billing.services import spending as services

_WALLET = click.option("--wallet", type=int, help="Its number; the customer's own unless given.")


@click.command("alerts", cls=Command)
@click.argument("customer")
@click.option("--to", "addresses", multiple=True, help="An address; repeat for several.")
@click.option("--to-email", is_flag=True, help="None of its own: to the customer's email.")
@click.option("--sms", "numbers", multiple=True, help="A number like +34600123456; repeatable.")
@click.option("--no-sms", is_flag=True, help="To no number any more.")
@click.option("--language", help="Like en or pt-BR.")
@click.option(
    "--balance",
    type=int,
    metavar="PERCENT",
    help="Tell when less than this part of the balance after the last top-up is left; 0: don't.",
)
@click.option(
    "--usage",
    type=int,
    multiple=True,
    metavar="PERCENT",
    help="Tell when so much of a package is used; repeat for several, as 80 and 100.",
)
@click.option("--no-usage", is_flag=True, help="Don't tell how much of a package is used.")
@_WALLET
@at_option
@click.pass_obj
def alerts(
    app: App,
    customer: str,
    addresses: tuple[str, ...],
    to_email: bool,
    numbers: tuple[str, ...],
    no_sms: bool,
    language: str | None,
    balance: int | None,
    usage: tuple[int, ...],
    no_usage: bool,
    wallet: int | None,
    at: datetime,
) -> None:
    """Set when a customer is told (rule P6), where its messages go, and in which language."""
    if addresses and to_email:
        raise click.UsageError("give either --to or --to-email")
    if numbers and no_sms:
        raise click.UsageError("give either --sms or --no-sms")
    if usage and no_usage:
        raise click.UsageError("give either --usage or --no-usage")
    context = app.context
    customer_id = customers.find_customer(context, customer).customer_id
    if balance is not None or usage or no_usage or wallet is not None:
        services.set_alerts(
            context,
            customer_id,
            at,
            wallet_id=wallet,
            balance_percent=balance,
            usage_percents=usage if usage or no_usage else None,
        )
    if addresses or to_email or numbers or no_sms or language is not None:
        messages.set_alerts(
            context,
            customer_id,
            at,
            addresses=addresses if addresses or to_email else None,
            numbers=numbers if numbers or no_sms else None,
            language=language,
        )
    view = customers.get_customer(context, customer_id)
    watches = services.watches(context, customer_id, at)
    lines = [line for watch in watches for line in _lines(watch)]
    app.show({"customer": view, "wallets": watches}, *customer_lines(view), *lines)


@click.command("cap", cls=Command)
@click.argument("customer")
@click.argument("amount_text", metavar="[AMOUNT]", required=False)
@click.option("--none", "no_cap", is_flag=True, help="No cap any more.")
@click.option("--lift", is_flag=True, help="Not for the rest of this month.")
@_WALLET
@at_option
@click.pass_obj
def cap(
    app: App,
    customer: str,
    amount_text: str | None,
    no_cap: bool,
    lift: bool,
    wallet: int | None,
    at: datetime,
) -> None:
    """Cap what a customer may spend in a calendar month (rule P14).

    Pay-as-you-go and packages count, bills do not. With none of AMOUNT, --none and --lift the caps
    are shown.
    """
    if sum((amount_text is not None, no_cap, lift)) > 1:
        raise click.UsageError("give one of AMOUNT, --none and --lift")
    context = app.context
    customer_id = customers.find_customer(context, customer).customer_id
    watches: tuple[WalletWatch, ...]
    if lift:
        watches = (services.lift_cap(context, customer_id, at, wallet_id=wallet),)
    elif no_cap or amount_text is not None:
        micros = None if amount_text is None else amount(app, amount_text, "amount")
        watches = (services.set_cap(context, customer_id, micros, at, wallet_id=wallet),)
    else:
        watches = services.watches(context, customer_id, at)
    app.show(watches, *(_cap_line(watch) for watch in watches))


def _lines(watch: WalletWatch) -> list[str]:
    lines = []
    if watch.alert_percent is not None:
        threshold = "the next top-up tells below which amount"
        if watch.threshold_micros is not None:
            threshold = f"below {show_money(watch.threshold_micros, watch.currency)}"
            threshold += "" if watch.armed else ", after the next credit that lifts it over that"
        lines.append(f"wallet {watch.wallet_id}: alert at {watch.alert_percent} %, {threshold}")
    if watch.usage_alert_percents:
        levels = ", ".join(f"{level} %" for level in watch.usage_alert_percents)
        lines.append(f"wallet {watch.wallet_id}: alert when {levels} of a package is used")
    if watch.cap_micros is not None:
        lines.append(_cap_line(watch))
    return lines


def _cap_line(watch: WalletWatch) -> str:
    if watch.cap_micros is None or watch.spent_micros is None:
        return f"wallet {watch.wallet_id}: no spending cap"
    spent = show_money(watch.spent_micros, watch.currency)
    cap = show_money(watch.cap_micros, watch.currency)
    until = f"until {show_instant(watch.cap_until)}{', lifted' if watch.cap_lifted else ''}"
    return f"wallet {watch.wallet_id}: spent {spent} of a cap of {cap} {until} (rule P14)"
