"""`tollway revenue`."""

from __future__ import annotations

from datetime import date

import click

from billing.cli.app import App, Command
from billing.cli.units import DAY, show_money
from billing.services import recognition as services


@click.command(cls=Command)
@click.option("--from", "first_day", type=DAY, required=True, help="First local day.")
@click.option("--to", "last_day", type=DAY, required=True, help="Last local day.")
@click.pass_obj
def revenue(app: App, first_day: date, last_day: date) -> None:
    """What was earned, and what is sold and not earned yet at both ends, without tax."""
    report = services.report(app.context, first_day, last_day)
    app.show_table(
        report,
        ("of", "earned", "deferred before", "added", "given back", "recognised", "deferred after"),
        [
            (
                line.kind.value,
                *(
                    show_money(micros, line.currency)
                    for micros in (
                        line.earned_micros,
                        line.deferred_before_micros,
                        line.added_micros,
                        line.given_back_micros,
                        line.recognised_micros,
                        line.deferred_after_micros,
                    )
                ),
            )
            for line in report.lines
        ],
    )
    if not app.json:
        for amount in report.unposted:
            if amount.amount_micros:
                click.echo(f"{amount} of it comes into the ledger with the next posting")
