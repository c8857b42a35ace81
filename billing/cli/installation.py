"""`tollway migrate`."""

from __future__ import annotations

import click

from billing.cli.app import App, Command
from billing.clock import utc_now
from billing.services import setup
from billing.settings import ROLES


@click.command(cls=Command)
@click.option(
    "--operator-name",
    envvar="TOLLWAY_OPERATOR_NAME",
    default="My ISP",
    show_default=True,
    help="Whose installation this is.",
)
@click.option(
    "--time-zone",
    envvar="TOLLWAY_TIME_ZONE",
    default="UTC",
    show_default=True,
    help="Where calendar rules are reckoned, like Europe/Madrid. Cannot be changed later.",
)
@click.option(
    "--currency",
    envvar="TOLLWAY_CURRENCY",
    default="USD",
    show_default=True,
    help="ISO 4217 code of all prices. Cannot be changed later.",
)
@click.pass_obj
def migrate(app: App, operator_name: str, time_zone: str, currency: str) -> None:
    """Make or update roles, database, schema and the operator. Repeatable."""
    time_zone, currency = setup.checked_time_zone(time_zone), setup.checked_currency(currency)
    now = utc_now()
    settings = app.settings
    before, after = setup.prepare_database(
        settings.admin_dsn(),
        settings.dsn("owner"),
        settings.database_name,
        {role: settings.role_password(role) for role in ROLES},
        now,
    )
    operator, made = setup.ensure_operator(
        app.context, name=operator_name, time_zone=time_zone, currency=currency, now=now
    )
    changed = f"{before or 'empty'} → {after}" if before != after else f"at {after}"
    told = "made" if made else "kept"
    app.show(
        {"before": before, "after": after, "operator": operator, "operator_made": made},
        f"schema {changed}",
        f"operator {told}: {operator.name}, {operator.time_zone}, {operator.currency}",
    )
