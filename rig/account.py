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

    def make_dir(self, path: Path, mode: int = 0o700) -> Path:
        """Create the directory *path* (and its parents) and give it to the account."""
        path.mkdir(parents=True, exist_ok=True)
        if self.switch:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)
        path.chmod(mode)
        return path

    def open_log(self, path: Path) -> int:
        """File descriptor that appends to *path*; the file belongs to the account."""
        return self._open(path, os.O_APPEND, 0o640)

    def write_text(self, path: Path, text: str, mode: int = 0o600) -> None:
        """Replace *path*, in one step, by a file that belongs to the account."""
        scratch = path.with_name(path.name + ".new")
        scratch.unlink(missing_ok=True)
        with os.fdopen(self._open(scratch, os.O_EXCL, mode), "w", encoding="utf-8") as stream:
            stream.write(text)
        scratch.replace(path)

    def share(self, path: Path) -> None:
        """Let the account read *path* (and enter it), but not change it."""
        if self.switch:
            os.chown(path, 0, self.gid, follow_symlinks=False)
        path.chmod(0o750 if path.is_dir() else 0o640)

    def _open(self, path: Path, flags: int, mode: int) -> int:
        # Root writes here into directories of the account: a link planted there is not followed.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | flags, mode)
        os.fchmod(descriptor, mode)
        if self.switch:
            os.fchown(descriptor, self.uid, self.gid)
        return descriptor


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
    """A throw-away state directory with a short path that the service account can enter."""
    path = Path(tempfile.mkdtemp(prefix=prefix))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
