"""`tollway customer`."""

from __future__ import annotations

from datetime import date, datetime

import click

from billing.cli.app import App, Command, Group, at_option
from billing.cli.units import DAY, show_money
from billing.model.views import CustomerView
from billing.services import catalog
from billing.services import customers as services


@click.group(cls=Group)
def customer() -> None:
    """Customers: who pays."""


@customer.command("add", cls=Command)
@click.argument("name")
@click.option("--profile", required=True, help="Name of the billing profile.")
@click.option("--email")
@click.option("--phone")
@click.option("--locale", default="en", show_default=True)
@click.option("--discontinue-on", type=DAY, help="Unpaid at that day: suspended (rule B15).")
@at_option
@click.pass_obj
def add(
    app: App,
    name: str,
    profile: str,
    email: str | None,
    phone: str | None,
    locale: str,
    discontinue_on: date | None,
    at: datetime,
) -> None:
    """Add a customer with an empty wallet."""
    view = services.add_customer(
        app.context,
        name=name,
        profile_id=catalog.find_profile(app.context, profile).profile_id,
        now=at,
        email=email,
        phone=phone,
        locale=locale,
        discontinue_on=discontinue_on,
    )
    app.show(view, f"customer {view.customer_id} {view.name} ({view.profile_name})")


@customer.command("show", cls=Command)
@click.argument("customer")
@click.pass_obj
def show(app: App, customer: str) -> None:
    """One customer, by number or exact name."""
    view = services.find_customer(app.context, customer)
    app.show(view, *_lines(view))


def _lines(view: CustomerView) -> list[str]:
    lines = [f"customer {view.customer_id} {view.name} ({view.profile_name})"]
    for wallet in view.wallets:
        available = show_money(wallet.available_micros, wallet.currency)
        lines.append(f"wallet {wallet.wallet_id}: {available} available")
    return [*lines, f"subscriptions: {', '.join(map(str, view.subscription_ids)) or 'none'}"]
