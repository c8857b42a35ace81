"""`tollway organisation`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

import click

from billing.cli.app import App, Command, Group, at_option
from billing.cli.catalog import amount
from billing.cli.units import letterhead_lines
from billing.model.documents import Party
from billing.model.money import Money
from billing.services import catalog, confirmations, letterhead


@click.group(cls=Group)
def organisation() -> None:
    """The operator and its resellers, as they stand on bills."""


_org = click.option("--org", type=int, default=1, show_default="1, the operator's own")


@organisation.command("show", cls=Command)
@_org
@click.pass_obj
def show(app: App, org: int) -> None:
    """Name, postal address, tax number, and above what its staff proves again who it is."""
    _say(app, letterhead.of_organisation(app.context, org), org)


@organisation.command("set", cls=Command)
@_org
@click.option("--address-line", multiple=True, help="A line of the postal address; repeatable.")
@click.option("--no-address", is_flag=True, help="Take the address away.")
@click.option("--tax-id", help="Like DE123456789; '' takes it away.")
@click.option("--country", help="Like DE; '' takes it away.")
@click.option("--e-invoice/--no-e-invoice", default=None, help="Bills from now on by EN 16931.")
@click.option(
    "--confirm-above",
    help="Like 100.00: its staff gives its password again in the panel before it moves more by "
    "hand; '' asks for it never.",
)
@at_option
@click.pass_obj
def set_(
    app: App,
    org: int,
    address_line: tuple[str, ...],
    no_address: bool,
    tax_id: str | None,
    country: str | None,
    e_invoice: bool | None,
    confirm_above: str | None,
    at: datetime,
) -> None:
    """Change what stands on bills from now on, and what its staff confirms; what is not named
    stays."""
    lines = address_line if address_line or no_address else None
    with app.context.together() as context:
        found = letterhead.set_of_organisation(
            context,
            org,
            address_lines=lines,
            tax_id=tax_id,
            country=country,
            e_invoice=e_invoice,
            now=at,
        )
        if confirm_above is not None:
            micros = amount(app, confirm_above, "confirm_above") if confirm_above else None
            confirmations.set_limit(context, org, micros, at)
    _say(app, found, org)


def _say(app: App, found: Party, org: int) -> None:
    limit_micros = confirmations.limit_of(app.context, org)
    lines = letterhead_lines(found)
    if limit_micros is not None:
        limit = Money(limit_micros, catalog.operator(app.context).currency)
        lines.append(f"staff confirms more than {limit} by its password")
    shown = {**asdict(found), "confirm_above_micros": limit_micros}
    app.show(shown, *lines)
