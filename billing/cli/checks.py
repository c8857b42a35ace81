"""`tollway doctor`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from billing.cli.app import App, Command
from billing.cli.relay import relay, webhook
from billing.clock import utc_now
from billing.errors import TollwayError
from billing.model.views import CheckView
from billing.services import doctor as services
from billing.services.certificates import certificate_checks
from billing.services.messages import mail_checks
from billing.services.outage import outage_checks

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command(cls=Command)
@click.pass_obj
def doctor(app: App) -> int:
    """Check the installation and say how to mend it; exit code 1 when a check fails."""
    found: list[CheckView] = []
    for check in _checks(app):
        found.append(check)
        if not app.json:
            mark = click.style(f"{check.status:4}", fg=_COLOURS[check.status])
            click.echo(f"{mark}  {check.name}: {check.detail}")
            if check.mend:
                click.echo(f"      → {check.mend}")
    if app.json:
        app.show(found)
    return 1 if any(check.status == "fail" for check in found) else 0


def _checks(app: App) -> Iterator[CheckView]:
    yield from services.machine_checks()
    try:
        settings = app.settings
    except ValueError as error:
        yield _failed("settings", str(error), "correct the TOLLWAY_ variable or settings.env")
        return
    yield CheckView(name="settings", status="ok", detail=f"state in {settings.state_dir}")
    try:
        settings.master_key()
        yield CheckView(name="key file", status="ok", detail=str(settings.key_file))
        metrics_dir = settings.metrics_file("").parent
        yield from outage_checks(metrics_dir, settings.journal_dir, utc_now())
        own = (settings.eap_certificate, settings.eap_key)
        yield from certificate_checks(settings.state_dir, own, utc_now())
        yield services.schema_check(settings.dsn("owner"))
        context = app.context
    except TollwayError as error:
        yield _failed(error.field or "database", error.message, "see the message; `./run up`")
        return
    yield from services.database_checks(context, utc_now())
    try:
        channels = [relay(settings), webhook(settings)]
    except TollwayError as error:
        yield _failed("messages", error.message, "correct the TOLLWAY_ variable or settings.env")
        return
    yield from mail_checks(context, configured=[one.way for one in channels if one], now=utc_now())


def _failed(name: str, detail: str, mend: str) -> CheckView:
    return CheckView(name=name, status="fail", detail=detail, mend=mend)
