"""Runs of the command line, in processes of their own, that are killed in the middle."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable

from billing.cli import main
from billing.settings import Settings

# The children are forked by a process that has imported the product and opened nothing: to start
# Python anew costs more than what most of them do before they are killed.
_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload([__name__])


def killed_in_the_middle(
    settings: Settings, arguments: list[str], progress: Callable[[], int], pause_seconds: float
) -> bool:
    """Start `tollway ARGUMENTS`, and kill it so long after *progress* says something new.

    False when it was done before.
    """
    known = progress()
    environment = {
        "TOLLWAY_STATE_DIR": str(settings.state_dir),
        "TOLLWAY_DATABASE_URL": settings.database_url,
        "TOLLWAY_DATABASE_NAME": settings.database_name,
    }
    process = _FORKING.Process(target=_run, args=(arguments, environment))
    process.start()
    try:
        while progress() == known and process.is_alive():
            time.sleep(0.005)
        time.sleep(pause_seconds)
        return process.is_alive()
    finally:
        process.kill()
        process.join()
        process.close()


def _run(arguments: list[str], environment: dict[str, str]) -> None:
    """What `python -m billing.cli` does, told to nobody."""
    os.environ.update(environment)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    main(arguments)
