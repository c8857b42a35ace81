"""Commands behind ``./run``: up, down, status."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from rig import configuration, radius
from rig.processes import StartError
from rig.stack import Stack


def main() -> int:
    """Run one command; 0 when it did what was asked, 1 with a message on stderr when not."""
    parser = argparse.ArgumentParser(prog="rig", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("up", help="start everything and wait until it serves")
    verbs.add_parser("down", help="stop everything")
    status = verbs.add_parser("status", help="what runs, where, in which version")
    status.add_argument("--json", action="store_true", help="for programs")
    arguments = parser.parse_args()
    state_dir = Path(os.environ[configuration.STATE_DIR])
    stack = Stack(state_dir)
    try:
        if arguments.verb == "up":
            stack.up(os.environ)
            print(f"   panel: {stack.panel_url()}")
        elif arguments.verb == "down":
            stack.down()
        else:
            return _status(stack, as_json=arguments.json)
    except (StartError, LookupError, ValueError) as error:
        print(f"tollway: {error}", file=sys.stderr)
        return 1
    return 0


def _status(stack: Stack, *, as_json: bool) -> int:
    parts = stack.parts()
    running = all(part.pid is not None for part in parts)
    settings = stack.settings
    ports = {name: settings.get(f"TOLLWAY_{name.upper()}_PORT") for name in _PORTS}
    report = {
        "running": running,
        "state_dir": str(stack.state_dir),
        "ports": {name: int(port) if port else None for name, port in ports.items()},
        "panel_url": stack.panel_url() if settings else None,
        "database_url": _without_password(settings.get(configuration.DATABASE_URL, "")),
        "parts": {
            part.name: {"pid": part.pid, "running": part.pid is not None, "log": str(part.log_file)}
            for part in parts
        },
        "versions": _versions(settings.get(configuration.DATABASE_URL, "")),
    }
    if as_json:
        print(json.dumps(report, indent=2))
    else:
        _show(report)
    return 0 if running else 3


_PORTS = ("auth", "acct", "coa", "http")


def _show(report: dict[str, Any]) -> None:
    for name, part in report["parts"].items():
        state = f"running, pid {part['pid']}" if part["running"] else "down"
        print(f"{name:<16} {state:<20} {part['log']}")
    rows = {
        "panel": report["panel_url"],
        "ports": _joined(report["ports"]),
        "database": report["database_url"],
        "state directory": report["state_dir"],
        "versions": _joined(report["versions"]),
    }
    for name, value in rows.items():
        print(f"{name:<16} {value or '-'}")


def _joined(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {'-' if value is None else value}" for name, value in values.items())


def _without_password(url: str) -> str | None:
    """Connection string that can be shown."""
    if not url:
        return None
    parts = conninfo_to_dict(url)
    if "password" not in parts:
        return url
    return make_conninfo(url, password="***")  # noqa: S106 - hides the real one


def _versions(url: str) -> dict[str, str | None]:
    versions: dict[str, str | None] = {
        "tollway": importlib.metadata.version("tollway"),
        "python": platform.python_version(),
        "freeradius": ".".join(map(str, radius.installed_version())),
        "postgresql": None,
    }
    if url:
        try:
            with psycopg.connect(url, connect_timeout=3) as connection:
                versions["postgresql"] = connection.info.parameter_status("server_version")
        except psycopg.OperationalError:
            versions["postgresql"] = None
    return versions


if __name__ == "__main__":
    sys.exit(main())
