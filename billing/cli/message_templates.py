"""`tollway message template`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from billing.cli.app import App, Command, Group, at_option
from billing.model.messages import MessageKind
from billing.services import message_templates as services

KIND = click.Choice([kind.value for kind in MessageKind])
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_language = click.option("--language", default="en", show_default=True)


@click.group(cls=Group)
def template() -> None:
    """What messages look like: the product's templates, or your own."""


@template.command("show", cls=Command)
@click.argument("kind", type=KIND)
@click.argument("part", type=click.Choice(["mjml", "text", "sms"]))
@_language
@click.pass_obj
def show(app: App, kind: str, part: str, language: str) -> None:
    """Print a part of the template in use, to be edited: MJML, subject and text, or SMS."""
    view = services.shown(app.context, MessageKind(kind), language)
    if app.json:
        app.show(view)
    else:
        click.echo({"mjml": view.mjml, "text": view.text, "sms": view.sms}[part], nl=False)


@template.command("set", cls=Command)
@click.argument("kind", type=KIND)
@click.option("--mjml", type=_FILE, help="The HTML part; as it is unless given.")
@click.option("--text", type=_FILE, help="Subject and text part; as they are unless given.")
@click.option("--sms", type=_FILE, help="The line for telephones; as it is unless given.")
@_language
@at_option
@click.pass_obj
def set_(
    app: App,
    kind: str,
    mjml: Path | None,
    text: Path | None,
    sms: Path | None,
    language: str,
    at: datetime,
) -> None:
    """Store a template of your own; one that makes no message is refused with the line."""
    if mjml is None and text is None and sms is None:
        raise click.UsageError("give --mjml, --text, --sms or several of them")
    now_used = services.shown(app.context, MessageKind(kind), language)
    view = services.save(
        app.context,
        MessageKind(kind),
        language,
        now_used.mjml if mjml is None else mjml.read_text(encoding="utf-8"),
        now_used.text if text is None else text.read_text(encoding="utf-8"),
        at,
        now_used.sms if sms is None else sms.read_text(encoding="utf-8"),
    )
    app.show(view, f"{kind} is made by your own template in {view.language}")


@template.command("reset", cls=Command)
@click.argument("kind", type=KIND)
@_language
@at_option
@click.pass_obj
def reset(app: App, kind: str, language: str, at: datetime) -> None:
    """Go back to the product's template."""
    services.reset(app.context, MessageKind(kind), language, at)
    app.show({"kind": kind}, f"{kind} is made by the product's template")
