"""`tollway nas`."""

from __future__ import annotations

from datetime import datetime

import click

from billing.cli.app import App, Command, Group, at_option
from billing.model.network import Vendor, ends_at_octets, has_garden
from billing.services import grants
from billing.services import nas as services


@click.group(cls=Group)
def nas() -> None:
    """Routers and hotspot controllers."""


@nas.command("add", cls=Command)
@click.argument("name")
@click.argument("address")
@click.option(
    "--vendor",
    default=Vendor.GENERIC.value,
    show_default=True,
    help=f"{', '.join(v.value for v in Vendor)}; any other gets standard attributes.",
)
@click.option("--secret", help="Shared secret; a random one unless given.")
@click.option("--coa-port", type=int, help="3799, or what the vendor uses (Cisco: 1700).")
@click.option("--swap-octets", is_flag=True, help="It reports input as the subscriber sees it.")
@click.option(
    "--no-message-authenticator",
    is_flag=True,
    help="It cannot send Message-Authenticator (old firmware; less safe).",
)
@click.option("--org", "org_id", type=int, help="Reseller whose it is; the operator's else.")
@at_option
@click.pass_obj
def add(
    app: App,
    name: str,
    address: str,
    vendor: str,
    secret: str | None,
    coa_port: int | None,
    swap_octets: bool,
    no_message_authenticator: bool,
    org_id: int | None,
    at: datetime,
) -> None:
    """Register a NAS. Its secret is printed this once."""
    view, shown = services.add_nas(
        app.context,
        name=name,
        address=address,
        now=at,
        vendor=vendor,
        secret=secret,
        coa_port=coa_port,
        swap_octets=swap_octets,
        require_message_authenticator=not no_message_authenticator,
        org_id=org_id,
    )
    app.show(
        {"nas": view, "secret": shown},
        f"NAS {view.nas_id} {view.name} at {view.address} ({view.spoken})",
        f"CoA and Disconnect go to its port {view.coa_port}",
        f"secret: {shown}",
        "Write it into the NAS now; it is not shown again.",
        *_warnings(app, view.vendor),
    )


@nas.command("set", cls=Command)
@click.argument("name")
@click.option("--vendor", help="As for `nas add`.")
@click.option("--coa-port", type=int)
@click.option("--swap-octets/--no-swap-octets", default=None)
@click.option("--message-authenticator/--no-message-authenticator", default=None)
@at_option
@click.pass_obj
def set_(
    app: App,
    name: str,
    vendor: str | None,
    coa_port: int | None,
    swap_octets: bool | None,
    message_authenticator: bool | None,
    at: datetime,
) -> None:
    """Change a NAS; what is not given stays. It is in force within a minute."""
    view = services.change_nas(
        app.context,
        name,
        now=at,
        vendor=vendor,
        coa_port=coa_port,
        swap_octets=swap_octets,
        require_message_authenticator=message_authenticator,
    )
    app.show(
        view,
        f"NAS {view.name}: {view.spoken}, CoA port {view.coa_port}",
        *_warnings(app, view.vendor),
    )


def _warnings(app: App, vendor: str) -> list[str]:
    """Where a plan shares strictly and this NAS cannot enforce it (rule Q4), and where it fences
    nobody in (rule B10)."""
    plans, _ = ((), ()) if ends_at_octets(vendor) else grants.unenforced(app.context)
    found = []
    if plans:
        found.append(
            f"warning: it cannot end a session at a number of octets, as strict sharing of "
            f"{', '.join(plans)} wants: there it ends by its reports, up to an interval late"
        )
    if not has_garden(vendor):
        found.append(
            "note: it has no pools by name: who is suspended into one is served at the speed that "
            "was bought, unless the pool is leased by Tollway (`tollway pool add`) and your "
            "firewall confines its addresses"
        )
    return found


@nas.command("list", cls=Command)
@at_option
@click.pass_obj
def list_(app: App, at: datetime) -> None:
    """All NAS."""
    found = services.list_nas(app.context, at)
    app.show_table(
        found,
        ("id", "name", "address", "vendor", "CoA port", "Message-Authenticator"),
        (
            (
                view.nas_id,
                view.name,
                view.address,
                view.spoken,
                view.coa_port,
                "required" if view.require_message_authenticator else "optional",
            )
            for view in found
        ),
    )
