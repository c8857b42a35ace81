"""`./run docker-test`: images, story, crashes, refusals; everything is taken down again."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.docker.composition import Composition, composition
from tests.docker.crashes import KILLED, kill_each
from tests.docker.engine import Trouble, engine
from tests.docker.images import build_base, build_postgres
from tests.docker.refusals import refused


def main() -> int:
    """0 when all of it held."""
    parser = argparse.ArgumentParser(prog="./run docker-test", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the scratch directory")
    arguments = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="tollway-docker-", dir="/var/tmp"))
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"== {time.monotonic() - began:5.0f} s  {text}", flush=True)

    try:
        with engine(scratch) as environment:
            say("the engine answers")
            build_base(scratch, environment)
            say("base image: Debian by debootstrap")
            build_postgres(environment)
            say("PostgreSQL image from Debian's packages")
            rig = composition(environment)
            try:
                _all(rig, say)
            finally:
                rig.compose("--profile", "nas", "down", "--volumes", "--remove-orphans")
                say("taken down")
    except (Trouble, OSError) as error:
        print(f"tollway: {error}", file=sys.stderr)
        return 1
    finally:
        if not arguments.keep:
            shutil.rmtree(scratch, ignore_errors=True)
    say("all of it held")
    return 0


def _all(rig: Composition, say: Callable[[str], None]) -> None:
    rig.must("build", "--quiet", timeout_seconds=1800)
    say("images built")
    rig.must("up", "-d", "--no-build")
    rig.wait_healthy("db", *KILLED[1:])
    say("every service is healthy")
    print(rig.must("run", "--rm", "-T", "nas"), end="", flush=True)
    say("the NAS has told its story")
    kill_each(rig, say)
    rig.must("run", "--rm", "-T", "nas")
    say("the story holds after the crashes")
    refused(rig, say)


if __name__ == "__main__":
    sys.exit(main())
