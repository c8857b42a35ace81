"""A played NAS whose subscribers' devices all drain one allowance (rule Q4).

Each device logs in, transmits at its own rate whatever anybody knows of it, and logs in again when
its session has ended, until it is refused for good. The NAS ends a session at a limit that came in
its Access-Accept or a CoA, and at a Disconnect; it is told nothing else. Time runs in ticks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from billing.model.decision import MESSAGES, Reason
from rig.nas import Behaviour, LoginOutcome, NasSession, SimulatedNas

TICK_SECONDS = 1 / 60
REPORT_TICKS = 45
_GIGAWORD = 2**32
_OVER = {MESSAGES[Reason.DATA_USED_UP], MESSAGES[Reason.EXPIRED], MESSAGES[Reason.NO_ENTITLEMENT]}
_WAIT = MESSAGES[Reason.ALLOWANCE_IN_USE]
_TRIES = 400

Attributes = Mapping[str, list[object]]


@dataclass(frozen=True)
class OctetLimits:
    """The names of a vendor's limits: of both directions together, or of each."""

    total: str | None = None
    sent: str | None = None
    received: str | None = None


CHILLI = OctetLimits(total="ChilliSpot-Max-Total-Octets")
PPP = OctetLimits(sent="Mikrotik-Recv-Limit", received="Mikrotik-Xmit-Limit")


@dataclass
class Line:
    """One session on the NAS; octets that really went over it are those of `session`.

    `reports_under_way`: not answered yet when what was reported came to all of the allowance.
    """

    session: NasSession
    rate: int
    limits: dict[str, int]
    cut: bool = False
    ticks_since_exhaustion: int = 0
    reports_under_way: int = 0
    reports: list[Future[bool]] = field(default_factory=list)


class DrainingNas:
    """`nas` must be in its context and have the ports of both servers. `exhausted` tells whether
    what was reported so far is all of the allowance."""

    def __init__(
        self,
        nas: SimulatedNas,
        names: OctetLimits,
        *,
        allowance: int,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        self.nas = nas
        self.names = names
        self.allowance = allowance
        self.extra = extra
        self.lines: list[Line] = []
        self.changes = 0
        self.refused_for_now = 0
        self._reported: dict[str, int] = {}
        self._by_id: dict[str, Line] = {}
        self._telling = threading.Lock()
        self._reporters = ThreadPoolExecutor(64)
        nas.coa = Behaviour(finds=self._change)
        nas.disconnect = Behaviour(finds=self._cut, obedient=False)

    @property
    def transmitted(self) -> int:
        """Octets that all sessions have really sent and received."""
        return sum(_total(line.session) for line in self.lines)

    def drain(self, username: str, password: str, rates: list[int]) -> None:
        """A device for each rate (octets a tick), all at once, until all of them are refused."""
        with ThreadPoolExecutor(len(rates)) as devices:
            running = [
                devices.submit(self._device, username, password, number, rate)
                for number, rate in enumerate(rates)
            ]
            for one in running:
                one.result()
        self._reporters.shutdown()

    def _device(self, username: str, password: str, number: int, rate: int) -> None:
        station = f"02-00-00-00-01-{number:02X}"
        for _ in range(_TRIES):
            outcome = self.nas.login(username, password, calling_station=station, extra=self.extra)
            if outcome.result == "accept":
                self._session(username, station, rate, outcome)
            elif outcome.message in _OVER:
                return
            else:
                assert outcome.message == _WAIT, outcome
                self.refused_for_now += 1
                if self._is_idle() and self.allowance - self.transmitted <= 1:
                    return  # an octet that two directions cannot share
                time.sleep(0.2)
        raise AssertionError(f"{station} never came to an end: {outcome}")

    def _is_idle(self) -> bool:
        return not any(line.session.open for line in self.lines)

    def _session(self, username: str, station: str, rate: int, outcome: LoginOutcome) -> None:
        session = NasSession(
            username,
            f"{station}-{len(self.lines)}-{time.monotonic_ns()}",
            station,
            "10.20.0.9",
            outcome.first("Class"),  # type: ignore[arg-type]
        )
        line = Line(session, rate, self._limits(outcome.attributes))
        self._by_id[session.acct_session_id] = line
        self.lines.append(line)
        self._report(line, "Start")
        while not line.cut and self._transmit(line):
            time.sleep(TICK_SECONDS)
            session.seconds += 1
            if session.seconds % REPORT_TICKS == 0:
                self._report(line, "Interim-Update")
            if self._is_exhausted():
                line.ticks_since_exhaustion += 1
        session.open = False
        for report in line.reports:
            report.result()
        assert self.nas.account(session, "Stop", cause="Session-Timeout", resends=20)
        self._note(session)

    def _transmit(self, line: Line) -> bool:
        """One tick; False when a limit is reached."""
        sent, received = line.rate // 5, line.rate - line.rate // 5
        session, limits = line.session, line.limits
        sent = min(sent, limits.get("sent", 2**62) - session.input_octets)
        received = min(received, limits.get("received", 2**62) - session.output_octets)
        room = limits.get("total", 2**62) - _total(session)
        sent = min(sent, room)
        received = min(received, room - sent)
        session.input_octets += sent
        session.output_octets += received
        return (
            _total(session) < limits.get("total", 2**62)
            and session.input_octets < limits.get("sent", 2**62)
            and session.output_octets < limits.get("received", 2**62)
        )

    def _report(self, line: Line, status: str) -> None:
        """Accounting goes on its own way: nobody waits for it to transmit."""
        told = replace(line.session)

        def send() -> bool:
            heard = self.nas.account(told, status, resends=20)  # type: ignore[arg-type]
            self._note(told)
            return heard

        line.reports.append(self._reporters.submit(send))

    def _note(self, told: NasSession) -> None:
        """What was reported of a session by now."""
        with self._telling:
            already = self._is_exhausted()
            before = self._reported.get(told.acct_session_id, 0)
            self._reported[told.acct_session_id] = max(before, _total(told))
            if already or not self._is_exhausted():
                return
            # On a busy machine reports take longer than the interval between them.
            for line in list(self.lines):
                line.reports_under_way = sum(not report.done() for report in list(line.reports))

    def _is_exhausted(self) -> bool:
        return sum(list(self._reported.values())) >= self.allowance

    def _limits(self, attributes: Attributes) -> dict[str, int]:
        found = {}
        for kind in ("total", "sent", "received"):
            name = getattr(self.names, kind)
            if name is not None and name in attributes:
                high = attributes.get(name.replace("-Octets", "") + "-Gigawords", [0])[0]
                found[kind] = int(str(attributes[name][0])) + int(str(high)) * _GIGAWORD
        return found

    def _change(self, attributes: dict[str, list[object]]) -> bool:
        line = self._named(attributes)
        if line is None:
            return False
        self.changes += 1
        line.limits.update(self._limits(attributes))
        return True

    def _cut(self, attributes: dict[str, list[object]]) -> bool:
        line = self._named(attributes)
        if line is not None:
            line.cut = True
        return line is not None

    def _named(self, attributes: dict[str, list[object]]) -> Line | None:
        line = self._by_id.get(str(attributes.get("Acct-Session-Id", [""])[0]))
        return line if line is not None and line.session.open else None


def _total(session: NasSession) -> int:
    return session.input_octets + session.output_octets
