"""`tollway message`."""

from __future__ import annotations

from datetime import datetime

import click

from billing.cli.app import App, Command, Group, at_option
from billing.cli.message_templates import template
from billing.cli.relay import mail_from, relay, webhook
from billing.cli.units import show_instant
from billing.clock import utc_now
from billing.errors import Unavailable
from billing.model.messages import (
    Channel,
    ChannelDown,
    Envelope,
    MessageChannel,
    MessageKind,
    MessageState,
    Outcome,
)
from billing.services import customers, message_templates
from billing.services import messages as services

NOT_SENT = "no relay is set (TOLLWAY_SMTP_HOST, TOLLWAY_MAIL_FROM): messages stay queued"
NOT_POSTED = "no webhook is set (TOLLWAY_WEBHOOK_URL): its messages stay queued"


@click.group(cls=Group)
def message() -> None:
    """Messages to customers: what was sent, what was not, how they look."""


@message.command("list", cls=Command)
@click.option("--failed", is_flag=True, help="Only what did not arrive.")
@click.option("--customer", help="Number or exact name.")
@click.pass_obj
def list_(app: App, failed: bool, customer: str | None) -> None:
    """The delivery log, newest first."""
    customer_id = None
    if customer is not None:
        customer_id = customers.find_customer(app.context, customer).customer_id
    found = services.listed(app.context, customer_id=customer_id, failed=failed)
    app.show_table(
        found,
        ("number", "customer", "kind", "by", "to", "queued", "state", "tries", "sent", "problem"),
        [
            (
                one.message_id,
                one.customer_name,
                one.kind,
                one.channel,
                ", ".join(one.addresses),
                show_instant(one.created_at),
                one.state,
                one.attempts,
                show_instant(one.sent_at),
                one.last_error,
            )
            for one in found
        ],
    )
    waiting = {
        one.channel for one in found if one.state in (MessageState.QUEUED, MessageState.FAILED)
    }
    if MessageChannel.EMAIL in waiting and not relay(app.settings):
        click.echo(NOT_SENT, err=True)
    if MessageChannel.WEBHOOK in waiting and not webhook(app.settings):
        click.echo(NOT_POSTED, err=True)


@message.command("resend", cls=Command)
@click.argument("number", type=int)
@at_option
@click.pass_obj
def resend(app: App, number: int, at: datetime) -> None:
    """Send a message again, to the addresses that its customer has now."""
    services.resend(app.context, number, at)
    app.show({"message_id": number}, f"message {number} is queued")


@message.command("preview", cls=Command)
@click.argument("kind", type=click.Choice([kind.value for kind in MessageKind]))
@click.option("--language", default="en", show_default=True)
@click.option("--html", is_flag=True, help="Print the HTML part.")
@click.pass_obj
def preview(app: App, kind: str, language: str, html: bool) -> None:
    """Show how a message looks, with made-up facts."""
    made = message_templates.preview(app.context, MessageKind(kind), language)
    if app.json:
        app.show(made)
    elif html:
        click.echo(made.html)
    else:
        click.echo(f"Subject: {made.subject}\n\n{made.text}", nl=False)


@message.command("test", cls=Command)
@click.argument("address")
@click.pass_obj
def test(app: App, address: str) -> None:
    """Send a message with made-up facts to ADDRESS, to see that the relay takes it, or, where it
    is a number like +34600123456, the webhook."""
    if address.startswith("+"):
        if (gateway := webhook(app.settings)) is None:
            raise Unavailable(NOT_POSTED, field="webhook_url")
        _try(gateway, services.trial_call(app.context, address, utc_now()), "webhook")
        app.show({"address": address}, f"the webhook took it for {address}")
        return
    if (channel := relay(app.settings)) is None:
        raise Unavailable(NOT_SENT, field="smtp_host")
    envelope = services.trial(app.context, address, mail_from(app.settings), utc_now())
    _try(channel, envelope, "relay")
    app.show({"address": address, "sender": envelope.sender}, f"the relay took it for {address}")


def _try(channel: Channel, envelope: Envelope, name: str) -> None:
    field = {"relay": "smtp_host", "webhook": "webhook_url"}[name]
    try:
        with channel.open() as line:
            handed = line.send(envelope)
    except ChannelDown as error:
        raise Unavailable(f"the {name} cannot be reached: {error}", field=field) from None
    if handed.outcome is not Outcome.SENT:
        raise Unavailable(f"the {name} does not take it: {handed.reason}", field="address")


@message.command("webhook", cls=Command)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([kind.value for kind in MessageKind]),
    help="It gets messages of this kind about everybody; repeat for several.",
)
@click.option("--no-kinds", is_flag=True, help="It gets those to customers with a number only.")
@at_option
@click.pass_obj
def webhook_(app: App, kinds: tuple[str, ...], no_kinds: bool, at: datetime) -> None:
    """Choose which messages the webhook gets about customers without a number, too."""
    if kinds and no_kinds:
        raise click.UsageError("give either --kind or --no-kinds")
    if kinds or no_kinds:
        services.set_webhook_kinds(app.context, [MessageKind(kind) for kind in kinds], at)
    chosen = services.webhook_kinds(app.context)
    told = f", and of everybody: {', '.join(chosen)}" if chosen else ""
    app.show({"kinds": chosen}, f"the webhook gets messages to numbers{told}")


@message.command("from", cls=Command)
@click.argument("address", required=False)
@click.option("--organisation", type=int, default=1, show_default=True, help="Its number.")
@click.option("--default", "default", is_flag=True, help="The installation's address again.")
@click.option("--name", help="What stands before it; empty: the organisation's name.")
@at_option
@click.pass_obj
def from_(
    app: App,
    address: str | None,
    organisation: int,
    default: bool,
    name: str | None,
    at: datetime,
) -> None:
    """Set the From address of the operator or of a reseller, and the name before it."""
    if (address is None) is not default:
        raise click.UsageError("give either an address or --default")
    services.set_sender(app.context, organisation, address, at, name=name)
    said = address or "the installation's address"
    app.show({"organisation": organisation, "mail_from": address}, f"messages come from {said}")


message.add_command(template)
