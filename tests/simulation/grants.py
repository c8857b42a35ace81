"""Sessions that hold slices of one allowance, played and kept book of by a slow model (rule Q4).

The model knows a login's slice and an accounting record, and from them who holds how much. It
shares no code with the product. Each step is played against both, then they are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from billing.model.events import AccountingRecord
from tests.integration.grant_world import (
    CHILLI,
    FIXED,
    HOTSPOT,
    NO_LIMIT,
    PPP,
    broken,
    class_of,
    grants,
    log_in,
    overspends,
    strict_customer,
    strict_version,
)
from tests.integration.meter_world import (
    OTHER_ROUTER,
    ROUTER,
    Metered,
    MeterWorld,
    Pack,
    at,
    interim,
    start,
    stop,
)

SLICE = 1_000
VALID_SECONDS = 3_600
BEGINS_WITHIN = 60
TOPPED_UP_FROM = 7 / 10
ENFORCING = (CHILLI, CHILLI, PPP, HOTSPOT, FIXED)
MOVED_BY_COA = {CHILLI, PPP}
UNLIMITED = {NO_LIMIT}


@dataclass
class Line:
    """A login and, once it has begun, its session, as the model knows it."""

    number: int
    able: int
    granted: int
    valid_until: datetime
    station: str
    nas: str
    tag: str
    began_at: datetime | None = None
    sent: int = 0
    received: int = 0
    told: int = 0
    """Octets that the meter has heard of."""
    over_at: datetime | None = None
    """When it ended on its NAS."""
    stop_heard: bool = False
    state: str = "held"
    lapsed: bool = False
    shown: bool = False

    @property
    def used(self) -> int:
        return self.sent + self.received

    @property
    def unspent(self) -> int:
        return max(self.granted - self.told, 0) if self.state == "held" else 0


@dataclass
class Played:
    """One subscription, its lines, and what is left by the model."""

    who: Metered
    plan: int
    left: int
    over: int = 0
    lines: list[Line] = field(default_factory=list)
    sent: list[AccountingRecord] = field(default_factory=list)

    @property
    def free(self) -> int:
        return self.left - sum(line.unspent for line in self.lines)


class GrantPlay:
    """Random steps of one seed; `play` says at the first step what differs, None: nothing."""

    def __init__(self, world: MeterWorld, seed: int) -> None:
        self.world = world
        self.rng = Random(seed)
        self.now = at(0)
        # A NAS without a limit lets its sessions use what others hold.
        self.is_loose = seed % 4 == 3
        allowance = self.rng.choice((2_500, 5_000, 12_345))
        plan = strict_version(
            world, slice_octets=SLICE, slice_seconds=600, valid_seconds=VALID_SECONDS
        )
        packs = [Pack(octets=allowance, minutes=100_000)]
        if self.rng.random() < 0.4:
            more = self.rng.choice((900, 2_000))
            packs.append(Pack(octets=more, since_minutes=90_000, follows=True, minutes=100_000))
            allowance += more
        who, _ = strict_customer(world, packs, plan)
        self.played = Played(who, plan, allowance)

    def play(self, steps: int) -> str | None:
        """What differs, in words."""
        kinds: list[Callable[[], None]] = [
            *(self._log_in, self._begin, self._report, self._report, self._report, self._end),
            *(self._repeat, self._repeat, self._wait, self._vanish, self._clean_up, self._reboot),
        ]
        for number in range(steps):
            step = self.rng.choice(kinds)
            self.now += timedelta(seconds=self.rng.randint(1, 40))
            step()
            if found := self._difference():
                return f"step {number}, {step.__name__}: {found}"
        return None

    # Steps

    def _log_in(self) -> None:
        self._lapse()
        played = self.played
        number = len(played.lines)
        able = self.rng.choice((NO_LIMIT, NO_LIMIT, CHILLI) if self.is_loose else ENFORCING)
        nas = self.rng.choice((ROUTER, OTHER_ROUTER))
        station = f"st-{number}" if self.rng.random() < 0.4 else "same"
        expected = min(SLICE, played.free)
        given = log_in(
            self.world, played.who, played.plan, self.now, station=station, nas=nas, able=able
        )
        least = 2 if able == PPP else 1
        granted = given.grant.octets if given.grant is not None else 0
        wanted = expected if expected >= least else 0
        assert granted == wanted, f"granted {granted}, the model {wanted}"
        if given.grant is not None:
            until = self.now + timedelta(seconds=VALID_SECONDS)
            tag = class_of(played.who, given)
            line = Line(number, int(able), expected, until, station, nas, tag)
            played.lines.append(line)

    def _begin(self) -> None:
        line = self._pick(lambda one: one.began_at is None and one.state == "held")
        if line is not None:
            line.began_at = self.now
            if self.rng.random() < 0.8:  # else the Start is lost
                self._tell(line, start(self.played.who, self.now, **self._names(line)))

    def _report(self) -> None:
        line = self._pick(lambda one: one.began_at is not None and one.over_at is None)
        if line is None:
            return
        self._transmit(line)
        if self.rng.random() < 0.85:
            record = interim(
                *(self.played.who, self.now, self._seconds(line), line.sent, line.received),
                **self._names(line),
            )
            self._tell(line, record)
        if line.used >= line.granted and line.able not in UNLIMITED:
            self._stop(line)

    def _end(self) -> None:
        line = self._pick(lambda one: one.began_at is not None and one.over_at is None)
        if line is not None:
            self._transmit(line)
            self._stop(line)

    def _stop(self, line: Line) -> None:
        line.over_at = self.now
        if self.rng.random() < 0.8:  # else the Stop is lost
            record = stop(
                *(self.played.who, self.now, self._seconds(line), line.sent, line.received),
                **self._names(line),
            )
            self._tell(line, record)

    def _repeat(self) -> None:
        """A record of long ago comes again."""
        if self.played.sent:
            record = self.rng.choice(self.played.sent)
            self.world.charge(record, now=self.now)

    def _wait(self) -> None:
        self.now += timedelta(seconds=self.rng.choice((100, 600, 4_000)))

    def _vanish(self) -> None:
        """A session ends, and nobody says so."""
        line = self._pick(lambda one: one.began_at is not None and one.over_at is None)
        if line is not None and self.rng.random() < 0.3:
            line.over_at = self.now

    def _clean_up(self) -> None:
        self.world.rows("SELECT reap_silent_v1(%s, 1000)", self.now)
        for _ in range(self.rng.choice((1, 2))):
            self.world.rows("SELECT release_lapsed_v1(%s, 1000)", self.now)
        self._lapse()

    def _reboot(self) -> None:
        if self.rng.random() < 0.3:
            nas = self.rng.choice((ROUTER, OTHER_ROUTER))
            self.world.rows("SELECT close_nas_sessions_v1(%s, %s)", nas, self.now)
            for line in self.played.lines:
                is_known = line.shown and not self._is_reaped(line)
                if line.nas == nas and is_known and line.state == "held":
                    line.state = "posted"
                    line.over_at = line.over_at or self.now

    # What the model makes of them

    def _tell(self, line: Line, record: AccountingRecord) -> None:
        played = self.played
        self.world.charge(record, now=self.now)
        played.sent.append(record)
        line.shown = True
        added = (record.input_octets or 0) + (record.output_octets or 0) - line.told
        added = max(added, 0)
        line.told += added
        paid = min(added, played.left)
        played.left -= paid
        played.over += added - paid
        if line.state != "held":
            return
        if record.status == 2:
            line.state, line.stop_heard = "posted", True
        else:
            self._top_up(line, added)

    def _top_up(self, line: Line, added: int) -> None:
        if line.able not in MOVED_BY_COA | UNLIMITED:
            return
        if line.able == PPP:
            (row,) = [r for r in grants(self.world, self.played.who) if self._is(r, line)]
            # The split between the directions is the product's; its sum is not.
            before = line.granted
            line.granted = row.granted_octets
            free = self.played.left - sum(
                one.unspent for one in self.played.lines if one is not line
            )
            assert line.granted >= before and line.unspent <= free + before
            return
        room = line.granted - line.told
        if room <= max(SLICE * (1 - TOPPED_UP_FROM), added):
            more = min(SLICE, self.played.free)
            if more > 0:
                line.granted = max(line.granted, line.told) + more

    def _lapse(self) -> None:
        """What ended, or was not heard of while it was valid, is free again."""
        stored = {row.reservation_id: row for row in grants(self.world, self.played.who)}
        for line in self.played.lines:
            if line.state != "held":
                continue
            row = stored[self._reservation(line)]
            margin = row.valid_until + timedelta(seconds=BEGINS_WITHIN)
            if not line.shown and self.now >= margin:
                line.state, line.lapsed = "released", True
            elif line.shown and self._is_reaped(line) and self.now >= margin:
                line.state, line.lapsed = "posted", True

    def _is_reaped(self, line: Line) -> bool:
        rows = self.world.rows(
            "SELECT 1 FROM live_session WHERE subscription_id = %s AND acct_session_id = %s"
            " AND terminate_cause = 'Lost-Stop'",
            *(self.played.who.subscription_id, self._names(line)["sid"]),
        )
        return bool(rows)

    def _difference(self) -> str | None:
        self._lapse()
        played = self.played
        found = broken(self.world, played.who, self.now)
        found = [one for one in found if not (self.is_loose and one[0] == "more held than left")]
        if found:
            return f"{found}"
        rows = {row.reservation_id: row for row in grants(self.world, played.who)}
        for line in played.lines:
            row = rows[self._reservation(line)]
            stored = (row.state, row.granted_octets)
            # The database lapses a grant when somebody needs what it holds.
            is_late = row.state == "held" and line.lapsed
            is_over = "held" not in (row.state, line.state)
            if not is_over and not is_late and stored != (line.state, line.granted):
                return f"line {line.number} is {stored}, the model {line}"
        ours = {self._reservation(line) for line in played.lines}
        if strays := [row for row in rows.values() if row.reservation_id not in ours]:
            return f"{strays[0]} belongs to no login"
        left = sum(row.octets_left for row in self.world.entitlements(played.who))
        if left != played.left:
            return f"{left} octets are left, {played.left} by the model"
        over = sum(row.octets for row in overspends(self.world, played.who))
        return f"{over} overspent, {played.over} by the model" if over != played.over else None

    # Helpers

    def _pick(self, fits: Callable[[Line], bool]) -> Line | None:
        found = [line for line in self.played.lines if fits(line) and not self._is_gone(line)]
        return self.rng.choice(found) if found else None

    def _is_gone(self, line: Line) -> bool:
        """Its NAS has ended it by now: nothing was heard while it was valid."""
        return line.state != "held" or self.now >= line.valid_until

    def _transmit(self, line: Line) -> None:
        used = self.rng.choice((0, 50, 300, 700, 2_000) if self.is_loose else (0, 50, 300, 700))
        room = used if line.able in UNLIMITED else max(line.granted - line.used, 0)
        if line.able == PPP:
            (row,) = [r for r in grants(self.world, self.played.who) if self._is(r, line)]
            line.received += min(used, max(row.limit_output_octets - line.received, 0))
            return
        used = min(used, room)
        line.sent += used // 4
        line.received += used - used // 4

    def _seconds(self, line: Line) -> int:
        assert line.began_at is not None
        return int((self.now - line.began_at).total_seconds())

    def _names(self, line: Line) -> dict[str, str]:
        return {
            "sid": f"{self.played.who.username}-{line.number}",
            "nas": line.nas,
            "calling_station": line.station,
            "session_class": line.tag,
        }

    def _reservation(self, line: Line) -> int:
        return int(line.tag.rsplit(":n", 1)[1])

    def _is(self, row: object, line: Line) -> bool:
        return bool(getattr(row, "reservation_id") == self._reservation(line))  # noqa: B009
