"""`tollway customer`."""

from __future__ import annotations

from datetime import date, datetime

import click

from billing.cli.app import App, Command, Group, at_option
from billing.cli.catalog import amount
from billing.cli.sales import CHANNELS
from billing.cli.units import DAY, letterhead_lines, show_money, uninvoiced_words
from billing.model.commerce import MoneyChannel
from billing.model.views import CustomerView
from billing.services import agreements, catalog, letterhead, moves
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
    app.show(view, *customer_lines(view))


@customer.command("profile", cls=Command)
@click.argument("customer")
@click.argument("profile")
@click.option("--plan", help="The plan that its subscribers are on from now on.")
@click.option("--top-up", metavar="AMOUNT", help="Money that comes with it (rule P4).")
@click.option("--channel", type=click.Choice(CHANNELS), default="cash", show_default=True)
@at_option
@click.pass_obj
def profile_(
    app: App,
    customer: str,
    profile: str,
    plan: str | None,
    top_up: str | None,
    channel: str,
    at: datetime,
) -> None:
    """Move a customer to another billing profile (rules B6, B14).

    From postpaid to prepaid it must top up what it has used this month (rule P4).
    """
    move = moves.change_profile(
        app.context,
        services.find_customer(app.context, customer).customer_id,
        catalog.find_profile(app.context, profile).profile_id,
        at,
        plan_id=None if plan is None else catalog.find_plan(app.context, plan, at).plan_id,
        top_up_micros=None if top_up is None else amount(app, top_up, "top_up"),
        channel=MoneyChannel(channel),
    )
    lines = [
        f"credited {show_money(note.total_micros, note.currency)} of {note.invoice_number} "
        f"({note.number})"
        for note in move.credited
    ]
    currency = move.customer.wallets[0].currency
    if move.topped_up_micros:
        lines.append(f"received {show_money(move.topped_up_micros, currency)} by {channel}")
    lines += [
        f"issued {bill.number}: {show_money(bill.total_micros, currency)}, due {bill.due_on}"
        for bill in move.issued
    ]
    app.show(move, *customer_lines(move.customer), *lines)


@customer.command("discontinue", cls=Command)
@click.argument("customer")
@click.option("--on", type=DAY, help="Unpaid at the end of that day: suspended.")
@click.option("--never", is_flag=True, help="Not any more.")
@at_option
@click.pass_obj
def discontinue(app: App, customer: str, on: date | None, never: bool, at: datetime) -> None:
    """Set the day at which an unpaid bill ends service, profile or not (rule B15)."""
    if (on is None) is not never:
        raise click.UsageError("give either --on or --never")
    customer_id = services.find_customer(app.context, customer).customer_id
    view = agreements.discontinue(app.context, customer_id, on, at)
    app.show(view, *customer_lines(view))


@customer.command("address", cls=Command)
@click.argument("customer")
@click.option("--address-line", multiple=True, help="A line of the postal address; repeatable.")
@click.option("--no-address", is_flag=True, help="Take the address away.")
@click.option("--tax-id", help="The customer's own; '' takes it away.")
@click.option("--country", help="Like DE; '': the same as the seller's.")
@at_option
@click.pass_obj
def address(
    app: App,
    customer: str,
    address_line: tuple[str, ...],
    no_address: bool,
    tax_id: str | None,
    country: str | None,
    at: datetime,
) -> None:
    """Set what stands on the customer's bills from now on; what is not named stays."""
    found = letterhead.set_of_customer(
        app.context,
        services.find_customer(app.context, customer).customer_id,
        address_lines=address_line if address_line or no_address else None,
        tax_id=tax_id,
        country=country,
        now=at,
    )
    app.show(found, *letterhead_lines(found))


def customer_lines(view: CustomerView) -> list[str]:
    lines = [f"customer {view.customer_id} {view.name} ({view.profile_name})"]
    for wallet in view.wallets:
        available = show_money(wallet.available_micros, wallet.currency)
        lines.append(f"wallet {wallet.wallet_id}: {available} available{uninvoiced_words(wallet)}")
    if view.promise_until is not None:
        lines.append(f"promised to pay by {view.promise_until} (rule B19)")
    if view.discontinue_on is not None:
        lines.append(f"service ends unpaid on {view.discontinue_on} (rule B15)")
    mails = view.alert_addresses or ((view.email,) if view.email else ())
    told = ", ".join((*mails, *view.alert_numbers)) or "nobody: there is no address"
    lines.append(f"messages ({view.locale}) to {told}")
    return [*lines, f"subscriptions: {', '.join(map(str, view.subscription_ids)) or 'none'}"]
