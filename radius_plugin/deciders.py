"""Decision processes, as radiusd sees them: lanes of the batcher of logins (docs/adr/0015).

One that is not there, because it is starting or was killed, is done without: its batch is decided
in radiusd, and a new one is started.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from socket import SHUT_RDWR, socket, socketpair
from time import monotonic

from billing.clock import utc_now
from billing.errors import Unavailable
from billing.services.access import Lane
from billing.services.snapshot import Snapshot
from radius_plugin.answers import Decider, Settled
from radius_plugin.frames import receive, send
from radius_plugin.pairs import Pairs

_MODULE = "radius_plugin.decision_process"
_PYTHON = f"{sys.base_prefix}/bin/python3"


class DecisionProcess:
    """A lane that settles batches in a process of its own, on `cpus`.

    `own_lane` and `decider` stand in for it while it is not there.
    """

    def __init__(
        self,
        decider: Decider,
        own_lane: Lane,
        snapshot: Snapshot,
        log: Callable[[str], None],
        cpus: set[int],
    ) -> None:
        self._decider = decider
        self._own_lane = own_lane
        self._snapshot = snapshot
        self._log = log
        self._cpus = ",".join(map(str, sorted(cpus)))
        self._process: subprocess.Popen[bytes] | None = None
        self._wire: socket | None = None
        self._ready = False
        self._busy_since: float | None = None
        self.settled = 0
        """Requests that it decided."""

    @property
    def there(self) -> bool:
        """Whether it has said that it is ready, and has not ended since."""
        return self._ready and self._wire is not None

    def tick(self, ending: bool = False) -> None:
        """Start it where it is not there, see whether it is ready; end it at the end. Called by one
        thread. Raises OSError."""
        if ending:
            self._drop()
        elif self._wire is None:
            self._start()
        elif not self._ready:
            self._look(self._wire)

    def settle_batch(self, requests: Sequence[Pairs]) -> list[Settled]:
        """One settled answer a request, in order. Raises Unavailable when the database is out."""
        wire = self._wire
        if wire is None or not self._ready:
            return self._decider.settle_batch(self._own_lane, requests)
        self._busy_since = monotonic()
        try:
            send(wire, requests)
            problem, settled, forgotten, noted, lines = receive(wire)
        except (EOFError, OSError, ValueError) as error:
            was_cut = self._busy_since is None
            self._drop()
            if was_cut:
                raise Unavailable("the database: no answer to a decision process") from error
            self._log("a decision process ended; decided in radiusd until another one is up")
            return self._decider.settle_batch(self._own_lane, requests)
        finally:
            self._busy_since = None
        for line in lines:
            self._log(line)
        self._snapshot.unpack(forgotten, noted, utc_now())
        if problem is not None:
            raise Unavailable(problem)
        self.settled += len(settled)
        return list(settled)

    def cut(self, seconds: float) -> bool:
        """As HotConnection.cut: end a wait that has lasted this long, from another thread."""
        since, wire = self._busy_since, self._wire
        if since is None or wire is None or monotonic() - since < seconds:
            return False
        self._busy_since = None
        with suppress(OSError):
            wire.shutdown(SHUT_RDWR)
        return True

    def _look(self, wire: socket) -> None:
        """Whether it has said that it is ready; no login waits for that."""
        if select.select([wire], [], [], 0)[0]:
            try:
                receive(wire)
                self._ready = True
            except (EOFError, OSError):
                self._log("a decision process ended while it started; decided in radiusd")
                self._drop()

    def _start(self) -> None:
        mine, its = socketpair()
        with its:
            # In a session of its own: radiusd waits for any child in its process group.
            self._process = subprocess.Popen(  # noqa: S603  # nosec B603 (our own module)
                [_PYTHON, "-P", "-m", _MODULE, str(its.fileno()), self._cpus],
                pass_fds=[its.fileno()],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._wire = mine

    def _drop(self) -> None:
        """Close the socket, which ends the process; one that hangs is killed."""
        wire, self._wire, self._ready = self._wire, None, False
        process, self._process = self._process, None
        if wire is not None:
            wire.close()
        if process is not None:
            try:
                process.wait(1)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
