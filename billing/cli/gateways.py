"""`tollway gateway`."""

from __future__ import annotations

from datetime import datetime

import click

from billing.cli.app import App, Command, Group, at_option
from billing.errors import InvalidInput, Unavailable
from billing.model.payments import GatewayView
from billing.payments.registry import adapters, open_gateway
from billing.services import gateways as services
from billing.services.gateways import Gateways


@click.group(cls=Group)
def gateway() -> None:
    """Providers that payments are taken by."""


@gateway.command("add", cls=Command)
@click.argument("name")
@click.option("--adapter", required=True, help=f"One of {', '.join(adapters())}.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Repeatable.")
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="NAME",
    help="Of a secret (api_key, signing_secret); its value is asked for. Repeatable.",
)
@click.option("--org", type=int, help="The organisation that it is of; the operator's own.")
@at_option
@click.pass_obj
def add(
    app: App,
    name: str,
    adapter: str,
    settings: tuple[str, ...],
    secrets: tuple[str, ...],
    org: int | None,
    at: datetime,
) -> None:
    """Set one up; nobody is called. What is secret is asked for, a line each, so that it is in no
    history and no list of processes."""
    view = services.add(
        app.context,
        Gateways(open_gateway),
        name=name,
        adapter=adapter,
        settings=dict(_pair(one) for one in settings),
        secret_settings={one: _asked(one) for one in secrets},
        now=at,
        org_id=org,
    )
    app.show(view, *_lines(app, view))


@gateway.command("adapters", cls=Command)
@click.pass_obj
def adapters_(app: App) -> None:
    """What may be set up, and the package that brings each along."""
    found = adapters()
    app.show_table(
        [{"adapter": name, "package": package} for name, package in found.items()],
        ("adapter", "package"),
        found.items(),
    )


@gateway.command("list", cls=Command)
@click.pass_obj
def list_(app: App) -> None:
    """All of them, without their secrets."""
    found = services.listed(app.context)
    app.show_table(
        found,
        ("number", "name", "adapter", "organisation", "money", "state"),
        [
            (
                one.gateway_id,
                one.name,
                one.adapter,
                one.org_id,
                one.channel,
                "disabled" if one.disabled_at else "in use",
            )
            for one in found
        ],
    )


@gateway.command("show", cls=Command)
@click.argument("gateway")
@click.pass_obj
def show(app: App, gateway: str) -> None:
    """One, with the address that its provider is to call."""
    view = services.find(app.context, gateway)
    app.show(view, *_lines(app, view))


@gateway.command("test", cls=Command)
@click.argument("gateway")
@click.pass_obj
def test(app: App, gateway: str) -> None:
    """Ask the provider whether it can be used; no money moves."""
    view = services.find(app.context, gateway)
    problem = services.tried(app.context, Gateways(open_gateway), view.gateway_id)
    if problem:
        raise Unavailable(f"{view.name}: {problem}", field="gateway")
    app.show({"gateway": view.gateway_id, "works": True}, f"{view.name} answers")


@gateway.command("secret", cls=Command)
@click.argument("gateway")
@click.argument("names", nargs=-1, required=True)
@at_option
@click.pass_obj
def secret(app: App, gateway: str, names: tuple[str, ...], at: datetime) -> None:
    """Exchange secrets; each is asked for."""
    view = services.find(app.context, gateway)
    values = {one: _asked(one) for one in names}
    view = services.set_secrets(app.context, view.gateway_id, values, at)
    app.show(view, f"{view.name}: exchanged {', '.join(names)}")


@gateway.command("disable", cls=Command)
@click.argument("gateway")
@at_option
@click.pass_obj
def disable(app: App, gateway: str, at: datetime) -> None:
    """Take no payments by it any more, and hear no events."""
    view = services.find(app.context, gateway)
    view = services.set_enabled(app.context, view.gateway_id, at, enabled=False)
    app.show(view, f"{view.name} is disabled")


@gateway.command("enable", cls=Command)
@click.argument("gateway")
@at_option
@click.pass_obj
def enable(app: App, gateway: str, at: datetime) -> None:
    """Use it again."""
    view = services.find(app.context, gateway)
    view = services.set_enabled(app.context, view.gateway_id, at, enabled=True)
    app.show(view, f"{view.name} is in use")


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise InvalidInput(f"write it like url=https://…, not {text!r}", field="set")
    return name, value


def _asked(name: str) -> str:
    value: str = click.prompt(name, hide_input=True, err=True)
    return value.strip()


def _lines(app: App, view: GatewayView) -> list[str]:
    address = app.settings.panel_url or f"http://127.0.0.1:{app.settings.http_port}"
    settings = ", ".join(f"{name} {value}" for name, value in sorted(view.settings.items()))
    return [
        f"gateway {view.gateway_id}: {view.name}, by {view.adapter}, organisation {view.org_id}",
        f"settings: {settings or 'none'}",
        f"its provider calls {address}/hooks/{view.hook_token}",
        *(["it is disabled"] if view.disabled_at else []),
    ]
