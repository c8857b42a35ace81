"""`python -m tests.chaos`, which `./run chaos` calls: as many kills as wanted."""

from __future__ import annotations

import argparse
import secrets
import tempfile
from pathlib import Path

from rig.account import service_account, temporary_state_dir
from tests.chaos.run import run
from tests.radius.installation import copy_product, installation


def main() -> None:
    """Kill, print the verdict, and end with status 1 when anything was lost or charged wrongly."""
    parser = argparse.ArgumentParser(prog="./run chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    wanted = parser.parse_args()
    if wanted.kills < 1:
        parser.error("--kills must be 1 or more")
    print(f"seed {wanted.seed}", flush=True)
    with (
        temporary_state_dir("twk-") as state_dir,
        tempfile.TemporaryDirectory() as logs,
        installation(copy_product(state_dir / "product", service_account())) as isp,
    ):
        found = run(
            isp, state_dir / "product", Path(logs), seed=wanted.seed, kills=wanted.kills, say=_say
        )
    if found.lost or found.wrong or found.left_alone:
        raise SystemExit("\n".join(map(str, (*found.lost, *found.wrong, *found.left_alone))))


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
