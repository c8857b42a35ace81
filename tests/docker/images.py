"""Base images where none can be pulled: Debian by debootstrap, PostgreSQL from its packages."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.docker.engine import Trouble

CHECKOUT = Path(__file__).resolve().parents[2]
BASE = "tollway-base:bookworm"
POSTGRES = "tollway-postgres:15"
SUITE = "bookworm"
VERSION = "docker-test"
# On a base of 80 MB.
_LIMITS_MB = {"app": 450, "radius": 530}
_UNWANTED = """for program in cc gcc ld pip pip3 chromium-headless-shell pytest; do
    command -v "$program" || true
done
find /usr/share/man /usr/share/fonts -type f -name '*.gz' -o -type f -name 'NotoSerif*'"""
# How this machine reaches its packages, for apt and pip inside of builds.
_MACHINE = (
    "etc/apt/apt.conf.d",
    "etc/pip.conf",
    "root/.config/pip",
    "etc/ssl/certs",
    "usr/local/share/ca-certificates",
)


def build_base(scratch: Path, environment: dict[str, str]) -> None:
    """A minimal Debian with the machine's own sources, imported as BASE."""
    root = scratch / "base"
    shutil.rmtree(root, ignore_errors=True)
    source = _source()
    _run("debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, root, source.uri)
    (root / "etc/apt/sources.list").unlink(missing_ok=True)
    shutil.copy(source.file, root / "etc/apt/sources.list.d" / source.file.name)
    for name in _MACHINE:
        _copy(Path("/", name), root / name)
    _slim(root)
    pack = subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE)
    subprocess.run(
        ["docker", "import", "-", BASE], stdin=pack.stdout, env=environment, check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    if pack.wait() != 0:
        raise Trouble("the base image could not be packed")
    shutil.rmtree(root)


def build_postgres(environment: dict[str, str]) -> None:
    """PostgreSQL behind the official image's environment variables, as POSTGRES."""
    folder = CHECKOUT / "tests/docker/postgres"
    argv = ["docker", "build", "--quiet", "--build-arg", f"BASE_IMAGE={BASE}", "--tag", POSTGRES]
    context = subprocess.Popen(
        ["tar", "-C", str(CHECKOUT), "-c", "rig", "tests/docker/postgres"], stdout=subprocess.PIPE
    )
    subprocess.run(
        [*argv, "--file", str((folder / "Dockerfile").relative_to(CHECKOUT)), "-"],
        stdin=context.stdout, env=environment, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    if context.wait() != 0:
        raise Trouble("the context of the PostgreSQL image could not be packed")


def check_contents(docker: Callable[..., str], say: Callable[[str], None]) -> None:
    """The images hold what runs, and nothing that builds or tests. Raises Trouble."""
    for name, limit_mb in _LIMITS_MB.items():
        image = f"tollway-{name}:{VERSION}"
        size_mb = int(docker("image", "inspect", "--format", "{{.Size}}", image)) // 10**6
        found = docker("run", "--rm", "--entrypoint", "sh", image, "-c", _UNWANTED)
        if size_mb > limit_mb or found:
            raise Trouble(f"{image}: {size_mb} MB of {limit_mb} MB at most, holds {found!r}")
        say(f"image {image}: {size_mb} MB")
    versions = docker("run", "--rm", "--entrypoint", "cat", image, "/opt/rig/versions")
    if not re.search(r"^freeradius\t3\.2\.", versions, re.MULTILINE):
        raise Trouble(f"{image} does not say which FreeRADIUS it holds:\n{versions}")


def _slim(root: Path) -> None:
    """Without what debootstrap fetched, and without documentation, as the official slim image."""
    for name in (
        *("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale"),
        *("var/cache/apt", "var/lib/apt/lists"),
    ):
        shutil.rmtree(root / name)
        (root / name).mkdir()


class _Source:
    def __init__(self, file: Path, uri: str) -> None:
        self.file, self.uri = file, uri


def _source() -> _Source:
    """Where this machine gets Debian from: the same place is used for the image."""
    folder = Path("/etc/apt/sources.list.d")
    for file in (*sorted(folder.glob("*.sources")), Path("/etc/apt/sources.list")):
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        if SUITE not in text or "tollway-backports" in file.name:
            continue
        found = re.search(r"^URIs:\s*(\S+)|^deb\s+(?:\[[^]]*\]\s+)?(\S+)", text, re.MULTILINE)
        if found:
            return _Source(file, found.group(1) or found.group(2))
    raise Trouble(f"no source of Debian {SUITE} is configured on this machine")


def _copy(source: Path, target: Path) -> None:
    if not source.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    _run("cp", "-a", "--remove-destination", "-T", source, target)


def _run(*argv: object) -> None:
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Trouble(f"{argv[0]} failed:\n{(done.stdout + done.stderr)[-2000:]}")
