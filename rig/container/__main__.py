"""`python -m rig.container SERVICE`: become one of the services of docker-compose.yml.

Whatever keeps a service from starting is said in one line, and the exit code is 1.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg

from billing.errors import TollwayError
from billing.settings import Settings
from rig.container import inbox, keys, nas, servers
from rig.processes import StartError

SERVICES: Mapping[str, Callable[[Settings], int]] = {
    "setup": keys.setup,
    "migrate": servers.migrate,
    "radius": servers.radius,
    "worker": servers.worker,
    "web": servers.web,
    "mail": inbox.serve,
    "nas": nas.tell,
}


def main(argv: list[str]) -> int:
    """The exit code of the service."""
    settings = Settings(state_dir=Path(os.environ["TOLLWAY_STATE_DIR"]))
    match argv:
        case [name] if name in SERVICES:
            try:
                return SERVICES[name](settings)
            except (StartError, TollwayError, OSError, psycopg.Error) as error:
                print(f"tollway {name}: {_one_line(error)}", file=sys.stderr)
                return 1
    print(f"usage: python -m rig.container {'|'.join(SERVICES)}", file=sys.stderr)
    return 2


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
