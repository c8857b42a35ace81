"""`tollway organisation`."""

from __future__ import annotations

from datetime import datetime

import click

from billing.cli.app import App, Command, Group, at_option
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
@at_option
@click.pass_obj
def set_(
    app: App,
    org: int,
    address_line: tuple[str, ...],
    no_address: bool,
    tax_id: str | None,
    at: datetime,
) -> None:
    """Change what stands on bills; what is not named stays."""
    lines = address_line if address_line or no_address else None
    found = letterhead.set_of_organisation(
        app.context, org, address_lines=lines, tax_id=tax_id, now=at
    )
    _say(app, found)


def _say(app: App, found: Party) -> None:
    tax = [f"tax number {found.tax_id}"] if found.tax_id else []
    app.show(found, found.name, *found.address_lines, *tax)
