"""`tollway hotspot`."""

from __future__ import annotations

from datetime import datetime

import click

from billing.cli.app import App, Command, Group, at_option
from billing.model.hotspots import HotspotView
from billing.model.money import Money
from billing.model.vouchers import serial_text
from billing.payments.registry import open_gateway
from billing.services import catalog, hotspot_offers, hotspot_orders, hotspot_setup, hotspots
from billing.services.gateways import Gateways


@click.group(cls=Group)
def hotspot() -> None:
    """NAS whose guests come to the captive portal."""


@hotspot.command("add", cls=Command)
@click.argument("nas")
@click.argument("addresses", nargs=-1, required=True)
@click.option("--org", type=int, help="Whose guests they are; the operator's own.")
@at_option
@click.pass_obj
def add(app: App, nas: str, addresses: tuple[str, ...], org: int | None, at: datetime) -> None:
    """Let guests of a NAS log in at the portal. ADDRESSES: where the NAS takes logins, as its
    guests reach it (http://10.5.50.1; CoovaChilli http://10.1.0.1:3990); nothing is sent anywhere
    else."""
    view, secret = hotspots.add(app.context, nas, addresses, at, org_id=org)
    _show(app, view, secret)


@hotspot.command("set", cls=Command)
@click.argument("nas")
@click.argument("addresses", nargs=-1)
@click.option("--close/--open", "closed", default=None, help="Let nobody in by the portal.")
@click.option("--new-secret", is_flag=True, help="Another HS_UAMSECRET, of CoovaChilli.")
@at_option
@click.pass_obj
def set_(
    app: App,
    nas: str,
    addresses: tuple[str, ...],
    closed: bool | None,
    new_secret: bool,
    at: datetime,
) -> None:
    """Change a hotspot; what is not given stays."""
    view, secret = hotspots.change(
        app.context, nas, at, addresses=addresses, closed=closed, new_secret=new_secret
    )
    _show(app, view, secret)


@hotspot.command("list", cls=Command)
@click.pass_obj
def list_(app: App) -> None:
    """All of them."""
    found = hotspots.listed(app.context)
    app.show_table(
        found,
        ("NAS", "organisation", "speaks", "addresses", "state", "guests come to"),
        (
            (
                one.nas_name,
                one.org_id,
                one.dialect,
                " ".join(one.addresses),
                "closed" if one.closed_at else "open",
                hotspot_setup.portal_page(one, _portal(app)),
            )
            for one in found
        ),
    )


@hotspot.command("offer", cls=Command)
@click.argument("nas")
@click.argument("plans", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Sell these no longer.")
@at_option
@click.pass_obj
def offer(app: App, nas: str, plans: tuple[str, ...], remove: bool, at: datetime) -> None:
    """Let guests of a hotspot buy these plans, by name, at the pages of your gateways."""
    numbers = [catalog.find_plan(app.context, plan, at).plan_id for plan in plans]
    change = hotspot_offers.withdraw if remove else hotspot_offers.offer
    names = [plan.name for plan in change(app.context, nas, numbers, at)]
    app.show({"plans": names}, f"guests of {nas} may buy: {', '.join(names) or 'nothing'}")


@hotspot.command("orders", cls=Command)
@click.option("--search", default="", help="A mail address, phone, number of payment or voucher.")
@click.pass_obj
def orders(app: App, search: str) -> None:
    """What guests have bought, newest first: where one has lost a code, `voucher replace` the
    voucher."""
    found = hotspot_orders.listed(app.context, search)
    app.show_table(
        found,
        ("at", "plan", "price", "payment", "is", "voucher", "mail", "phone", "problem"),
        (
            (
                f"{one.created_at:%Y-%m-%d %H:%M} UTC",
                one.plan_name,
                Money(one.price_micros, one.currency),
                one.attempt_id,
                one.state.replace("_", " "),
                None if one.serial is None else serial_text(one.serial),
                one.email,
                one.phone,
                one.problem,
            )
            for one in found
        ),
    )


@hotspot.command("settings", cls=Command)
@click.argument("nas")
@click.pass_obj
def settings(app: App, nas: str) -> None:
    """What to enter at the NAS."""
    view = hotspots.show(app.context, nas)
    lines = hotspot_setup.settings(view, _portal(app), _hosts(app, view))
    app.show({"settings": lines}, *lines)


@hotspot.command("login-file", cls=Command)
@click.argument("nas")
@click.pass_obj
def login_file(app: App, nas: str) -> None:
    """MikroTik's login.html, which sends guests to the portal."""
    text = hotspot_setup.login_file(hotspots.show(app.context, nas), _portal(app))
    app.show({"login.html": text}, text.rstrip())


@hotspot.command("walled-garden", cls=Command)
@click.argument("nas")
@click.option("--commands", is_flag=True, help="As RouterOS takes them.")
@click.pass_obj
def walled_garden(app: App, nas: str, commands: bool) -> None:
    """Names of hosts that guests must reach before they are logged in."""
    view = hotspots.show(app.context, nas)
    hosts = _hosts(app, view)
    app.show({"hosts": hosts}, *(hotspot_setup.garden_commands(hosts) if commands else hosts))


def _show(app: App, view: HotspotView, secret: str) -> None:
    lines = [
        f"{view.nas_name} takes logins at {', '.join(view.addresses)}",
        f"guests come to {hotspot_setup.portal_page(view, _portal(app))}"
        + (" (closed)" if view.closed_at else ""),
    ]
    if secret:
        lines += [f"HS_UAMSECRET={secret}", "Write it into the NAS now; it is not shown again."]
    lines.append(f"see `tollway hotspot settings {view.nas_name}`")
    app.show({"hotspot": view, "uam_secret": secret or None}, *lines)


def _portal(app: App) -> str:
    known = app.settings.hotspot_url or app.settings.panel_url
    return known or f"http://127.0.0.1:{app.settings.http_port}"


def _hosts(app: App, view: HotspotView) -> list[str]:
    return hotspot_setup.garden(app.context, Gateways(open_gateway), view, _portal(app))
