"""The secrets of the rig, made once into their volumes: nothing secret is in an image, in an
environment variable or in the checkout."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from billing.settings import Settings
from rig.processes import StartError

ADMIN = "tollway_admin"
"""The role that `migrate` makes the others with; POSTGRES_USER in docker-compose.yml."""
DATABASE_SECRETS = Path("/run/database-secrets")
"""The volume that only the database and `migrate` see."""
PASSWORD_FILE = DATABASE_SECRETS / "password"
PASS_FILE = DATABASE_SECRETS / "pgpass"


def setup(settings: Settings) -> int:
    """Make the master key and the database's password where there are none yet."""
    initialised = PASSWORD_FILE.exists()
    if initialised and not settings.key_file.exists():
        raise StartError(
            f"{settings.key_file} is missing: restore it from your backup into the volume `keys`; "
            "without it stored secrets cannot be opened, and a new key would hide that"
        )
    if not settings.key_file.exists():
        _write(settings.key_file, secrets.token_hex(32) + "\n", 0o400)
        print("made the master key: back up the volume `keys` (docs/docker.md)")
    if not initialised:
        password = secrets.token_hex(24)
        _write(PASS_FILE, f"*:*:*:{ADMIN}:{password}\n", 0o400)
        # The database's container reads it as another user; no other container has this volume.
        _write(PASSWORD_FILE, password, 0o444)
        print("made the database's password")
    return 0


def _write(path: Path, text: str, mode: int) -> None:
    scratch = path.with_name(path.name + ".new")
    scratch.unlink(missing_ok=True)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(descriptor)
    scratch.replace(path)
