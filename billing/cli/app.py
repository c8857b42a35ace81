"""What every command shares: settings, the database, output, `--json`, `--at`."""

from __future__ import annotations

import dataclasses
import getpass
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from enum import Enum
from functools import cached_property
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table

from billing.cli.units import INSTANT
from billing.clock import utc_now
from billing.errors import Unavailable
from billing.services import setup
from billing.services.context import Context
from billing.services.secrets import SecretBox
from billing.settings import Settings
from billing.store.pool import Database

_Function = TypeVar("_Function", bound=Callable[..., Any])
_PIPE_WIDTH = 240


class App:
    """Made once for each run; parts are opened when a command first needs them."""

    def __init__(self) -> None:
        self.json = False

    @cached_property
    def settings(self) -> Settings:
        return Settings()

    @cached_property
    def context(self) -> Context:
        """The database as the role `worker`; Unavailable before `tollway migrate`."""
        opened = Context(
            db=Database(self.settings.dsn("worker"), pool_size=2),
            box=self.secret_box,
            actor=f"cli:{os.environ.get('SUDO_USER') or getpass.getuser()}",
            portal_url=self.settings.portal_url,
            message_days=self.settings.message_days,
        )
        if not setup.schema_ready(opened):
            raise Unavailable("the database has no schema yet; run `tollway migrate`")
        return opened

    @property
    def secret_box(self) -> SecretBox:
        """What seals passwords and NAS secrets at rest."""
        return SecretBox(self.settings.secrets_key())

    @cached_property
    def out(self) -> Console:
        """Names may hold brackets and colons: nothing in them is markup."""
        width = None if sys.stdout.isatty() else _PIPE_WIDTH
        return Console(markup=False, highlight=False, emoji=False, width=width)

    def show(self, value: object, *lines: str) -> None:
        """The value as JSON with --json, else the lines."""
        if self.json:
            click.echo(to_json(value))
        else:
            for line in lines:
                self.out.print(line, soft_wrap=True)

    def show_table(
        self, value: object, headings: Sequence[str], rows: Iterable[Sequence[object]]
    ) -> None:
        """The value as JSON with --json, else a table."""
        if self.json:
            click.echo(to_json(value))
            return
        table = Table(*headings, box=None, pad_edge=False, header_style="bold")
        for row in rows:
            table.add_row(*("–" if cell is None else str(cell) for cell in row))
        self.out.print(table)

    def close(self) -> None:
        """Return the connections."""
        if "context" in self.__dict__:
            self.context.db.close()


class Command(click.Command):
    """Takes `--json` itself, so that it works before and after the command's name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(json_option())


class Group(click.Group):
    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(json_option())


def json_option() -> click.Option:
    """`--json` at any level switches the whole run."""

    def switch(context: click.Context, _param: click.Parameter, value: bool) -> None:
        if value:
            context.ensure_object(App).json = True

    return click.Option(
        ["--json"],
        is_flag=True,
        is_eager=True,  # read first, so that errors in other options are JSON, too
        expose_value=False,
        callback=switch,
        help="Print JSON.",
    )


def at_option(function: _Function) -> _Function:
    """`--at INSTANT`: the time the command reckons with; now unless given."""
    return click.option(
        "--at",
        type=INSTANT,
        default=utc_now,
        show_default="now",
        help="Instant to reckon with (ISO 8601; UTC unless it says otherwise).",
    )(function)


def to_json(value: object) -> str:
    """Values and dataclasses as JSON; instants in ISO 8601, amounts in micros."""
    return json.dumps(value, default=_plain, ensure_ascii=False, indent=2)


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        derived = {
            name: getattr(value, name)
            for name, member in vars(type(value)).items()
            if isinstance(member, property)
        }
        return fields | derived
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"cannot show {type(value).__name__}")
