"""`tollway jobs`."""

from __future__ import annotations

from datetime import datetime

import click

from billing.cli.app import App, Command, Group, at_option
from billing.jobs.registry import JOBS


@click.group(cls=Group)
def jobs() -> None:
    """What the worker does by the clock."""


@jobs.command("list", cls=Command)
@click.pass_obj
def list_(app: App) -> None:
    """Every job and when it runs (UTC)."""
    found = list(JOBS.values())
    app.show_table(
        [{"name": job.name, "cron": job.cron, "purpose": job.purpose} for job in found],
        ("job", "cron (UTC)", "what it does"),
        [(job.name, job.cron, job.purpose) for job in found],
    )


@jobs.command("run", cls=Command)
@click.argument("name", type=click.Choice(sorted(JOBS)))
@at_option
@click.pass_obj
def run(app: App, name: str, at: datetime) -> None:
    """Run one now."""
    said = JOBS[name].run(app.context, at)
    app.show({"job": name, "said": said}, said or "nothing to do")
