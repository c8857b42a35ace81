"""The settings of one installation: chosen once, remembered in STATE_DIR/settings.env."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from rig.account import Account
from rig.certificates import DEFAULT_NAME, EapOptions
from rig.ports import free_tcp_port, free_udp_port
from rig.postgres import PrivateCluster
from rig.processes import StartError
from rig.radius import RadiusOptions

PREFIX = "TOLLWAY_"
UDP_PORTS = ("TOLLWAY_AUTH_PORT", "TOLLWAY_ACCT_PORT", "TOLLWAY_COA_PORT")
HTTP_PORT = "TOLLWAY_HTTP_PORT"
HTTP_ADDRESS = "TOLLWAY_HTTP_ADDRESS"
PANEL_URL = "TOLLWAY_PANEL_URL"
DATABASE_URL = "TOLLWAY_DATABASE_URL"
STATE_DIR = "TOLLWAY_STATE_DIR"

_LINE = re.compile(r"^(TOLLWAY_[A-Z_]+)='([^']*)'$", re.MULTILINE)


def load(state_dir: Path) -> dict[str, str]:
    """What settings.env remembers; empty when the installation was never started."""
    try:
        text = (state_dir / "settings.env").read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    return dict(_LINE.findall(text))


def choose(state_dir: Path, environ: Mapping[str, str], account: Account) -> dict[str, str]:
    """Remembered settings, overridden by *environ*, completed with free ports; remembered again.

    Raises StartError when a value cannot be written to the file.
    """
    settings = load(state_dir)
    settings.update({name: value for name, value in environ.items() if name.startswith(PREFIX)})
    settings[STATE_DIR] = str(state_dir)
    settings.setdefault(DATABASE_URL, PrivateCluster(state_dir, account=account).dsn())
    for name in UDP_PORTS:
        settings.setdefault(name, str(free_udp_port()))
    settings.setdefault(HTTP_PORT, str(free_tcp_port()))
    for name, value in settings.items():
        if "'" in value or "\n" in value:
            raise StartError(f"{name} must not hold a quote or a line break")
    head = "# Written by ./run up from the environment; later starts read it from here.\n"
    lines = [f"{name}='{value}'\n" for name, value in sorted(settings.items())]
    account.write_text(state_dir / "settings.env", head + "".join(lines))
    return settings


def uses_private_cluster(settings: Mapping[str, str], state_dir: Path) -> bool:
    """Whether the database is the installation's own cluster."""
    return settings[DATABASE_URL] == PrivateCluster(state_dir).dsn()


def radius_options(settings: Mapping[str, str]) -> RadiusOptions:
    """FreeRADIUS options from the settings; raises StartError naming a malformed one."""
    default = RadiusOptions()
    networks = settings.get("TOLLWAY_NAS_NETWORKS", ",".join(default.nas_networks))
    try:
        return RadiusOptions(
            threads=int(settings.get("TOLLWAY_RADIUS_THREADS", default.threads)),
            instances=int(settings.get("TOLLWAY_RADIUS_INSTANCES", default.instances)),
            bind_address=settings.get("TOLLWAY_BIND_ADDRESS", default.bind_address),
            nas_networks=tuple(part.strip() for part in networks.split(",")),
            reject_delay_seconds=float(
                settings.get("TOLLWAY_REJECT_DELAY_SECONDS", default.reject_delay_seconds)
            ),
            eap=_eap_options(settings),
        )
    except ValueError as error:
        raise StartError(f"a TOLLWAY_ setting is malformed: {error}") from error


def _eap_options(settings: Mapping[str, str]) -> EapOptions:
    certificate, key = (
        settings.get(name) or None for name in ("TOLLWAY_EAP_CERTIFICATE", "TOLLWAY_EAP_KEY")
    )
    return EapOptions(
        name=settings.get("TOLLWAY_EAP_NAME") or DEFAULT_NAME,
        sessions=int(settings.get("TOLLWAY_EAP_SESSIONS", EapOptions.sessions)),
        certificate=Path(certificate) if certificate else None,
        key=Path(key) if key else None,
    )


def ensure_master_key(state_dir: Path, account: Account) -> None:
    """Create keys/master.key at the very first start; StartError when it was there and is gone."""
    path = state_dir / "keys" / "master.key"
    if path.exists():
        return
    if (state_dir / "settings.env").exists():
        raise StartError(
            f"{path} is missing: restore it from your backup. Without it the stored RADIUS "
            "secrets cannot be opened, and a new key would hide that."
        )
    account.make_dir(path.parent)
    account.write_text(path, secrets.token_hex(32) + "\n")
