"""`tollway charge`."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import click

from billing.cli.app import App, Command, Group, at_option
from billing.cli.catalog import amount, rate_ppm
from billing.cli.units import DAY, show_money
from billing.model.charges import ChargeKind, Extra
from billing.model.plan_text import percent_words
from billing.services import catalog, customers
from billing.services import charges as services


@click.group(cls=Group)
def charge() -> None:
    """What bills carry beside the plan: charges and discounts."""


@charge.command("add", cls=Command)
@click.argument("username")
@click.argument("text")
@click.option("--monthly", help="Price of a cycle, billed by the day, like 5.00.")
@click.option("--once", help="Price, billed once, like 40.00.")
@click.option("--discount", help="Percentage off the plan's price, like 10%.")
@click.option("--tax-percent", help="Its own tax rate, like 7.5; the profile's unless given.")
@click.option("--from", "starts_on", type=DAY, help="First day; today unless given.")
@click.option("--until", "ends_on", type=DAY, help="Day after the last one; open unless given.")
@at_option
@click.pass_obj
def add(
    app: App,
    username: str,
    text: str,
    monthly: str | None,
    once: str | None,
    discount: str | None,
    tax_percent: str | None,
    starts_on: date | None,
    ends_on: date | None,
    at: datetime,
) -> None:
    """Agree on a charge, monthly or once, or on a discount; TEXT is what the bill says."""
    if sum(one is not None for one in (monthly, once, discount)) != 1:
        raise click.UsageError("give one of --monthly, --once and --discount")
    if once is not None and ends_on is not None:
        raise click.UsageError("what is billed once has no --until")
    price = monthly or once
    kind = (
        ChargeKind.DISCOUNT
        if price is None
        else ChargeKind.RECURRING
        if monthly is not None
        else ChargeKind.ONE_OFF
    )
    extra = services.add_charge(
        app.context,
        customers.subscription_id_of(app.context, username),
        kind,
        text,
        at,
        price_micros=0 if price is None else amount(app, price, "price"),
        discount_ppm=rate_ppm(app, discount, "discount") or 0,
        tax_rate_ppm=rate_ppm(app, tax_percent, "tax_percent"),
        starts_on=starts_on,
        ends_on=ends_on,
    )
    app.show(extra, f"charge {extra.charge_id}: {_words(app, extra)}, {_days(extra)}")


@charge.command("end", cls=Command)
@click.argument("username")
@click.argument("number", type=int)
@click.option("--on", type=DAY, required=True, help="The day after its last one.")
@at_option
@click.pass_obj
def end(app: App, username: str, number: int, on: date, at: datetime) -> None:
    """End a charge or a discount."""
    subscription_id = customers.subscription_id_of(app.context, username)
    extra = services.end_charge(app.context, subscription_id, number, on, at)
    app.show(extra, f"charge {extra.charge_id}: {_words(app, extra)}, {_days(extra)}")


@charge.command("waive", cls=Command)
@click.argument("username")
@click.argument("number", type=int)
@at_option
@click.pass_obj
def waive(app: App, username: str, number: int, at: datetime) -> None:
    """Let a one-off charge go, a late fee for example, that no bill holds yet."""
    subscription_id = customers.subscription_id_of(app.context, username)
    extra = services.waive_charge(app.context, subscription_id, number, at)
    app.show(extra, f"charge {extra.charge_id}: {_words(app, extra)}, waived")


@charge.command("list", cls=Command)
@click.argument("username")
@click.pass_obj
def list_(app: App, username: str) -> None:
    """A subscriber's charges and discounts."""
    found = services.charges_of(app.context, customers.subscription_id_of(app.context, username))
    app.show_table(
        found,
        ("number", "text", "what", "days", "billed until"),
        [
            (one.charge_id, one.text, _words(app, one), _days(one), one.billed_until)
            for one in found
        ],
    )


def _words(app: App, extra: Extra) -> str:
    if extra.kind is ChargeKind.DISCOUNT:
        return f"{Decimal(extra.discount_ppm) / 10_000}% off"
    price = show_money(extra.price_micros, catalog.operator(app.context).currency)
    tax = "" if extra.tax_rate_ppm is None else f", tax {percent_words(extra.tax_rate_ppm)}"
    return f"{price} {'a month' if extra.kind is ChargeKind.RECURRING else 'once'}{tax}"


def _days(extra: Extra) -> str:
    if extra.kind is ChargeKind.ONE_OFF:
        return f"on {extra.starts_on}" + (", waived" if extra.waived_at else "")
    return f"from {extra.starts_on}" + (f" until {extra.ends_on}" if extra.ends_on else "")
