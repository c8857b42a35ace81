"""`./run bench [growth | soak | storm | cutoff | restore | bills] …`: a module each."""

from __future__ import annotations

import signal
import sys

from . import bills, cutoff, growth, restore, run, soak, storm

_VERBS = {
    "growth": growth.main,
    "soak": soak.main,
    "storm": storm.main,
    "cutoff": cutoff.main,
    "restore": restore.main,
    "bills": bills.main,
}


def main() -> None:
    """Run what is asked for; without a verb, the comparison with stock FreeRADIUS."""
    # Ended from outside, the bench still stops its servers and removes its directory.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    verb = _VERBS.get(sys.argv[1]) if len(sys.argv) > 1 else None
    if verb is not None:
        verb(sys.argv[2:])
    else:
        run.main(sys.argv[1:])
