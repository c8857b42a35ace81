"""The test NAS: plays the demo's story against the containers and says whether all of it held."""

from __future__ import annotations

import socket

from rich.console import Console

from billing.clock import utc_now
from billing.services.context import Context
from billing.services.secrets import SecretBox
from billing.settings import Settings
from billing.store.pool import Database
from rig.demo.isp import Place, open_isp, open_router
from rig.demo.screen import Deviation, Screen
from rig.demo.story import Story
from rig.processes import StartError

_COA_PORT = 3799


def tell(settings: Settings) -> int:
    """0 when every step was as it should be, 1 when one deviated."""
    settings.master_key()
    database = Database(settings.dsn("worker"), pool_size=2)
    screen = Screen(Console())
    try:
        context = Context(db=database, box=SecretBox(settings.secrets_key()), actor="test NAS")
        now = utc_now()
        isp = open_isp(context, now)
        with open_router(context, _place(settings), now) as router:
            router.announce("Accounting-On")
            Story(context, isp, router, screen).tell()
    except Deviation as error:
        screen.failure(error)
        return 1
    finally:
        database.close()
    screen.success("Every step was as it should be.")
    return 0


def _place(settings: Settings) -> Place:
    try:
        server = socket.gethostbyname("radius")
    except OSError as error:
        raise StartError("there is no service `radius`: docker compose up -d") from error
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((server, settings.auth_port))
        address = str(probe.getsockname()[0])
    return Place(
        address=address,
        server=server,
        auth_port=settings.auth_port,
        acct_port=settings.acct_port,
        coa_port=_COA_PORT,
    )
