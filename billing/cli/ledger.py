"""`tollway ledger`."""

from __future__ import annotations

from datetime import datetime

import click

from billing.cli.app import App, Command, Group, at_option
from billing.services import books


@click.group(cls=Group)
def ledger() -> None:
    """The books of money."""


@ledger.command("check", cls=Command)
@at_option
@click.pass_obj
def check(app: App, at: datetime) -> int:
    """Look for everything that contradicts something else; exit code 1 when there is something."""
    report = books.check_ledger(app.context, at)
    if report.findings:
        app.show_table(
            report,
            ("problem", "customer", "subject", "expected", "found"),
            [
                (one.problem, one.customer_id or None, one.subject, one.expected, one.found)
                for one in report.findings
            ],
        )
    else:
        app.show(report, "the books agree")
    return 1 if report.findings else 0
