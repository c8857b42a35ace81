"""`./run demo`: seed, tell the story, show where the panel is, and keep the router going."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from billing.clock import utc_now
from billing.errors import Refused, TollwayError
from billing.services import staff
from billing.services.context import Context
from billing.services.secrets import SecretBox
from billing.settings import Settings
from billing.store.pool import Database
from rig import configuration
from rig.demo.crowd import Traffic, add_crowd
from rig.demo.isp import Isp, Place, open_isp, open_router
from rig.demo.screen import Deviation, Screen
from rig.demo.story import Story
from rig.stack import Stack

_TICK_SECONDS = 15.0


def main() -> int:
    """Exit code 0 when everything was as it should be, 1 when something deviated."""
    parser = argparse.ArgumentParser(prog="./run demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the story")
    parser.add_argument("--seed-only", action="store_true", help="only add the demo's data")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = Settings(state_dir=Path(os.environ[configuration.STATE_DIR]))
    screen = Screen(Console())
    try:
        with _context(settings) as context:
            _run(context, settings, screen, once=arguments.once, seed_only=arguments.seed_only)
    except (Deviation, TollwayError, OSError) as error:
        screen.failure(error)
        return 1
    except KeyboardInterrupt:
        screen.note("\nStopped. Everything still runs; ./run down stops it.")
    return 0


def _run(
    context: Context, settings: Settings, screen: Screen, *, once: bool, seed_only: bool
) -> None:
    if settings.panel_url:
        raise Refused("the demo's login is for loopback only, but TOLLWAY_PANEL_URL is set")
    now = utc_now()
    isp = open_isp(context, now)
    place = Place(
        auth_port=settings.auth_port, acct_port=settings.acct_port, coa_port=settings.coa_port
    )
    router = open_router(context, place, now)
    with router:
        added = add_crowd(context, settings, isp, now)
        screen.note(f"{added} subscribers added to the demo's ISP")
        if seed_only:
            _show_panel(context, settings, screen)
            return
        router.announce("Accounting-On")
        traffic = Traffic(router)
        try:
            _show(context, isp, traffic, screen)
            if not once:
                _show_panel(context, settings, screen)
                _stay(traffic, screen)
        finally:
            traffic.end()


def _show(context: Context, isp: Isp, traffic: Traffic, screen: Screen) -> None:
    online = traffic.begin(context, utc_now())
    screen.require(f"{online} of the crowd are online", online > 0, "nobody could log in")
    Story(context, isp, traffic.router, screen).tell()
    traffic.tick(utc_now())
    screen.success("Every step was as it should be.")


def _show_panel(context: Context, settings: Settings, screen: Screen) -> None:
    email, password = staff.create_demo_staff(context, utc_now())
    screen.farewell(Stack(settings.state_dir).panel_url(), email, password)


def _stay(traffic: Traffic, screen: Screen) -> None:
    """Until Ctrl-C the sessions of the crowd go on, so that the panel has something to show."""
    screen.note("The played router goes on reporting. Ctrl-C ends it; the panel stays up.")
    while not threading.Event().wait(_TICK_SECONDS):
        traffic.tick(utc_now())


@contextmanager
def _context(settings: Settings) -> Iterator[Context]:
    database = Database(settings.dsn("worker"), pool_size=2)
    try:
        yield Context(db=database, box=SecretBox(settings.secrets_key()), actor="demo")
    finally:
        database.close()


if __name__ == "__main__":
    sys.exit(main())
