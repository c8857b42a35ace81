"""Each container is killed once while a subscriber is online: nothing acknowledged is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rig.nas import NasSession, SimulatedNas
from tests.docker.composition import Composition
from tests.docker.engine import Trouble

KILLED = ("db", "radius", "worker", "web", "mail")
USERNAME = "crash.test"
_PASSWORD = "shown-to-nobody-1"
_MEGABYTE = 10**6


@dataclass
class Traffic:
    """Interims of one session, one after the other: what was sent, and what was acknowledged."""

    nas: SimulatedNas
    session: NasSession
    sent_octets: int = 0
    acknowledged_octets: int = 0
    acknowledged: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self._stop.is_set():
            self.sent_octets += _MEGABYTE
            seconds = self.sent_octets // _MEGABYTE
            if self.nas.interim(
                self.session, seconds=seconds, input_octets=0, output_octets=self.sent_octets
            ):
                self.acknowledged_octets = self.sent_octets
                self.acknowledged += 1
            self._stop.wait(0.02)

    def end(self) -> None:
        self._stop.set()


def kill_each(rig: Composition, say: Callable[[str], None]) -> None:
    """Raises Trouble when a record is missing, charged twice, or service does not come back."""
    _add_subscriber(rig, USERNAME)
    with _router(rig) as nas:
        session = nas.begin(USERNAME, _PASSWORD)
        for service in KILLED:
            traffic = Traffic(nas, session, session.output_octets, session.output_octets)
            thread = threading.Thread(target=traffic.run, daemon=True)
            thread.start()
            _wait_for_more(traffic, 20)
            rig.kill(service)
            rig.must("up", "-d", "--no-build")
            rig.wait_healthy("db", "radius", "worker", "web", "mail")
            _wait_for_more(traffic, traffic.acknowledged + 20)
            traffic.end()
            thread.join()
            charged = charged_octets(rig, USERNAME)
            if not traffic.acknowledged_octets <= charged <= traffic.sent_octets:
                raise Trouble(
                    f"after killing {service}: {charged} octets charged, "
                    f"{traffic.acknowledged_octets} acknowledged, {traffic.sent_octets} sent"
                )
            say(
                f"{service} killed: {traffic.acknowledged} records acknowledged, "
                f"{charged // _MEGABYTE} MB charged of {traffic.sent_octets // _MEGABYTE} MB sent"
            )
        if not nas.stop(session):
            raise Trouble("the Stop was not acknowledged")


def _wait_for_more(traffic: Traffic, number: int) -> None:
    waited = threading.Event()
    for _ in range(1200):
        if traffic.acknowledged >= number:
            return
        waited.wait(0.1)
    raise Trouble("accounting is not acknowledged any more")


def _add_subscriber(rig: Composition, username: str) -> None:
    rig.tollway("profile", "add", "Crash test", "--kind", "daily", "--payment", "prepaid")
    rig.tollway("plan", "add", "A lot", "--price", "1.00", "--validity", "1d", "--data", "1000GB")
    named = ("--name", "Crash Test", "--profile", "Crash test")
    rig.tollway("subscriber", "add", username, *named, "--password", _PASSWORD)
    rig.tollway("sell", username, "A lot", "--pay", "cash")


def charged_octets(rig: Composition, username: str) -> int:
    """What was charged of a subscriber's downloads, over all days."""
    days = rig.tollway("usage", username)["days"]
    return sum(int(day["output_octets"]) for day in days)


@contextmanager
def _router(rig: Composition) -> Iterator[SimulatedNas]:
    """A router on this machine, known to the containers by their network's gateway."""
    made = rig.tollway("nas", "add", "crash-router", rig.gateway())
    with SimulatedNas(
        secret=str(made["secret"]).encode(),
        auth_port=rig.auth_port,
        acct_port=rig.acct_port,
    ) as nas:
        yield nas
