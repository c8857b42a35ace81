"""`tollway staff`."""

from __future__ import annotations

import click

from billing.cli.app import App, Command, Group
from billing.clock import utc_now
from billing.model.staff import StaffRole
from billing.services import staff as services


@click.group(cls=Group)
def staff() -> None:
    """People who may log in to the panel."""


@staff.command("enrol", cls=Command)
@click.argument("email")
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice([role.value for role in StaffRole]),
    default=[StaffRole.OWNER.value],
    show_default=True,
)
@click.option("--org", "org_id", type=int, help="Number of the reseller whose staff it is.")
@click.pass_obj
def enrol(app: App, email: str, roles: tuple[str, ...], org_id: int | None) -> None:
    """Print a one-time link by which the person sets a password."""
    token = services.enrol(
        app.context, email, [StaffRole(role) for role in roles], utc_now(), org_id=org_id
    )
    settings = app.settings
    base = settings.panel_url or f"http://127.0.0.1:{settings.http_port}"
    link = f"{base.rstrip('/')}/enrol/{token}"
    app.show({"email": email, "link": link}, f"open within 24 hours, once: {link}")


@staff.command("list", cls=Command)
@click.pass_obj
def list_(app: App) -> None:
    """Everybody who may log in."""
    found = services.list_staff(app.context)
    app.show_table(
        [{"email": m.email, "roles": m.roles, "active": m.active} for m in found],
        ("email", "roles", "active"),
        ((m.email, ", ".join(sorted(m.roles)), "yes" if m.active else "no") for m in found),
    )
