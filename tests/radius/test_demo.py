"""The demo's story on real parts: twice on the same state, and honest when something is missing."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest
from rich.console import Console
from sqlalchemy import func, select

from billing.errors import Refused
from billing.services.context import Context
from billing.settings import Settings
from billing.store import tables
from rig.demo.crowd import Traffic, add_crowd
from rig.demo.isp import ROUTER, ROUTER_ADDRESS, Place, open_isp, open_router
from rig.demo.screen import Deviation, Screen
from rig.demo.story import Story
from rig.nas import SimulatedNas
from rig.ports import free_udp_port
from rig.radius import RadiusServer
from tests.conftest import CHECKOUT
from tests.factories import Factory


@pytest.fixture
def screen() -> Screen:
    """Keeps what it is told to show."""
    return Screen(Console(file=io.StringIO(), width=120))


@contextmanager
def running_worker(settings: Settings) -> Iterator[None]:
    """`tollway worker` as a process of its own."""
    environment = {
        **os.environ,
        "TOLLWAY_STATE_DIR": str(settings.state_dir),
        "TOLLWAY_DATABASE_URL": settings.database_url,
        "TOLLWAY_DATABASE_NAME": settings.database_name,
    }
    command = [sys.executable, "-m", "billing.cli", "worker"]
    with subprocess.Popen(command, cwd=CHECKOUT, env=environment) as process:
        try:
            yield
        finally:
            process.terminate()


@contextmanager
def played_router(
    context: Context, radius: dict[str, RadiusServer], now: datetime
) -> Iterator[SimulatedNas]:
    """The demo's router, on a port for orders that the system chose."""
    place = Place(
        auth_port=radius["auth"].port,
        acct_port=radius["acct"].port,
        coa_port=free_udp_port(ROUTER_ADDRESS),
    )
    with open_router(context, place, now) as router:
        yield router


def text_of(screen: Screen) -> str:
    stream = screen.console.file
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


@pytest.mark.rule("S8")
def test_story_is_told_twice_on_the_same_state(
    context: Context,
    settings: Settings,
    radius: dict[str, RadiusServer],
    screen: Screen,
    now: datetime,
) -> None:
    isp = open_isp(context, now)
    with running_worker(settings), played_router(context, radius, now) as router:
        assert add_crowd(context, settings, isp, now) == 30
        for _ in range(2):
            assert open_isp(context, now) == isp
            Story(context, isp, router, screen).tell()
        assert add_crowd(context, settings, isp, now) == 0
    told = text_of(screen)
    assert told.count("Disconnect-Request on the wire") == 4
    assert told.count("Your data is used up; please buy a new package") >= 2


def test_crowd_is_online_until_it_logs_out(
    context: Context, settings: Settings, radius: dict[str, RadiusServer], now: datetime
) -> None:
    isp = open_isp(context, now)
    with played_router(context, radius, now) as router:
        add_crowd(context, settings, isp, now)
        assert router.announce("Accounting-On")
        traffic = Traffic(router)
        online = traffic.begin(context, now)
        traffic.tick(now)
        assert open_sessions(context) == online > 5
        traffic.end()
        assert open_sessions(context) == 0


def test_story_ends_where_the_order_to_disconnect_does_not_come(
    context: Context, radius: dict[str, RadiusServer], screen: Screen, now: datetime
) -> None:
    isp = open_isp(context, now)
    with played_router(context, radius, now) as router:
        story = Story(context, isp, router, screen, timeout_seconds=0.5)
        with pytest.raises(Deviation, match="expected a Disconnect-Request, but none came"):
            story.tell()


def test_demo_stays_out_of_an_installation_that_serves_customers(
    context: Context, make: Factory, now: datetime
) -> None:
    with context.transaction() as tx:
        demo = tx.scalars(select(tables.Nas).where(tables.Nas.name == ROUTER)).first()
        if demo is not None:
            demo.name = "renamed"
    make.subscriber(now)
    with pytest.raises(Refused, match="customers already"):
        open_isp(context, now)


def open_sessions(context: Context) -> int:
    with context.transaction() as tx:
        return (
            tx.scalar(
                select(func.count())
                .select_from(tables.LiveSession)
                .where(tables.LiveSession.closed_at.is_(None))
            )
            or 0
        )
