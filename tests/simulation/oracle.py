"""A slow model of the meter, written from the rules alone (U2-U7, U9, Q1, Q3, B4, P3, P6, P8, P14,
M6, C1).

It takes one record after the other, keeps every reading of every session and computes all of it
anew each time. It shares no code with the product. Units: seconds, octets, micros; None: absent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from tests.simulation.hours import Part, Tariff, Window, parts_of

START, STOP, INTERIM = 1, 2, 3
WRAP_OCTETS = 2**32
PLAUSIBLE_OCTETS_PER_SECOND = 125_000_000
START_ONLY_SLACK = timedelta(seconds=60)
"""Some NAS begin to count this much after their Start."""
CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far the clock of a NAS is believed (U6)."""
ENDLESS = 2**200
UNPAID = 0
"""The "package" that stands for what no package covers."""


SessionKey = tuple[str, str]
"""The NAS and its Acct-Session-Id."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One accounting record, as a NAS of ours sends it."""

    session_key: SessionKey
    status: int
    event_at: datetime
    arrived_at: datetime
    precise: bool
    seconds: int | None
    input_octets: int | None
    output_octets: int | None
    has_gigawords: bool

    @property
    def slack(self) -> timedelta:
        """How uncertain its event time is (U3)."""
        return timedelta(seconds=2 if self.precise else 60)

    @property
    def start_at(self) -> datetime | None:
        """When the session must have begun, None where the record does not tell."""
        seconds = 0 if self.seconds is None and self.status == START else self.seconds
        return None if seconds is None else self.event_at - timedelta(seconds=seconds)

    def bought_by(self, now: datetime) -> datetime:
        """The last instant at which a package was bought that can pay for it (Q1, U6)."""
        if now <= self.event_at:
            return self.event_at
        return min(now, self.event_at + CLOCK_TOLERANCE)


@dataclass(eq=False)
class Package:
    """A bought allowance (B2, B4) of a version of a plan; None in a quantity: not limited."""

    package_id: int
    version_id: int
    purchased_at: datetime
    valid_from: datetime | None
    valid_until: datetime | None
    minutes: int | None
    seconds_left: int | None
    octets_left: int | None
    follows: bool
    use_order: int
    """Lower ones are used first, whatever expires first (Q1)."""
    windows: tuple[Window, ...] = ()
    """Tariff windows of its version (Q3)."""
    told_seconds_left: int | None = None
    told_octets_left: int | None = None
    """Its customer wants to be told when no more than this is left (P6)."""
    ended: bool = False

    @property
    def is_low(self) -> bool:
        pairs = (
            (self.seconds_left, self.told_seconds_left),
            (self.octets_left, self.told_octets_left),
        )
        return any(left is not None and told is not None and left <= told for left, told in pairs)

    def begins(self, at: datetime) -> None:
        self.valid_from = at
        self.valid_until = None if self.minutes is None else at + timedelta(minutes=self.minutes)

    def active(self, at: datetime, begun_by: datetime | None = None) -> bool:
        """Begun (by `at` where nothing else is said), not over and not used up."""
        return (
            not self.ended
            and self.valid_from is not None
            and self.valid_from <= (begun_by or at)
            and (self.valid_until is None or self.valid_until > at)
        )


@dataclass(frozen=True)
class Plan:
    """A version of a plan (M6); no tariff: no pay-as-you-go."""

    version_id: int
    tariff: Tariff | None
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True)
class Usage:
    """Cumulative counters of a session, or what a record added to them."""

    seconds: int = 0
    input_octets: int = 0
    output_octets: int = 0

    def __sub__(self, other: Usage) -> Usage:
        return Usage(
            self.seconds - other.seconds,
            self.input_octets - other.input_octets,
            self.output_octets - other.output_octets,
        )

    @property
    def octets(self) -> int:
        return self.input_octets + self.output_octets


@dataclass(frozen=True)
class Line:
    """What one record did, as the journal has it (U11)."""

    session: int
    added: Usage
    micros: int
    outcome: str


@dataclass(eq=False)
class Session:
    """One session as it is known so far."""

    number: int
    session_key: SessionKey
    epoch: int
    started_at: datetime
    last_event_at: datetime
    readings: list[Reading] = field(default_factory=list)
    total: Usage = Usage()
    closed_at: datetime | None = None
    guessed: bool = False
    """Its end is what a restart of its NAS made us believe (U7)."""
    charged_micros: int = 0
    priced_by: int | None = None
    """The version of the plan that the next three were counted under (P3, M6)."""
    payg_seconds: int = 0
    payg_octets: int = 0
    payg_micros: int = 0
    segments: dict[tuple[int, str], Slice] = field(default_factory=lambda: defaultdict(Slice))
    """Cumulative usage in windows with prices of their own, by version and window (P3, Q3); its
    octets all stand in input_octets."""
    cut_at: datetime | None = None
    """When it was ordered to end (C1)."""

    def read(self, reading: Reading) -> Usage:
        """Take a reading in; what it adds (U4)."""
        self.readings.append(reading)
        before = self.total
        self.total = Usage(
            max((r.seconds for r in self.readings if r.seconds is not None), default=0),
            max(before.input_octets, self._counter("input_octets")),
            max(before.output_octets, self._counter("output_octets")),
        )
        return self.total - before

    def _counter(self, name: str) -> int:
        """The highest counter, wraps of a 32-bit one added in the order of session time (U4)."""
        known = [r for r in self.readings if getattr(r, name) is not None]
        if any(r.has_gigawords for r in self.readings):
            return max((getattr(r, name) for r in known), default=0)
        values = sorted((self._age(r), getattr(r, name)) for r in known)
        total, wraps = max((value for _, value in values[:1]), default=0), 0
        for (earlier, _), (later, value) in pairwise(values):
            unwrapped = value + wraps * WRAP_OCTETS
            plausible = max(later - earlier, 1) * PLAUSIBLE_OCTETS_PER_SECOND
            if unwrapped < total and unwrapped + WRAP_OCTETS - total <= plausible:
                wraps += 1
                unwrapped += WRAP_OCTETS
            total = max(total, unwrapped)
        return total

    def _age(self, reading: Reading) -> int:
        """The session time of a reading; where it is absent, that of its event."""
        if reading.seconds is not None:
            return reading.seconds
        return max(int((reading.event_at - self.started_at).total_seconds()), 0)


@dataclass
class Slice:
    seconds: int = 0
    input_octets: int = 0
    output_octets: int = 0
    micros: int = 0


@dataclass(frozen=True)
class Stretch:
    """What one package pays of a record: from (inclusive) and until (exclusive) on both axes.

    `payer` is None for what no package covers.
    """

    payer: Package | None
    s_from: int
    s_until: int
    o_from: int
    o_until: int

    @property
    def empty(self) -> bool:
        return self.s_until <= self.s_from and self.o_until <= self.o_from


@dataclass
class Exhaustion:
    """A subscription had nothing left; what was used all the same (Q4, P12)."""

    at: datetime
    packages: list[int]
    seconds: int = 0
    octets: int = 0
    of_wallet: bool = False
    micros: int = 0
    """What pay-as-you-go took past the limit of the wallet; time and octets of it are paid."""


SliceKey = tuple[int, date, str, int, int, str]
"""Number of the session, local day, kind, package (0: none), version of the plan, window."""


@dataclass(eq=False)
class Wallet:
    """What pays for pay-as-you-go on all subscriptions of one customer (P8)."""

    funds_micros: int
    """What may still be spent: posted balance and credit limit."""
    unposted_micros: int = 0
    accounts: list[Account] = field(default_factory=list)
    cap_micros: int | None = None
    cap_until: datetime | None = None
    """What usage may cost until an instant (P14)."""
    told_below_micros: int | None = None
    """Its customer wants to be told when less than this is there (P6)."""
    exhaustion: Exhaustion | None = None
    """The last one by usage."""

    def pays(self, now: datetime) -> bool:
        """Whether more may be used (P8, P14)."""
        limits = [self.funds_micros]
        if self.cap_micros is not None and self.cap_until is not None and now < self.cap_until:
            limits.append(self.cap_micros)
        return self.unposted_micros < min(limits)

    @property
    def is_low(self) -> bool:
        left = self.funds_micros - self.unposted_micros
        return self.told_below_micros is not None and left < self.told_below_micros


@dataclass(eq=False)
class Account:
    """One subscription; those of one customer share its wallet."""

    zone: ZoneInfo
    packages: list[Package]
    plan: Plan
    requires_package: bool
    wallet: Wallet
    suspended: bool = False
    looked_at: bool = False
    """Its customer was to be looked at by the sweep: to be told something, or as another package
    pays (P6, P8, Q2)."""
    sessions: list[Session] = field(default_factory=list)
    slices: dict[SliceKey, Slice] = field(default_factory=lambda: defaultdict(Slice))
    journal: list[Line] = field(default_factory=list)
    exhaustions: list[Exhaustion] = field(default_factory=list)
    _waited: list[Package] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.wallet.accounts.append(self)

    def charge(self, reading: Reading, now: datetime) -> None:
        """Take one record into the books."""
        session = self._session_of(reading)
        is_new = session is None
        if session is None:
            began = reading.start_at or reading.event_at
            number = len(self.sessions)
            key = reading.session_key
            epoch = 1 + sum(other.session_key == key for other in self.sessions)
            session = Session(number, key, epoch, began, reading.event_at)
            self.sessions.append(session)
            since = began
        else:
            since = min(session.last_event_at, reading.event_at)
        is_late = reading.event_at < session.last_event_at
        added = session.read(reading)
        if reading.start_at is not None:
            session.started_at = min(session.started_at, reading.start_at)
        session.last_event_at = max(session.last_event_at, reading.event_at)
        ends = session.closed_at is None and reading.status == STOP
        self._close(session, reading, session.total.seconds - added.seconds)

        first = next(iter(self._open(reading, since, now)), None)
        free = self.plan if first is None else first
        free_version = free.version_id
        windows = [one for one in free.windows if one.tariff is None]
        windows += [one for one in self.plan.windows if one.tariff is not None]
        parts = parts_of(self.zone, windows, since, reading.event_at, (added.seconds, added.octets))
        payers = self._spend(reading, since, now, _not_free(parts))
        prices = self._price(session, payers, parts)
        self._slice(session, payers, parts, added, prices, free_version)
        micros = sum(prices.values())
        self._exhaust_wallet(micros, reading)
        told = is_new or ends or added != Usage()
        outcome = ("late" if is_late else "counted") if told else "repeated"
        self.journal.append(Line(session.number, added, micros, outcome))
        if (self.requires_package or self.plan.tariff is not None) and self._has_changed(
            payers, reading, now
        ):
            self._chain(min(reading.event_at, now), now)
            if self.wallet.is_low or any(p.active(now) for p in self.packages):
                self.looked_at = True
            for account in self.wallet.accounts:
                if not account._served(now):
                    account._cut(now)
        if self.requires_package and self.plan.tariff is None:
            self._exhaust(payers, reading, now)
        if any(part.payer is not None and part.payer.is_low for part in payers):
            self.looked_at = True

    def _exhaust_wallet(self, micros: int, reading: Reading) -> None:
        """Note that the wallet is used up, and what this record cost past its limit (P12)."""
        wallet = self.wallet
        short = wallet.unposted_micros - wallet.funds_micros
        if micros == 0 or short < 0:
            return
        if short < micros or wallet.exhaustion is None:
            wallet.exhaustion = Exhaustion(reading.event_at, [], of_wallet=True)
            self.exhaustions.append(wallet.exhaustion)
        wallet.exhaustion.micros += min(micros, short)

    def _exhaust(self, payers: list[Stretch], reading: Reading, now: datetime) -> None:
        """Note that all is used up, and what this record used beyond (Q4)."""
        unpaid = [part for part in payers if part.payer is None]
        seconds = sum(part.s_until - part.s_from for part in unpaid)
        octets = sum(part.o_until - part.o_from for part in unpaid)
        own = [one for one in self.exhaustions if not one.of_wallet]
        known = {number for one in own for number in one.packages}
        used_up = [
            p.package_id
            for p in sorted(self.packages, key=lambda p: p.package_id)
            if 0 in (p.seconds_left, p.octets_left) and p.package_id not in known
        ]
        came_to_an_end = used_up and any(
            part.payer is not None and part.payer.package_id in used_up for part in payers
        )
        goes_on = any(
            not p.ended
            and (p.valid_until is None or p.valid_until > now)
            and (p.valid_from is None or p.valid_from <= now or p.follows)
            for p in self.packages
        )
        if not seconds + octets and (goes_on or not came_to_an_end):
            return
        if came_to_an_end or not own:
            self.exhaustions.append(Exhaustion(reading.event_at, used_up, seconds, octets))
            return
        before = [one for one in own if one.at <= reading.event_at]
        # Of two at one instant the one that was noted first.
        chosen = min(own, key=lambda one: one.at)
        if before:
            chosen = max(before, key=lambda one: one.at)
        chosen.seconds += seconds
        chosen.octets += octets

    def _has_changed(self, payers: list[Stretch], reading: Reading, now: datetime) -> bool:
        """Whether nothing lasts, or a package that paid has come to its end or has begun (B4)."""

        def lasts(package: Package) -> bool:
            is_active = package.active(reading.event_at, reading.bought_by(now))
            return is_active and package not in self._waited

        return not any(map(lasts, self.packages)) or any(
            part.payer is not None and not lasts(part.payer) for part in payers
        )

    def nas_restarted(self, nas: str, event_at: datetime) -> None:
        """Sessions of that NAS that began before ended at their last update (U7)."""
        for session in self.sessions:
            is_older = max(session.started_at, session.last_event_at) < event_at
            if session.session_key[0] == nas and session.closed_at is None and is_older:
                session.closed_at, session.guessed = session.last_event_at, True

    @staticmethod
    def _close(session: Session, reading: Reading, known: int) -> None:
        """A Stop ends it for good (U5); a guess is given up when a later record comes (U7)."""
        if session.closed_at is not None:
            goes_on = reading.status != START
            if reading.seconds is not None:
                goes_on = reading.seconds == session.total.seconds > known
            if not session.guessed or reading.event_at <= session.closed_at or not goes_on:
                return
            session.closed_at, session.guessed = None, False
        if reading.status == STOP:
            session.closed_at = reading.event_at

    # Which session (U3)

    def _session_of(self, reading: Reading) -> Session | None:
        """The last one of this id that began before the record, else the first; None: a new one."""
        same = [s for s in self.sessions if s.session_key == reading.session_key]
        if not same:
            return None
        limit = (reading.start_at or reading.event_at) + reading.slack
        earlier = [s for s in same if s.started_at <= limit]
        by_start = lambda s: s.started_at  # noqa: E731
        chosen = max(earlier, key=by_start) if earlier else min(same, key=by_start)
        if reading.event_at + reading.slack < chosen.started_at:
            return None
        slack = reading.slack
        if reading.status != START and not (chosen.total.seconds or chosen.total.octets):
            slack = START_ONLY_SLACK
        if reading.start_at is None or reading.start_at <= chosen.last_event_at + slack:
            return chosen
        resent_start = reading.status == START and not reading.precise and chosen.closed_at is None
        return chosen if resent_start else None

    # What pays (Q1, B4)

    def _open(self, reading: Reading, since: datetime, now: datetime) -> list[Package]:
        """Packages that may pay for this record, in the order of use."""
        found = []
        bought_by = reading.bought_by(now)
        for package in self.packages:
            if package.ended:
                continue
            if package.valid_until is not None and package.valid_until <= since:
                continue
            begun = package.valid_from is not None and package.valid_from <= bought_by
            may_begin = package.follows or package.valid_from is None
            if begun or (may_begin and package.purchased_at <= bought_by):
                found.append(package)
        never = datetime.max.replace(tzinfo=now.tzinfo)
        found.sort(
            key=lambda p: (
                self._waits(p, reading.event_at, now),
                p.use_order,
                p.valid_until or never,
                p.package_id,
            )
        )
        return found

    @staticmethod
    def _waits(package: Package, event_at: datetime, now: datetime) -> bool:
        return package.valid_from is None or package.valid_from > max(event_at, now)

    def _spend(
        self, reading: Reading, since: datetime, now: datetime, amounts: tuple[int, int]
    ) -> list[Stretch]:
        """Take seconds and octets from the packages; what paid for which part of them."""
        self._waited = []
        stretches = []
        s_done = o_done = 0
        seconds, octets = amounts
        for package in self._open(reading, since, now):
            s_room = ENDLESS if package.seconds_left is None else package.seconds_left
            o_room = ENDLESS if package.octets_left is None else package.octets_left
            s_until = min(seconds, s_done + s_room)
            o_until = min(octets, o_done + o_room)
            part = Stretch(package, s_done, s_until, o_done, o_until)
            waits = self._waits(package, reading.event_at, now)
            if waits:
                self._waited.append(package)
            if not part.empty:
                stretches.append(part)
                self._use(package, part, min(reading.event_at, now) if waits else None)
            s_done, o_done = s_until, o_until
        rest = Stretch(None, s_done, seconds, o_done, octets)
        return stretches if rest.empty else [*stretches, rest]

    @staticmethod
    def _use(package: Package, part: Stretch, begins_at: datetime | None) -> None:
        if begins_at is not None:
            package.begins(max(begins_at, package.purchased_at))
        if package.seconds_left is not None:
            package.seconds_left -= part.s_until - part.s_from
        if package.octets_left is not None:
            package.octets_left -= part.o_until - part.o_from
        package.ended = package.seconds_left == 0 or package.octets_left == 0

    # Where it is written down (U9, P3)

    def _price(self, session: Session, payers: list[Stretch], parts: list[Part]) -> dict[str, int]:
        """What the part that no package covers costs by window ('': outside of those with prices):
        steps count on the cumulative usage of session, version and window."""
        tariff = self.plan.tariff
        if tariff is None or not payers or payers[-1].payer is not None:
            return {}
        version = self.plan.version_id
        if session.priced_by != version:
            session.priced_by = version
            session.payg_seconds = session.payg_octets = session.payg_micros = 0
        charged: dict[str, int] = defaultdict(int)
        for part, seconds, octets, _ in _shares(payers[-1], parts):
            if part.window is None:
                session.payg_seconds += seconds
                session.payg_octets += octets
            else:
                segment = session.segments[version, part.window.name]
                segment.seconds += seconds
                segment.input_octets += octets
        price = tariff.micros(session.payg_seconds, session.payg_octets)
        charged[""] = price - session.payg_micros
        session.payg_micros = price
        for window in self.plan.windows:
            if window.tariff is not None:
                segment = session.segments[version, window.name]
                price = window.tariff.micros(segment.seconds, segment.input_octets)
                charged[window.name] += price - segment.micros
                segment.micros = price
        added = sum(charged.values())
        session.charged_micros += added
        self.wallet.unposted_micros += added
        return charged

    def _slice(
        self,
        session: Session,
        payers: list[Stretch],
        parts: list[Part],
        added: Usage,
        prices: dict[str, int],
        free_version: int,
    ) -> None:
        """Spread what was added over days, windows and what paid; a price is its last day's."""
        last_unpaid: dict[str, Slice] = {}

        def enter(key: SliceKey, seconds: int, o_from: int, o_until: int) -> Slice:
            entry = self.slices[key]
            octets, sent = added.octets, added.input_octets
            share = sent * o_until // octets - sent * o_from // octets if octets else 0
            entry.seconds += seconds
            entry.input_octets += share
            entry.output_octets += o_until - o_from - share
            return entry

        for part in parts:
            if part.is_free and (part.seconds or part.octets):
                assert part.window is not None
                where = (session.number, part.day, "free", UNPAID, free_version, part.window.name)
                enter(where, part.seconds, part.o_from, part.o_until)
        for payer in payers:
            for part, seconds, octets, o_from in _shares(payer, parts):
                kind, package, version = self._kind(payer.payer)
                name = part.window.name if part.window is not None and kind == "payg" else ""
                where = (session.number, part.day, kind, package, version, name)
                entry = enter(where, seconds, o_from, o_from + octets)
                if payer.payer is None:
                    last_unpaid[name] = entry
        for name, micros in prices.items():
            if micros:
                last_unpaid[name].micros += micros

    def _kind(self, payer: Package | None) -> tuple[str, int, int]:
        """Kind of a slice, the package and the version of the plan."""
        if payer is not None:
            return "entitlement", payer.package_id, payer.version_id
        kind = "overspend" if self.requires_package else "flat"
        return kind if self.plan.tariff is None else "payg", UNPAID, self.plan.version_id

    # Who goes on (B4, P8)

    def _served(self, now: datetime) -> bool:
        if any(p.active(now) for p in self.packages):
            return True
        if self.plan.tariff is not None:
            return self.wallet.pays(now)
        return not self.requires_package

    def _cut(self, now: datetime) -> None:
        """Order every running session to end, once. Who may connect suspended (B10) has been let
        into the suspended pool from then on: later sessions are left alone."""
        if self.requires_package or not self.suspended:
            for session in self.sessions:
                if session.closed_at is None and session.cut_at is None:
                    session.cut_at = now
        self.looked_at = self.looked_at or not self.suspended
        self.suspended = True

    def _chain(self, ended_at: datetime, now: datetime) -> None:
        """Begin or plan what waits, one after the other (B4)."""
        active = [p for p in self.packages if p.active(now)]
        never = datetime.max.replace(tzinfo=now.tzinfo)
        cursor = max((p.valid_until or never for p in active), default=ended_at)
        idle = not active
        for package in sorted(self.packages, key=lambda p: p.package_id):
            planned = package.valid_from is not None and package.valid_from > now
            waits = package.valid_from is None or (package.follows and planned)
            if package.ended or not waits or not (package.follows or idle):
                continue
            idle = False
            if cursor == never:
                package.valid_from = package.valid_until = None
            else:
                package.begins(max(cursor, package.purchased_at))
                cursor = package.valid_until or never


def _not_free(parts: list[Part]) -> tuple[int, int]:
    """Seconds and octets that packages and money pay for."""
    paid = [part for part in parts if not part.is_free]
    return sum(part.seconds for part in paid), sum(part.octets for part in paid)


def _shares(payer: Stretch, parts: list[Part]) -> Iterator[tuple[Part, int, int, int]]:
    """What a payer pays of each part: seconds, octets, and where these begin on the axis of all
    that the record added; payers count only what is not free."""
    s_done = o_done = 0
    for part in parts:
        if part.is_free:
            continue
        seconds = min(payer.s_until, s_done + part.seconds) - max(payer.s_from, s_done)
        o_from = max(payer.o_from, o_done)
        octets = min(payer.o_until, o_done + part.octets) - o_from
        if seconds > 0 or octets > 0:
            yield part, max(seconds, 0), max(octets, 0), part.o_from + o_from - o_done
        s_done += part.seconds
        o_done += part.octets
