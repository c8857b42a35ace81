"""What many NAS of all kinds tell about their subscribers' sessions, seeded.

Subscribers go on and off, NAS restart, and the network loses, repeats, delays and reorders what is
sent. The same seed gives the same history, whatever it is then run against.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

from tests.simulation.clocks import Clock, event_time
from tests.simulation.terms import Change, Household, changes, household

START, STOP, INTERIM, ON, OFF = 1, 2, 3, 7, 8
WRAP = 2**32
FASTEST_OCTETS_PER_SECOND = 100_000_000
"""Below what a wrapped counter is believed for (U4)."""
NOBODY = -1
"""In place of a subscriber: Accounting-On and -Off."""
STRANGER = -2
"""In place of a subscriber or a NAS: one that is not known."""
SAFE_GAP = timedelta(seconds=75)
"""An id used again after this long is surely another session's (U3)."""
SPAN = timedelta(hours=40)

# Before nights in these zones: on five of them the clock changes, on three of those at midnight.
NIGHTS = (
    ("UTC", datetime.fromisoformat("2026-03-10T08:00:00+00:00")),
    ("Europe/Madrid", datetime.fromisoformat("2026-03-28T12:00:00+00:00")),
    ("Asia/Beirut", datetime.fromisoformat("2026-03-28T08:00:00+00:00")),
    ("Asia/Kathmandu", datetime.fromisoformat("2026-06-10T06:00:00+00:00")),
    ("Asia/Beirut", datetime.fromisoformat("2026-10-24T08:00:00+00:00")),
    ("Europe/Madrid", datetime.fromisoformat("2026-10-24T12:00:00+00:00")),
    ("America/Havana", datetime.fromisoformat("2026-10-31T18:00:00+00:00")),
)


@dataclass(frozen=True)
class Nas:
    """How one NAS behaves. `counters`: wide (gigawords always), late-wide (gigawords once they are
    not zero) or narrow (32 bits that wrap)."""

    number: int
    counters: str
    clock: Clock
    reuses_ids: bool
    announces: bool
    omits_time: bool
    loss: float
    restarts: tuple[datetime, ...]
    cut_off: tuple[datetime, datetime] | None
    """From when until when nothing gets through; then all of it comes, in any order."""

    @property
    def is_exact(self) -> bool:
        """Whether every record of it tells its true instant, however late it comes."""
        return self.clock.stamps and self.clock.delays


@dataclass(frozen=True, slots=True)
class Packet:
    """One record as a NAS makes it; counters as they are sent, None: absent."""

    nas: int
    subscriber: int
    sid: str
    status: int
    happened_at: datetime
    seconds: int | None = None
    input_octets: int | None = None
    output_octets: int | None = None
    has_gigawords: bool = False
    cause: str | None = None
    real_session: int = 0
    true_octets: tuple[int, int] = (0, 0)
    """Input and output as they were, whatever the NAS shows."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A copy of a packet that arrives, and the instant that follows from what it tells (U6)."""

    arrived_at: datetime
    packet: Packet
    event_at: datetime
    is_precise: bool


@dataclass
class RealSession:
    """What really was, to compare with what was made of it. `is_told`: enough of it is told that
    the totals must be exact, whatever the order (U2)."""

    nas: int
    subscriber: int
    sid: str
    is_told: bool
    is_orderly: bool
    true_totals: list[tuple[int, int, int]] = field(default_factory=list)


@dataclass
class Traffic:
    """The history of some households and NAS in one zone."""

    zone: str
    base: datetime
    nas: list[Nas]
    households: list[Household]
    deliveries: list[Delivery]
    changes: list[Change]
    real_sessions: list[RealSession]


def traffic(
    rng: Random,
    night: tuple[str, datetime],
    households: int,
    records: int,
    *,
    span: timedelta = SPAN,
    keeps_order: bool = True,
) -> Traffic:
    """About `records` deliveries for each subscriber of this many households.

    Their sessions begin within `span` after the instant of the night. `keeps_order`: there are NAS
    whose records come in their order.
    """
    maker = _Maker(rng, night, span, keeps_order)
    return maker.make(households, records)


class _Maker:
    def __init__(
        self, rng: Random, night: tuple[str, datetime], span: timedelta, keeps_order: bool
    ) -> None:
        zone, base = night
        self.rng = rng
        self.span = span
        self.keeps_order = keeps_order
        self.latest_begin = int(span.total_seconds()) * 25 // 36
        self.made = Traffic(zone, base, [], [], [], [], [])
        self.free_at: dict[tuple[int, int, str], datetime] = {}
        self.sids = 0

    def make(self, households: int, records: int) -> Traffic:
        made, rng = self.made, self.rng
        made.nas = [self._nas(number) for number in range(6)]
        for nas in made.nas:
            self._announce(nas)
        subscriber = 0
        for _ in range(households):
            home = household(rng, subscriber, made.base)
            made.households.append(home)
            begins_at = made.base + timedelta(seconds=rng.randint(0, self.latest_begin))
            for terms in home.subscribers:
                first = len(made.deliveries)
                self._subscriber(terms.number, begins_at, records)
                seen = [one.arrived_at for one in made.deliveries[first:]]
                made.changes += changes(rng, terms, seen or [begins_at])
                subscriber += 1
        made.deliveries.sort(key=lambda one: one.arrived_at)
        made.changes.sort(key=lambda one: one.at)
        return made

    def _nas(self, number: int) -> Nas:
        rng = self.rng
        counters = ("wide", "late-wide", "narrow")[number % 3]
        offset = timedelta(seconds=rng.choice((0, 0, rng.randint(-240, 240))))
        clock = Clock(stamps=True, delays=True, offset=offset)
        if counters == "wide" and number > 0:
            told = rng.choice(((True, False), (False, True), (False, False)))
            clock = Clock(*told, offset=offset * rng.choice((1, 1, 20)))
        restarts = sorted(
            self.made.base + self.span * rng.random() for _ in range(rng.choice((0, 1, 2, 3)))
        )
        cut_off = None
        if clock.stamps and clock.delays and rng.random() < 0.7:
            since = rng.choice((*restarts, self.made.base + self.span * rng.random()))
            since -= timedelta(seconds=rng.randint(0, 1_000))
            cut_off = (since, since + timedelta(seconds=rng.randint(1_000, 20_000)))
        return Nas(
            number,
            counters,
            clock,
            reuses_ids=rng.random() < 0.7,
            announces=rng.random() < 0.8,
            omits_time=counters == "wide" and rng.random() < 0.5,
            loss=rng.choice((0.0, 0.05, 0.2)),
            restarts=tuple(moment.replace(microsecond=0) for moment in restarts),
            cut_off=cut_off,
        )

    def _announce(self, nas: Nas) -> None:
        """Accounting-Off before and Accounting-On after a restart (U7)."""
        for moment in nas.restarts if nas.announces else ():
            for status, at in ((OFF, moment), (ON, moment + timedelta(seconds=30))):
                for _ in range(self.rng.choice((0, 1, 1, 3))):
                    self._deliver(nas, Packet(nas.number, NOBODY, "", status, at), orderly=False)

    def _subscriber(self, number: int, begins_at: datetime, records: int) -> None:
        """One session after the other, on one line or two, most of them at one NAS."""
        rng = self.rng
        lines = rng.choice((1, 1, 2))
        home = rng.choice(self.made.nas)
        for line in range(lines):
            at = begins_at
            goal = len(self.made.deliveries) + records // lines
            while len(self.made.deliveries) < goal and at < self.made.base + self.span:
                nas = home if rng.random() < 0.6 else rng.choice(self.made.nas)
                at = self._session(nas, number, line, at)

    def _session(self, nas: Nas, subscriber: int, line: int, after: datetime) -> datetime:
        """One session and its packets; when it ended."""
        rng, made = self.rng, self.made
        if nas.reuses_ids:
            sid = f"{line}{rng.choice('aab')}"
        else:
            self.sids += 1
            sid = f"{self.sids:08x}"
        key = (nas.number, subscriber, sid)
        is_safe = nas.counters != "wide" or rng.random() < 0.7
        gap = SAFE_GAP if is_safe else timedelta()
        gap += timedelta(seconds=rng.choice((0, rng.randint(0, 60), rng.randint(0, 7_000))))
        begins_at = max(after + timedelta(seconds=1), self.free_at.get(key, made.base) + gap)
        for restart in nas.restarts:
            if restart <= begins_at < restart + timedelta(seconds=60):
                begins_at = restart + timedelta(seconds=60)
        real = RealSession(
            *(nas.number, subscriber, sid),
            is_told=nas.is_exact and is_safe,
            is_orderly=self.keeps_order and nas.counters == "narrow" and rng.random() < 0.4,
        )
        made.real_sessions.append(real)
        ended_at = begins_at
        for packet in self._packets(nas, real, begins_at):
            self._deliver(nas, packet, real.is_orderly)
            ended_at = packet.happened_at
        self.free_at[key] = ended_at
        return ended_at + timedelta(seconds=rng.randint(0, 3_000))

    def _packets(self, nas: Nas, real: RealSession, begins_at: datetime) -> Iterator[Packet]:
        rng = self.rng
        ends_at = min((r for r in nas.restarts if r > begins_at), default=None)
        number = len(self.made.real_sessions) - 1
        place = (nas.number, real.subscriber, real.sid)
        interval = rng.choice((10, 60, 300, 300, 900, 7_200))
        fastest = int(min(10 ** rng.uniform(2, 8), FASTEST_OCTETS_PER_SECOND))
        seconds = sent = received = 0
        yield Packet(*place, START, begins_at, real_session=number)
        real.true_totals.append((0, 0, 0))
        # Within a step 32 bits wrap once at most: more can't be seen. In some sessions they wrap in
        # nearly every second step, in any order of arrival.
        is_narrow = nas.counters == "narrow"
        is_fast = is_narrow and rng.random() < 0.5
        for left in range(rng.randint(0, 24), -1, -1):
            step = rng.randint(0 if left == 0 else 1, interval + rng.randint(0, 9))
            limit = step * (FASTEST_OCTETS_PER_SECOND if is_fast else fastest)
            limit = min(limit, WRAP - 1 if is_narrow else 2**50)
            sent = min(sent + rng.randint(0, limit), 2**50)
            received = min(received + rng.randint(0, limit), 2**50)
            seconds += step
            at = begins_at + timedelta(seconds=seconds)
            if ends_at is not None and at >= ends_at:
                return
            real.true_totals.append((seconds, sent, received))
            is_last = left == 0
            yield self._counted(
                nas, real, Packet(*place, STOP if is_last else INTERIM, at, real_session=number)
            )

    def _counted(self, nas: Nas, real: RealSession, bare: Packet) -> Packet:
        """The packet with its counters, as this NAS sends them; some are absent or fall."""
        rng = self.rng
        seconds, sent, received = real.true_totals[-1]
        is_wide = nas.counters == "wide" or (
            nas.counters == "late-wide" and max(sent, received) >= WRAP
        )
        shown: list[int | None] = [
            value % WRAP if not is_wide else value for value in (sent, received)
        ]
        for place in range(2):
            if rng.random() < 0.04:
                shown[place] = None
            elif rng.random() < (0.06 if nas.counters == "narrow" else 0.02):
                shown[place] = self._fallen(nas, real, shown[place] or 0)
        told: int | None = seconds
        if nas.omits_time and rng.random() < 0.05:
            told, real.is_told = None, False
        cause = None
        if bare.status == STOP:
            cause = rng.choice(("User-Request", "Lost-Carrier", "NAS-Reboot", None))
            if cause == "NAS-Reboot" and (nas.reuses_ids or nas.omits_time):
                cause = None  # what comes after it can't be told from a session that goes on
        return Packet(
            *(bare.nas, bare.subscriber, bare.sid, bare.status, bare.happened_at),
            *(told, *shown, is_wide, cause, bare.real_session, (sent, received)),
        )

    def _fallen(self, nas: Nas, real: RealSession, value: int) -> int:
        """An error of the NAS. On 32 bits it can't be told from a wrap but by its rate (U4)."""
        if nas.counters == "wide":
            return self.rng.randint(0, value)
        steps = [later[0] - earlier[0] for earlier, later in pairwise(real.true_totals)]
        if nas.counters == "narrow" and max(steps) <= 20:
            # Seen from a report further back the larger one would pass for a wrap.
            return max(value - self.rng.choice((1_000, 1_000_000_000)), 0)
        # Now and then one that passes for a wrap: what it made believe stays charged (U4).
        is_believed = nas.counters == "narrow" and self.rng.random() < 0.1
        return self.rng.randint(0, value) if is_believed else value

    # On the way

    def _deliver(self, nas: Nas, packet: Packet, orderly: bool) -> None:
        """The copies of a packet that arrive, if any."""
        rng = self.rng
        if rng.random() < nas.loss:
            return
        delay = rng.uniform(0, 0.4 if orderly else 2)
        luck = rng.random()
        if nas.cut_off is not None and nas.cut_off[0] <= packet.happened_at < nas.cut_off[1]:
            delay = (nas.cut_off[1] - packet.happened_at).total_seconds()
            delay += 0 if orderly else rng.uniform(0, 300)
        elif not orderly and luck < 0.15:  # the first copies were lost
            delay += rng.choice((5, 10, 15, 60))
        elif not orderly and luck < 0.25:
            delay += rng.uniform(60, self._patience(nas))
        self._arrive(nas, packet, delay)
        while rng.random() < 0.15 and (nas.counters == "wide" or delay < 60_000):
            delay += rng.uniform(1, self._patience(nas))
            self._arrive(nas, packet, delay)

    def _arrive(self, nas: Nas, packet: Packet, delay_seconds: float) -> None:
        arrived_at = packet.happened_at + timedelta(seconds=delay_seconds)
        delay, stamp = nas.clock.told(packet.happened_at, arrived_at)
        event_at, is_precise = event_time(arrived_at, delay, stamp)
        if not is_precise and packet.subscriber >= 0:
            self.made.real_sessions[packet.real_session].is_told = False
        luck = self.rng.random()
        if luck < 0.001 and packet.subscriber != NOBODY:
            packet = replace(packet, subscriber=STRANGER)
        elif luck < 0.002:
            packet = replace(packet, nas=STRANGER)
        self.made.deliveries.append(Delivery(arrived_at, packet, event_at, is_precise))

    def _patience(self, nas: Nas) -> float:
        """How long this NAS may go on to resend, in seconds."""
        if not nas.clock.stamps and not nas.clock.delays:
            return 100.0  # each copy tells another instant
        if nas.counters != "wide":
            return 20_000.0  # while their instants are believed (U6)
        return self.rng.choice((200.0, 3_600.0, 3_600.0, 40_000.0, 120_000.0))
