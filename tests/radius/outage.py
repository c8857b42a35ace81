"""What the tests of outages share: load that checks itself, a frozen database, small disks."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from billing.clock import utc_now
from rig.account import service_account
from rig.nas import NasSession, SimulatedNas
from rig.processes import children_of
from tests.factories import Subscriber
from tests.radius import meter
from tests.radius.installation import Installation
from tests.waiting import until

PACKAGE_OCTETS = 10**12


@dataclass
class Load:
    """Several NAS at once, each with a session whose counters rise with every record.

    A record is sent, and sent again, until it is acknowledged, and then noted in `acknowledged`.
    """

    isp: Installation
    threads: int = 6
    acknowledged: list[tuple[str, int, int, int]] = field(default_factory=list)
    refusals: int = 0

    def __enter__(self) -> Load:
        now = utc_now().replace(microsecond=0)
        self._stopping, self._giving_up = threading.Event(), threading.Event()
        self._stack = ExitStack()
        self.pairs: list[tuple[Subscriber, NasSession]] = []
        self._running = []
        for _ in range(self.threads):
            router = self._stack.enter_context(self.isp.make.simulated_nas(now, **self.isp.ports))
            router.timeout_seconds = 0.5
            subscriber = self.isp.make.subscriber(now)
            self.isp.make.package(subscriber, now, seconds=10**6, octets=PACKAGE_OCTETS)
            session = router.start(subscriber.username)
            self.pairs.append((subscriber, session))
            self._running.append(threading.Thread(target=self._run, args=(router, session)))
        for thread in self._running:
            thread.start()
        return self

    def _run(self, router: SimulatedNas, session: NasSession) -> None:
        while not self._stopping.is_set():
            session.seconds += 1
            session.input_octets += 1_001
            session.output_octets += 10_007
            while not router.account(session, "Interim-Update", resends=1):
                self.refusals += 1
                if self._giving_up.is_set():
                    return
            self.acknowledged.append(
                (
                    session.acct_session_id,
                    session.seconds,
                    session.input_octets,
                    session.output_octets,
                )
            )

    def more(self, number: int) -> None:
        """Wait until this many further records were acknowledged, and some of every session."""
        before = list(self.acknowledged)
        goal = len(before) + number

        def reached() -> bool:
            news = self.acknowledged[len(before) :]
            return len(self.acknowledged) >= goal and len({r[0] for r in news}) == self.threads

        until(reached, seconds=60)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Let every session end with an acknowledged record, unless the test has failed."""
        if kind is not None:
            self._giving_up.set()
        self._stopping.set()
        for thread in self._running:
            thread.join(60)
        stuck = [thread for thread in self._running if thread.is_alive()]
        self._giving_up.set()
        self._stack.close()
        assert not stuck, "records are not acknowledged any more"

    def check(self) -> None:
        """Every acknowledged record is in the journal, and all of it is charged just once."""
        context = self.isp.context
        stored = set()
        for subscriber, session in self.pairs:
            lines = meter.journal(context, subscriber)
            stored |= {
                (line.acct_session_id, line.session_seconds, line.input_octets, line.output_octets)
                for line in lines
            }
            seconds, received, sent = session.seconds, session.input_octets, session.output_octets
            assert meter.totals(context, subscriber) == [(seconds, received, sent)]
            assert meter.left(context, subscriber) == [
                (10**6 - seconds, PACKAGE_OCTETS - received - sent)
            ]
            assert meter.sliced(context, subscriber) == (seconds, received, sent)
            assert sum(line.added_seconds for line in lines) == seconds
        assert set(self.acknowledged) <= stored


def pids(isp: Installation) -> list[int | None]:
    return [p.pid if (p := server.process()) else None for server in isp.radius.values()]


@contextmanager
def frozen(isp: Installation) -> Iterator[None]:
    """PostgreSQL holds its connections but does nothing at all, as on a host that has hung."""
    signal_all(isp, signal.SIGSTOP)
    try:
        yield
    finally:
        thaw(isp)


def thaw(isp: Installation) -> None:
    signal_all(isp, signal.SIGCONT)


def signal_all(isp: Installation, number: signal.Signals) -> None:
    postmaster = isp.cluster.process()
    assert postmaster is not None
    for pid in (postmaster.pid, *children_of(postmaster.pid)):
        os.kill(pid, number)


def fill(filler: Path) -> None:
    """Take what room there is, to the last octet."""
    with filler.open("wb", buffering=0) as stream:
        for size in (2**20, 2**12, 1):
            try:
                while True:
                    stream.write(b"\0" * size)
            except OSError:
                continue


class SmallDisk:
    """A small file system in memory at `name` in a state directory; a context that unmounts it."""

    def __init__(self, name: str, size: str) -> None:
        if os.geteuid() != 0:
            pytest.skip("only root can mount the small disk that this fills")
        self.name, self.size = name, size
        self._mounted: Path | None = None

    def mount(self, state_dir: Path) -> None:
        disk = service_account().make_dir(state_dir / self.name)
        options = f"size={self.size},mode=0700,uid={disk.stat().st_uid},gid={disk.stat().st_gid}"
        argv = ["mount", "-t", "tmpfs", "-o", options, "tollway-test", str(disk)]
        subprocess.run(argv, check=True)
        self._mounted = disk

    def unmount(self, *options: str) -> None:
        """When nothing uses it any more."""
        disk, self._mounted = self._mounted, None
        if disk is not None:
            subprocess.run(["umount", *options, str(disk)], check=True)

    def __enter__(self) -> SmallDisk:
        return self

    def __exit__(self, *_: object) -> None:
        self.unmount("--lazy")
