"""`tollway import`."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import click

from billing.cli.app import App, Command, Group, at_option
from billing.cli.progress import progress_bars
from billing.clock import utc_now
from billing.services import imports as services
from billing.services import nat_blocks as nat_blocks_service

_NICENESS = 10
_STAGES = {"check": "reading and checking", "store": "storing"}


@click.group("import", cls=Group)
def import_() -> None:
    """Take data over from elsewhere."""


@import_.command("subscribers", cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only check the file.")
@at_option
@click.pass_obj
def subscribers(app: App, file: Path, dry_run: bool, at: datetime) -> None:
    """Subscribers from a CSV file: all of them, or none and the list of bad lines.

    The first line names the columns: username, password, profile; and, where wanted, name, plan,
    email, phone, framed_ip, mac, valid_until (2026-03-10T14:30:00Z), time_left (10h), data_left
    (5GB), balance (12.50).
    """
    # Logins come first: this process gives way to radiusd.
    os.nice(_NICENESS)
    with progress_bars(_STAGES) as show:
        report = services.import_subscribers(app.context, file, at, show, dry_run=dry_run)
    did = "would import" if report.dry_run else "imported"
    app.show(
        report,
        f"{did} {report.subscribers} subscriber(s), {report.entitlements} with something left, "
        f"{report.balances} with a balance",
    )


@import_.command("nat-blocks", cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would become of it.")
@click.pass_obj
def nat_blocks(app: App, file: Path, dry_run: bool) -> None:
    """Port blocks of carrier-grade NAT from a CSV file, for `tollway who-had --port`: all of them,
    or none and the list of bad lines.

    The first line names the columns: outer, first_port, last_port, inner, since; and, where a block
    has ended, until. A file may come again: a block that is known gets its end.
    """
    report = nat_blocks_service.import_blocks(app.context, file, utc_now(), dry_run=dry_run)
    did = "would import" if report.dry_run else "imported"
    app.show(
        report,
        f"{did} {report.blocks} port block(s): {report.added} new,"
        f" {report.changed} with another end",
    )
