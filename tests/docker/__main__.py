"""`./run docker-test`: images, story, crashes, refusals, a restore; all is taken down again."""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.docker.backups import restored
from tests.docker.compose import check_file, compose_command, version
from tests.docker.composition import Composition, composition
from tests.docker.crashes import KILLED, kill_each
from tests.docker.engine import Trouble, engine
from tests.docker.images import build_base, build_postgres, check_contents
from tests.docker.limits import CI_MINUTES, at_most, verdict
from tests.docker.refusals import refused


def main() -> int:
    """0 when all of it held."""
    parser = argparse.ArgumentParser(prog="./run docker-test", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the scratch directory")
    parser.add_argument("--compose", metavar="COMMAND", help="use this one, as docker-compose")
    parser.add_argument(
        "--ci", action="store_true",
        help=f"at most {CI_MINUTES} minutes; no failure where no engine can be started",
    )  # fmt: skip
    arguments = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="tollway-docker-", dir="/var/tmp"))
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"== {time.monotonic() - began:5.0f} s  {text}", flush=True)

    # Whoever ends us gets everything taken down, too.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    try:
        with engine(scratch) as environment:
            say("the engine answers")
            given = arguments.compose
            command = [given] if given else compose_command(scratch, environment)
            rig = composition(command, environment)
            try:
                with at_most(CI_MINUTES if arguments.ci else None):
                    _all(rig, scratch, say)
            finally:
                rig.compose("--profile", "nas", "down", "--volumes", "--remove-orphans")
                say("taken down")
    except (Trouble, OSError, subprocess.SubprocessError) as error:
        code, told = verdict(error, ci=arguments.ci)
        print(told, file=sys.stderr if code else sys.stdout, flush=True)
        return code
    finally:
        if not arguments.keep:
            shutil.rmtree(scratch, ignore_errors=True)
    say("all of it held")
    return 0


def _all(rig: Composition, scratch: Path, say: Callable[[str], None]) -> None:
    # Debian's version 1 and the version that is used here have to take the file alike.
    for command in (rig.command, *([["docker-compose"]] if shutil.which("docker-compose") else [])):
        check_file(command, rig.environment)
        say(f"docker-compose.yml is good for Compose {version(command, rig.environment)}")
    build_base(scratch, rig.environment)
    say("base image: Debian by debootstrap")
    build_postgres(rig.environment)
    say("PostgreSQL image from Debian's packages")
    rig.must("build", "--quiet", timeout_seconds=1800)
    say("images built")
    check_contents(rig.docker, say)
    rig.must("up", "-d", "--no-build")
    rig.wait_healthy("db", *KILLED[1:])
    say("every service is healthy")
    print(rig.must("run", "--rm", "-T", "nas"), end="", flush=True)
    say("the NAS has told its story")
    kill_each(rig, say)
    rig.must("run", "--rm", "-T", "nas")
    say("the story holds after the crashes")
    refused(rig, scratch, say)
    restored(rig, say)


if __name__ == "__main__":
    sys.exit(main())
