"""`python -m tests.simulation`, which `./run simulate` calls: as many records as wanted."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from billing.settings import Settings
from rig.account import service_account, temporary_state_dir
from rig.configuration import ensure_master_key
from rig.postgres import PrivateCluster
from tests.radius.installation import migrated
from tests.simulation.simulation import LARGEST_COHORT, Outcome, Simulator, set_night, simulate

# The histories end long before a power cut could matter; the suite runs them durably.
_SETTINGS = {"shared_buffers": "256MB", "fsync": "off", "autovacuum_naptime": "10s"}


def main() -> None:
    """Run, and end with status 1 at the first difference."""
    wanted = _arguments()
    with _database() as settings:
        outcomes: Iterator[Outcome]
        if wanted.cohort is None:
            print(f"seed {wanted.seed}", flush=True)
            outcomes = simulate(
                settings, seed=wanted.seed, events=wanted.events, processes=wanted.processes
            )
        else:
            set_night(settings, wanted.cohort)
            outcomes = iter([Simulator(settings).run(wanted.seed, wanted.cohort)])
        charged = 0
        for outcome in outcomes:
            charged += outcome.events
            if outcome.report is not None:
                raise SystemExit(outcome.report)
            print(f"cohort {outcome.cohort}: {charged} records, no difference", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run simulate", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000, help="records to charge")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--cohort", type=int, help="only this one of the seed's histories")
    parser.add_argument("--processes", type=int, default=2)
    wanted = parser.parse_args()
    if wanted.events < 1 or wanted.processes < 1:
        parser.error("--events and --processes must be 1 or more")
    if wanted.cohort is not None and not 0 <= wanted.cohort <= LARGEST_COHORT:
        parser.error(f"--cohort must be between 0 and {LARGEST_COHORT}")
    return wanted


@contextmanager
def _database() -> Iterator[Settings]:
    """A cluster and a migrated database for this run alone."""
    with temporary_state_dir("tws-") as state_dir:
        ensure_master_key(state_dir, service_account())
        cluster = PrivateCluster(state_dir, settings=_SETTINGS)
        cluster.start()
        try:
            settings = Settings(state_dir=state_dir, database_url=cluster.dsn())
            migrated(settings).close()
            yield settings
        finally:
            cluster.stop()


if __name__ == "__main__":
    main()
