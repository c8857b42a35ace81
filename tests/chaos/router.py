"""A NAS under load that writes down what was acknowledged, and obeys only what is on the wire."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rig.nas import NasSession, SimulatedNas, StatusType
from tests.factories import Subscriber

TIMEOUT_SECONDS = 0.4
PATIENCE_SECONDS = 90.0
"""Against hanging only: this long every part has been up again."""
INPUT_STEP, OUTPUT_STEP = 1_001, 10_007


@dataclass(frozen=True)
class Acknowledged:
    """A record whose Accounting-Response came; instants are Unix seconds."""

    acct_session_id: str
    status: str
    seconds: int
    input_octets: int
    output_octets: int
    acknowledged_at: float
    tries: int


@dataclass
class Played:
    """A subscriber's one session, from login to Stop."""

    subscriber: Subscriber
    session: NasSession


@dataclass
class Router:
    """Runs in a thread of its own: one subscriber after the other, each until the Disconnect."""

    nas: SimulatedNas
    waiting: deque[Subscriber]
    log: Path
    seed: int
    played: list[Played] = field(default_factory=list)
    error: BaseException | None = None

    def __post_init__(self) -> None:
        self.nas.timeout_seconds = TIMEOUT_SECONDS
        self.nas.disconnect.obedient = False  # the Stop is this thread's, and written down
        self._rng = random.Random(self.seed)
        self._finishing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"router {self.nas.address}")
        self._log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        """Let the session that runs come to its end, and begin no other."""
        self._finishing.set()

    def join(self) -> None:
        """Wait for that end; raises what went wrong."""
        self._thread.join(2 * PATIENCE_SECONDS)
        os.close(self._log)
        if self.error is not None:
            raise self.error
        assert not self._thread.is_alive(), "a session does not come to its end"

    def acknowledged(self) -> list[Acknowledged]:
        """The log, from disk."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [Acknowledged(**json.loads(line)) for line in lines]

    def was_cut(self, session: NasSession) -> bool:
        """Whether a genuine Disconnect for it has arrived."""
        return any(
            order.kind == "Disconnect-Request"
            and order.genuine
            and order.attributes.get("Acct-Session-Id") == [session.acct_session_id]
            for order in list(self.nas.orders)
        )

    def _run(self) -> None:
        try:
            while self.waiting and not self._finishing.is_set():
                self._play(self.waiting.popleft())
        except BaseException as error:
            self.error = error

    def _play(self, subscriber: Subscriber) -> None:
        self._log_in(subscriber)
        session = NasSession(
            subscriber.username,
            acct_session_id=f"{len(self.played):04x}-{self._rng.getrandbits(32):08x}",
            calling_station="02-00-00-00-00-01",
            framed_ip="10.20.0.1",
        )
        self.played.append(Played(subscriber, session))
        began = deadline = time.monotonic()
        deadline += 2 * PATIENCE_SECONDS
        self._send(session, "Start")
        while not self.was_cut(session):
            assert time.monotonic() < deadline, f"no Disconnect for {session}"
            session.seconds = int(time.monotonic() - began)
            session.input_octets += INPUT_STEP
            session.output_octets += OUTPUT_STEP
            self._send(session, "Interim-Update")
            time.sleep(self._rng.uniform(0, 0.02))
        self._send(session, "Stop")

    def _log_in(self, subscriber: Subscriber) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.nas.login(subscriber.username, subscriber.password).result != "accept":
            assert time.monotonic() < deadline, f"no login for {subscriber}"
            time.sleep(0.1)

    def _send(self, session: NasSession, status: StatusType) -> None:
        """Send one record until it is acknowledged, always with its own instant, and note that."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        instant = {"Event-Timestamp": int(time.time())}
        tries = 1
        while not self.nas.account(session, status, resends=0, extra=instant):
            assert time.monotonic() < deadline, f"not acknowledged: {status} of {session}"
            tries += 1
        noted = Acknowledged(
            *(session.acct_session_id, status),
            *(session.seconds, session.input_octets, session.output_octets),
            *(time.time(), tries),
        )
        os.write(self._log, json.dumps(asdict(noted)).encode() + b"\n")
        os.fsync(self._log)
