"""`tollway sell` and `tollway topup`."""

from __future__ import annotations

import secrets
from datetime import datetime

import click

from billing.cli.app import App, Command, at_option
from billing.cli.catalog import amount
from billing.cli.units import show_instant, show_money
from billing.model.commerce import MoneyChannel, SaleChannel
from billing.model.views import PaymentReceipt
from billing.services import catalog, customers, subscribers
from billing.services import sales as services

CHANNELS = [channel.value for channel in MoneyChannel]


@click.command(cls=Command)
@click.argument("username")
@click.argument("plan")
@click.option(
    "--pay",
    type=click.Choice(["wallet", *CHANNELS]),
    default="wallet",
    show_default=True,
    help="Wallet money, or money that arrives for it.",
)
@click.option(
    "--channel",
    type=click.Choice([c.value for c in SaleChannel]),
    default="staff",
    show_default=True,
    help="Who sells.",
)
@click.option("--now", "start_now", is_flag=True, help="Start beside what is still active.")
@click.option("--key", help="Idempotency key: repeated with the same one, it is sold once.")
@at_option
@click.pass_obj
def sell(
    app: App,
    username: str,
    plan: str,
    pay: str,
    channel: str,
    start_now: bool,
    key: str | None,
    at: datetime,
) -> None:  # fmt: skip
    """Sell PLAN to a subscriber."""
    receipt = services.sell(
        app.context,
        customers.subscription_id_of(app.context, username),
        catalog.find_plan(app.context, plan, at).plan_id,
        idempotency_key=key or secrets.token_hex(16),
        now=at,
        channel=SaleChannel(channel),
        pay_by=None if pay == "wallet" else MoneyChannel(pay),
        start_now=start_now,
    )
    bill = f", bill {receipt.invoice_number}" if receipt.invoice_number else ""
    begins = (
        "at the first login" if receipt.valid_from is None else show_instant(receipt.valid_from)
    )
    ends = f" until {show_instant(receipt.valid_until)}" if receipt.valid_until else ""
    number = f", receipt {receipt.receipt_number}" if receipt.receipt_number else ""
    app.show(
        receipt,
        f"{'sold before' if receipt.repeated else 'sold'}: {receipt.plan_name} for "
        f"{show_money(receipt.total_micros, receipt.currency)}{bill}{number}",
        f"valid from {begins}{ends}",
        f"wallet: {show_money(receipt.available_micros, receipt.currency)} available",
    )


@click.command(cls=Command)
@click.argument("username")
@click.argument("amount_text", metavar="AMOUNT")
@click.option("--channel", type=click.Choice(CHANNELS), default="cash", show_default=True)
@click.option("--reference", help="Receipt or transfer number.")
@click.option("--key", help="Idempotency key: repeated with the same one, it is credited once.")
@at_option
@click.pass_obj
def topup(
    app: App,
    username: str,
    amount_text: str,
    channel: str,
    reference: str | None,
    key: str | None,
    at: datetime,
) -> None:
    """Credit the wallet of a subscriber; open bills are settled from it, oldest first."""
    view = subscribers.show(app.context, customers.subscription_id_of(app.context, username), at)
    receipt = services.topup(
        app.context,
        view.customer.customer_id,
        amount(app, amount_text, "amount"),
        channel=MoneyChannel(channel),
        idempotency_key=key or secrets.token_hex(16),
        now=at,
        wallet_id=view.wallet.wallet_id,
        reference=reference,
    )
    app.show(receipt, *payment_lines(receipt))


def payment_lines(receipt: PaymentReceipt) -> list[str]:
    """What a payment did."""
    done = "received before" if receipt.repeated else "received"
    number = f", receipt {receipt.receipt_number}" if receipt.receipt_number else ""
    lines = [f"{done}: {show_money(receipt.amount_micros, receipt.currency)}{number}"]
    if receipt.settled:
        lines.append(f"settled: {', '.join(receipt.settled)}")
    if receipt.recovered_micros:
        recovered = show_money(receipt.recovered_micros, receipt.currency)
        lines.append(f"recovered: {recovered} that had been written off")
    available = show_money(receipt.available_micros, receipt.currency)
    return [*lines, f"wallet: {available} available"]
