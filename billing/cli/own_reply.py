"""`tollway subscriber ipv6` and `subscriber attribute`: what one subscriber alone is sent."""

from __future__ import annotations

from datetime import datetime

import click

from billing.cli.app import App, Command, Group, at_option
from billing.model.own_reply import Operator, OwnReply
from billing.services import customers, own_reply
from billing.services.dictionary import Dictionary


@click.command("ipv6", cls=Command)
@click.argument("username")
@click.option("--framed-prefix", help="Framed-IPv6-Prefix: 2001:db8:1::/64.")
@click.option("--delegated-prefix", help="Delegated-IPv6-Prefix: 2001:db8:100::/56.")
@click.option("--framed-address", help="Framed-IPv6-Address: 2001:db8:1::7.")
@at_option
@click.pass_obj
def ipv6(
    app: App,
    username: str,
    framed_prefix: str | None,
    delegated_prefix: str | None,
    framed_address: str | None,
    at: datetime,
) -> None:
    """Fix a subscriber's IPv6 from its next login on; without options none is fixed."""
    subscription_id = customers.subscription_id_of(app.context, username)
    own_reply.set_ipv6(
        app.context,
        subscription_id,
        framed_prefix=framed_prefix,
        delegated_prefix=delegated_prefix,
        framed_address=framed_address,
        now=at,
    )
    own = own_reply.own_reply(app.context, subscription_id)
    app.show(own, *(own_lines(own) or [f"{username}: no fixed IPv6"]))


@click.group(cls=Group)
def attribute() -> None:
    """Reply attributes that one subscriber gets of its own."""


@attribute.command("set", cls=Command)
@click.argument("username")
@click.argument("name")
@click.argument("value")
@click.option(
    "--operator",
    type=click.Choice([item.value for item in Operator]),
    default=Operator.REPLACE.value,
    show_default=True,
    help="Instead of what Tollway sends, only where it sends none, or beside.",
)
@click.option("--when-suspended", is_flag=True, help="In the suspended pool, too.")
@at_option
@click.pass_obj
def set_(
    app: App,
    username: str,
    name: str,
    value: str,
    operator: str,
    when_suspended: bool,
    at: datetime,
) -> None:
    """Send NAME with VALUE to this subscriber from its next login on."""
    wanted = own_reply.set_attribute(
        app.context,
        Dictionary(app.settings.dictionary_dir),
        customers.subscription_id_of(app.context, username),
        name=name,
        value=value,
        operator=operator,
        when_suspended=when_suspended,
        now=at,
    )
    app.show(wanted, f"{username}: {wanted.line}")


@attribute.command("list", cls=Command)
@click.argument("username")
@click.pass_obj
def list_(app: App, username: str) -> None:
    """The attributes that a subscriber gets of its own."""
    own = own_reply.own_reply(app.context, customers.subscription_id_of(app.context, username))
    app.show_table(
        own.attributes,
        ("name", "operator", "value", "when suspended"),
        (
            (item.name, item.operator, item.value, "yes" if item.when_suspended else "no")
            for item in own.attributes
        ),
    )


@attribute.command("remove", cls=Command)
@click.argument("username")
@click.argument("name")
@click.argument("value", required=False)
@at_option
@click.pass_obj
def remove(app: App, username: str, name: str, value: str | None, at: datetime) -> None:
    """No longer send NAME of its own; with VALUE only that one."""
    subscription_id = customers.subscription_id_of(app.context, username)
    removed = own_reply.remove_attribute(
        app.context, subscription_id, name=name, value=value, now=at
    )
    own = own_reply.own_reply(app.context, subscription_id)
    app.show(own, f"{username}: {removed} removed", *own_lines(own))


def own_lines(own: OwnReply) -> list[str]:
    """One line for each thing that a subscriber is sent of its own."""
    return [f"own:      {line}" for line in own.lines]
