"""`tollway design`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import click

from billing.cli.app import App, Command, Group, at_option
from billing.documents.checks import logo_address
from billing.documents.pdf import try_design
from billing.errors import InvalidInput
from billing.model.designs import Block, InvoiceDesign
from billing.services import designs

_FILE = click.Path(path_type=Path)
_OPTIONAL = ("logo", "footer", "css", "template")
_org = click.option("--org", type=int, default=1, show_default="1, the operator's own")


@click.group(cls=Group)
def design() -> None:
    """How bills look: logo, colour, blocks, footer, own CSS and template."""


@design.command("show", cls=Command)
@_org
@click.pass_obj
def show(app: App, org: int) -> None:
    """What an organisation's bills are set by: its own design, or the operator's."""
    _say(app, designs.design_of(app.context, org))


@design.command("set", cls=Command)
@_org
@click.option("--accent", help="A colour like #206bc4.")
@click.option("--blocks", help=f"In their order: {','.join(Block)}; one left out is off.")
@click.option("--logo", type=_FILE, help="A PNG or JPEG file of at most 200 kB.")
@click.option("--footer", help="Text below; {{ bill.number }} and the like are filled in.")
@click.option("--css", type=_FILE, help="A file of CSS that comes after the built-in one.")
@click.option("--template", type=_FILE, help="A file of HTML in place of the blocks.")
@click.option(
    "--no", "without", multiple=True, type=click.Choice(_OPTIONAL), help="Take away; repeatable."
)
@at_option
@click.pass_obj
def set_(
    app: App,
    org: int,
    accent: str | None,
    blocks: str | None,
    logo: Path | None,
    footer: str | None,
    css: Path | None,
    template: Path | None,
    without: tuple[str, ...],
    at: datetime,
) -> None:
    """Change an organisation's design; what is not named stays."""
    now = designs.design_of(app.context, org)
    # The option's choices are fields that may be None.
    kept = replace(now, **dict.fromkeys(without))  # type: ignore[arg-type]
    changed = replace(
        kept,
        accent=kept.accent if accent is None else accent,
        blocks=kept.blocks if blocks is None else _blocks(blocks),
        logo=kept.logo if logo is None else logo_address(_octets(logo, "logo")),
        footer=kept.footer if footer is None else footer,
        css=kept.css if css is None else _text(css, "css"),
        template=kept.template if template is None else _text(template, "template"),
    )
    try_design(designs.checked(changed))
    designs.save(app.context, org, changed, at)
    _say(app, changed)


@design.command("reset", cls=Command)
@_org
@at_option
@click.pass_obj
def reset(app: App, org: int, at: datetime) -> None:
    """Give up an organisation's own design for the operator's or the built-in one."""
    _say(app, designs.reset(app.context, org, at))


def _blocks(text: str) -> tuple[Block, ...]:
    try:
        return tuple(Block(name.strip()) for name in text.split(","))
    except ValueError as error:
        known = ", ".join(Block)
        raise InvalidInput(f"{error}; there are {known}", field="blocks") from None


def _octets(file: Path, field: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}", field=field) from None


def _text(file: Path, field: str) -> str:
    try:
        return _octets(file, field).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput(f"{file} is not UTF-8", field=field) from None


def _say(app: App, found: InvoiceDesign) -> None:
    app.show(
        found,
        f"accent {found.accent}",
        f"blocks {','.join(found.blocks)}",
        f"logo {'none' if found.logo is None else found.logo.partition(';')[0]}",
        f"footer {found.footer or 'none'}",
        f"css {'none' if found.css is None else f'{len(found.css)} characters'}",
        f"template {'none' if found.template is None else f'{len(found.template)} characters'}",
    )
