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


@staff.command("role", cls=Command)
@click.argument("email")
@click.argument("role", type=click.Choice([role.value for role in StaffRole]))
@click.pass_obj
def role(app: App, email: str, role: str) -> None:
    """Give a person another role."""
    services.set_role(app.context, email, StaffRole(role), utc_now())
    app.show({"email": email, "role": role}, f"{email} is {role} now")


@staff.command("disable", cls=Command)
@click.argument("email")
@click.pass_obj
def disable(app: App, email: str) -> None:
    """End a person's sessions, and let it log in no more."""
    services.set_active(app.context, email, False, utc_now())
    app.show({"email": email, "active": False}, f"{email} may not log in any more")


@staff.command("enable", cls=Command)
@click.argument("email")
@click.pass_obj
def enable(app: App, email: str) -> None:
    """Let a person who was disabled log in again."""
    services.set_active(app.context, email, True, utc_now())
    app.show({"email": email, "active": True}, f"{email} may log in again")


@staff.command("list", cls=Command)
@click.option("--org", "org_id", type=int, help="Of this organisation only.")
@click.pass_obj
def list_(app: App, org_id: int | None) -> None:
    """Everybody who may log in."""
    found = [m for m in services.list_staff(app.context) if org_id in (None, m.org_id)]
    app.show_table(
        [{"email": m.email, "org": m.org_id, "roles": m.roles, "active": m.active} for m in found],
        ("email", "organisation", "roles", "active"),
        (
            (m.email, m.org_id, ", ".join(sorted(m.roles)), "yes" if m.active else "no")
            for m in found
        ),
    )
