"""How wallets get money: `tollway customer recharge` and `prepay`, `prepaid`, `suspense`."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

import click

from billing.cli.app import App, Command, Group, at_option
from billing.cli.catalog import amount
from billing.cli.units import show_instant, show_money
from billing.model.commerce import MoneyChannel
from billing.model.money import Money
from billing.model.payments import RechargeView
from billing.services import (
    auto_recharge,
    catalog,
    customers,
    prepayments,
    suspense_desk,
    suspense_undo,
)
from billing.services import suspense as suspense_services

_WALLET = click.option("--wallet", type=int, help="Its number; the customer's own unless given.")
_KEY = click.option("--key", default=lambda: uuid4().hex, help="Idempotency key (rule M5).")
_CHANNELS = [
    channel.value
    for channel in MoneyChannel
    if channel not in (MoneyChannel.VOUCHER, MoneyChannel.RESELLER)
]


@click.command("recharge", cls=Command)
@click.argument("customer")
@click.option("--method", type=int, help="A method on file (`tollway payment methods`).")
@click.option("--at-or-below", "threshold", help="Recharge when so much or less is available.")
@click.option("--by", "by", help="The amount of each recharge.")
@click.option("--day-cap", help="At most so much in a local day.")
@click.option("--month-cap", help="At most so much in a calendar month.")
@click.option("--resume", is_flag=True, help="What was paused goes on.")
@click.option("--stop", is_flag=True, help="No recharge any more.")
@_WALLET
@at_option
@click.pass_obj
def recharge(
    app: App,
    customer: str,
    method: int | None,
    threshold: str | None,
    by: str | None,
    day_cap: str | None,
    month_cap: str | None,
    resume: bool,
    stop: bool,
    wallet: int | None,
    at: datetime,
) -> None:
    """Recharge a wallet by itself (rule P7), or show how it is set."""
    context = app.context
    customer_id = customers.find_customer(context, customer).customer_id
    wanted = (method, threshold, by)
    if sum((resume, stop, any(one is not None for one in wanted))) > 1:
        raise click.UsageError("give one of --resume, --stop and what is to be set")
    if stop:
        auto_recharge.stop(context, customer_id, at, wallet_id=wallet)
    elif resume:
        auto_recharge.resume(context, customer_id, at, wallet_id=wallet)
    elif method is not None and threshold is not None and by is not None:
        auto_recharge.set_up(
            context,
            customer_id,
            method_id=method,
            threshold_micros=amount(app, threshold, "at_or_below"),
            amount_micros=amount(app, by, "by"),
            cap_day_micros=None if day_cap is None else amount(app, day_cap, "day_cap"),
            cap_month_micros=None if month_cap is None else amount(app, month_cap, "month_cap"),
            wallet_id=wallet,
            now=at,
        )
    elif any(one is not None for one in wanted):
        raise click.UsageError("give --method, --at-or-below and --by together")
    found = auto_recharge.settings(context, customer_id)
    app.show(found, *(_line(one) for one in found or ()), *([] if found else ["no auto-recharge"]))


@click.command("prepay", cls=Command)
@click.argument("customer")
@click.argument("amount_text", metavar="[AMOUNT]", required=False)
@click.option("--due-days", type=int, default=14, show_default=True)
@click.option("--stop", is_flag=True, help="Ask no more; what is open is cancelled.")
@_WALLET
@at_option
@click.pass_obj
def prepay(
    app: App,
    customer: str,
    amount_text: str | None,
    due_days: int,
    stop: bool,
    wallet: int | None,
    at: datetime,
) -> None:
    """Ask for AMOUNT in advance each month (rule P5), or list what was asked for."""
    context = app.context
    customer_id = customers.find_customer(context, customer).customer_id
    if stop:
        prepayments.stop(context, customer_id, at, wallet_id=wallet)
    elif amount_text is not None:
        prepayments.set_up(
            context,
            customer_id,
            amount(app, amount_text, "amount"),
            now=at,
            due_days=due_days,
            wallet_id=wallet,
        )
    found = prepayments.invoices_of(context, customer_id)
    settings = prepayments.settings(context, customer_id)
    asked = [
        f"wallet {one.wallet_id}: {show_money(one.amount_micros, one.currency)} a month"
        for one in settings
    ]
    rows = [
        f"{one.number} of {one.month:%Y-%m}: {show_money(one.amount_micros, one.currency)},"
        f" due {one.due_on}, {one.state}"
        for one in found
    ]
    lines = [*asked, *rows] or ["nothing is asked for in advance"]
    app.show({"settings": settings, "invoices": found}, *lines)


@click.command("prepaid", cls=Command)
@click.argument("number")
@click.option("--by", type=click.Choice(_CHANNELS), required=True, help="How the money came.")
@click.option("--customer", type=int, help="Where several organisations have that number.")
@click.option("--reference", help="What the money came with.")
@_KEY
@at_option
@click.pass_obj
def prepaid(
    app: App,
    number: str,
    by: str,
    customer: int | None,
    reference: str | None,
    key: str,
    at: datetime,
) -> None:
    """A prepayment invoice (PRE-…) was paid: credit it (rule P5)."""
    receipt = prepayments.pay(
        app.context,
        number,
        MoneyChannel(by),
        idempotency_key=key,
        now=at,
        customer_id=customer,
        reference=reference,
    )
    paid = show_money(receipt.amount_micros, receipt.currency)
    app.show(receipt, f"credited {paid}, receipt {receipt.receipt_number}")


@click.group(cls=Group)
def suspense() -> None:
    """Money that came and is nobody's yet."""


@suspense.command("list", cls=Command)
@click.option("--all", "everything", is_flag=True, help="What was moved, too.")
@click.option("--limit", type=int, default=50, show_default=True)
@click.pass_obj
def list_(app: App, everything: bool, limit: int) -> None:
    """What waits, oldest first."""
    found = suspense_services.listed(app.context, everything=everything, limit=limit)
    app.show_table(
        found,
        ("number", "came", "by", "amount", "left", "reference", "note"),
        [
            (
                one.suspense_id,
                show_instant(one.received_at),
                one.channel.replace("_", " "),
                show_money(one.amount_micros, one.currency),
                show_money(one.left_micros, one.currency),
                one.reference,
                one.note,
            )
            for one in found
        ],
    )


@suspense.command("receive", cls=Command)
@click.argument("amount_text", metavar="AMOUNT")
@click.option("--by", type=click.Choice(_CHANNELS), required=True, help="How the money came.")
@click.option("--reference", required=True, help="What it came with; each is kept once.")
@click.option("--note", default="", help="What is known of it.")
@at_option
@click.pass_obj
def receive(app: App, amount_text: str, by: str, reference: str, note: str, at: datetime) -> None:
    """Money has come, and nobody knows from whom."""
    currency = catalog.operator(app.context).currency
    came = Money(amount(app, amount_text, "amount"), currency)
    kept = suspense_services.receive(
        app.context, came, MoneyChannel(by), reference=reference, note=note, now=at
    )
    app.show({"kept": kept}, f"{came} waits" if kept else f"{reference} is kept already")


@suspense.command("match", cls=Command)
@click.argument("number", type=int)
@click.argument("customer")
@click.argument("amount_text", metavar="[AMOUNT]", required=False)
@click.option("--for", "paid", help="A bill or prepayment invoice that it pays (INV-7, PRE-7).")
@_WALLET
@_KEY
@at_option
@click.pass_obj
def match(
    app: App,
    number: int,
    customer: str,
    amount_text: str | None,
    paid: str | None,
    wallet: int | None,
    key: str,
    at: datetime,
) -> None:
    """Credit a customer with it, or with AMOUNT of it; the rest goes on waiting."""
    context = app.context
    receipt = suspense_services.match(
        context,
        number,
        customers.find_customer(context, customer).customer_id,
        idempotency_key=key,
        now=at,
        amount_micros=None if amount_text is None else amount(app, amount_text, "amount"),
        wallet_id=wallet,
        number=paid,
    )
    credited = show_money(receipt.amount_micros, receipt.currency)
    app.show(receipt, f"credited {credited}, receipt {receipt.receipt_number}")


@suspense.command("undo", cls=Command)
@click.argument("match", type=int)
@click.option("--reason", required=True)
@click.option("--even-if-spent", is_flag=True, help="The wallet may fall below zero.")
@at_option
@click.pass_obj
def undo(app: App, match: int, reason: str, even_if_spent: bool, at: datetime) -> None:
    """A match was wrong: its money is nobody's again (`suspense moves` has its number)."""
    view = suspense_undo.undo(app.context, match, reason, at, even_if_spent=even_if_spent)
    left = show_money(view.left_micros, view.currency)
    app.show(view, f"{left} of {view.suspense_id} waits")


@suspense.command("moves", cls=Command)
@click.argument("number", type=int)
@click.pass_obj
def moves(app: App, number: int) -> None:
    """What became of an amount, oldest first."""
    case = suspense_desk.show(app.context, number)
    app.show_table(
        case.moves,
        ("match", "at", "customer", "amount", "note", "by"),
        [
            (
                one.move_id,
                show_instant(one.at),
                one.customer_name,
                show_money(one.amount_micros, case.money.currency),
                f"undoes {one.undoes_id}: {one.note}" if one.undoes_id else one.note,
                one.actor,
            )
            for one in case.moves
        ],
    )


@suspense.command("return", cls=Command)
@click.argument("number", type=int)
@click.argument("amount_text", metavar="[AMOUNT]", required=False)
@click.option("--note", required=True, help="How it went back.")
@at_option
@click.pass_obj
def return_(app: App, number: int, amount_text: str | None, note: str, at: datetime) -> None:
    """It went back to whom it came from."""
    view = suspense_services.give_back(
        app.context,
        number,
        note=note,
        now=at,
        amount_micros=None if amount_text is None else amount(app, amount_text, "amount"),
    )
    app.show(view, f"{show_money(view.left_micros, view.currency)} is left of it")


def _line(one: RechargeView) -> str:
    by = show_money(one.amount_micros, one.currency)
    words = (
        f"wallet {one.wallet_id}: by {by} at {show_money(one.threshold_micros, one.currency)}"
        f" or less, from {one.method}"
    )
    for name, cap in (("day", one.cap_day_micros), ("month", one.cap_month_micros)):
        if cap is not None:
            words += f", at most {show_money(cap, one.currency)} a {name}"
    if one.paused_at is not None:
        return f"{words}; PAUSED since {show_instant(one.paused_at)}: {one.paused_for}"
    if one.pending:
        return f"{words}; one is on its way"
    if one.retry_at is not None:
        return f"{words}; declined {one.declines} times, tried again {show_instant(one.retry_at)}"
    return words
