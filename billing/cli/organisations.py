"""`tollway organisation`."""

from __future__ import annotations

from datetime import datetime

import click

from billing.cli.app import App, Command, Group, at_option
from billing.cli.units import letterhead_lines
from billing.model.documents import Party
from billing.services import letterhead


@click.group(cls=Group)
def organisation() -> None:
    """The operator and its resellers, as they stand on bills."""


_org = click.option("--org", type=int, default=1, show_default="1, the operator's own")


@organisation.command("show", cls=Command)
@_org
@click.pass_obj
def show(app: App, org: int) -> None:
    """Name, postal address and tax number."""
    _say(app, letterhead.of_organisation(app.context, org))


@organisation.command("set", cls=Command)
@_org
@click.option("--address-line", multiple=True, help="A line of the postal address; repeatable.")
@click.option("--no-address", is_flag=True, help="Take the address away.")
@click.option("--tax-id", help="Like DE123456789; '' takes it away.")
@click.option("--country", help="Like DE; '' takes it away.")
@click.option("--e-invoice/--no-e-invoice", default=None, help="Bills from now on by EN 16931.")
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
    at: datetime,
) -> None:
    """Change what stands on bills from now on; what is not named stays."""
    lines = address_line if address_line or no_address else None
    found = letterhead.set_of_organisation(
        app.context,
        org,
        address_lines=lines,
        tax_id=tax_id,
        country=country,
        e_invoice=e_invoice,
        now=at,
    )
    _say(app, found)


def _say(app: App, found: Party) -> None:
    app.show(found, *letterhead_lines(found))
