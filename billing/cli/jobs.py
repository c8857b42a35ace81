"""`tollway jobs`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click

from billing.cli.app import App, Command, Group, at_option
from billing.errors import InvalidInput
from billing.jobs.registry import JOBS, Would
from billing.model.money import Money
from billing.services import renewal_run


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
        [(job.name, job.cron or "always", job.purpose) for job in found],
    )


@jobs.command("parked", cls=Command)
@click.pass_obj
def parked(app: App) -> None:
    """Customers that a job could not serve, and why; each run tries them again."""
    found = renewal_run.parked(app.context, None)
    app.show_table(
        found,
        ("job", "customer", "since", "problem"),
        [(one.job, one.customer_id, f"{one.at:%Y-%m-%d %H:%M}", one.problem) for one in found],
    )


@jobs.command("run", cls=Command)
@click.argument("name", type=click.Choice(sorted(JOBS)))
@click.option("--dry-run", is_flag=True, help="List what it would do; write nothing.")
@at_option
@click.pass_obj
def run(app: App, name: str, dry_run: bool, at: datetime) -> None:
    """Run one now."""
    if dry_run:
        look = JOBS[name].preview
        if look is None:
            raise InvalidInput(f"the job {name} has no dry run", field="dry-run")
        found = list(look(app.context, at))
        lines = [one.text for one in found]
        total = _total(found)
        app.show({"job": name, "would": lines, "total": total}, *lines, total or "nothing to do")
        return
    said = JOBS[name].run(app.context, at)
    app.show({"job": name, "said": said}, said or "nothing to do")


def _total(found: Sequence[Would]) -> str:
    """How many, and how much in each currency; empty for nothing."""
    sums: dict[str, Money] = {}
    for one in found:
        if one.amount is not None:
            so_far = sums.get(one.amount.currency, Money(0, one.amount.currency))
            sums[one.amount.currency] = so_far + one.amount
    return f"in all {len(found)}{''.join(f', {one}' for one in sums.values())}" if found else ""
