"""`tollway worker`: the composition root of the worker process."""

from __future__ import annotations

import logging
import sys
import threading
import time
from functools import partial

import click

from billing.cli.app import App, Command
from billing.cli.mailed_papers import attached
from billing.cli.relay import mail_from, relay, webhook
from billing.errors import InvalidInput
from billing.jobs import figures, mailer, payer, queue
from billing.jobs import worker as process
from billing.jobs.repeats import Repeats
from billing.payments.registry import open_gateway
from billing.services.context import Context
from billing.services.gateways import Gateways
from billing.services.history import Retention
from billing.store.pool import Database
from radius_plugin.coa import CoaSender

log = logging.getLogger(__name__)

_CONNECTIONS = 12


@click.command(cls=Command)
@click.pass_obj
def worker(app: App) -> None:
    """Run jobs, end expired services, send CoA and Disconnect, until SIGTERM."""
    _log_to_stderr()
    dsn = app.settings.dsn("worker")
    database = Database(dsn, pool_size=_CONNECTIONS)
    context = Context(
        db=database,
        box=app.secret_box,
        actor="worker",
        portal_url=app.settings.portal_url,
        message_days=app.settings.message_days,
    )

    def send_orders(stop: threading.Event) -> None:
        CoaSender(context).run(stop)

    def write_figures(stop: threading.Event) -> None:
        settings = app.settings
        figures.run(context, settings.metrics_file("worker"), settings.state_dir, stop)

    def call_providers(stop: threading.Event) -> None:
        payer.run(context, Gateways(open_gateway), stop)

    companions = {
        "CoA sender": send_orders,
        "figures": write_figures,
        "payments": call_providers,
    }
    companions |= _senders(app, context)
    try:
        process.run(
            context,
            dsn,
            Retention(
                app.settings.journal_days, app.settings.login_days, app.settings.dead_letter_days
            ),
            companions,
        )
    finally:
        database.close()


def _senders(app: App, context: Context) -> dict[str, process.Companion]:
    """One for each channel that is set."""
    found: dict[str, process.Companion] = {}
    for name, channel_of in (("mailer", relay), ("webhook", webhook)):
        try:
            channel = channel_of(app.settings)
            # Only mails have a sender.
            sender = mail_from(app.settings) if name == "mailer" and channel else ""
        except InvalidInput as error:  # All else goes on.
            log.error("%s: messages stay queued: %s", name, error)
            continue
        if channel is None:
            log.info("%s: messages stay queued: none is set", name)
        else:
            send = partial(mailer.run, context, channel, sender)
            found[name] = send
            if name == "mailer" and app.settings.mail_papers:
                # To set a paper takes longer than to send a mail: nobody who has run out is to
                # hear of it after a month's bills.
                found[name] = partial(send, with_paper=False)
                found["papers"] = partial(send, papers=partial(attached, context), with_paper=True)
    return found


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s")
    formatter.datefmt = "%Y-%m-%dT%H:%M:%S"
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    handler.addFilter(queue.lost_database_in_one_line)
    handler.addFilter(Repeats())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # A job is named twice below warning; a lost database is told by ourselves, in one line.
    for name, level in (
        ("procrastinate", logging.WARNING),
        ("procrastinate.utils", logging.CRITICAL),
        ("psycopg.pool", logging.ERROR),
    ):
        logging.getLogger(name).setLevel(level)
