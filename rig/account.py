"""The unprivileged account that owns an installation's state and runs its processes."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# `tollway` is created by ./run; the other two let the rig work on a machine where it never ran.
_CANDIDATES = ("tollway", "postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """A user of the system. ``switch`` tells whether a process must change to it."""

    name: str
    uid: int
    gid: int
    switch: bool

    def own(self, path: Path, mode: int) -> None:
        """Give *path* to the account with *mode* (no change of owner when it is the caller)."""
        if self.switch:
            os.chown(path, self.uid, self.gid)
        path.chmod(mode)

    def make_dir(self, path: Path, mode: int = 0o700) -> Path:
        """Create the directory *path* (and its parents) and give it to the account."""
        path.mkdir(parents=True, exist_ok=True)
        self.own(path, mode)
        return path

    def write_text(self, path: Path, text: str, mode: int = 0o600) -> None:
        """Replace *path* by a file that only the account (and root) can read."""
        scratch = path.with_name(path.name + ".new")
        scratch.touch(mode=0o600)
        self.own(scratch, mode)
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(path)


def service_account() -> Account:
    """The account that services run as: the caller, or for root an unprivileged one.

    ``TOLLWAY_SERVICE_USER`` names another one. Raises LookupError when root has none to use.
    """
    if os.geteuid() != 0:
        me = pwd.getpwuid(os.geteuid())
        return Account(me.pw_name, me.pw_uid, me.pw_gid, switch=False)
    wanted = os.environ.get("TOLLWAY_SERVICE_USER")
    for name in (wanted,) if wanted else _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, switch=True)
    raise LookupError(f"no unprivileged user to run services as: {wanted or _CANDIDATES}")


@contextmanager
def temporary_state_dir(prefix: str = "tollway-") -> Iterator[Path]:
    """A throw-away state directory with a short path that the service account can use."""
    path = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    service_account().own(path, 0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
