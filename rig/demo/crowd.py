"""Everybody else at the demo's ISP: past usage by the real meter, and sessions that go on."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from billing.errors import NotFound
from billing.model.events import AccountingRecord, Status
from billing.services import customers, holds, metering, upkeep
from billing.services.context import Context
from billing.settings import Settings
from billing.store.hotpath import HotConnection
from rig.demo.isp import ROUTER_ADDRESS, Isp, add_debtor, add_person, sell
from rig.nas import NasSession, SimulatedNas

_NAMES = (
    *("Amina Diallo", "Bruno Costa", "Chen Wei", "Dana Novak", "Esther Okafor", "Farid Hassan"),
    *("Greta Lind", "Hugo Martin", "Ines Duarte", "Jamal Reed", "Keiko Tanaka", "Lars Berg"),
    *("Maya Patel", "Nadia Rossi", "Omar Said", "Paula Vega", "Quentin Roy", "Rosa Lima"),
    *("Samir Aziz", "Tessa Jones", "Umar Khan", "Vera Popova", "Wanjiru Mwangi", "Xavier Gil"),
    *("Yara Haddad", "Zoe Clark", "Adil Benali", "Bianca Moreau", "Carlos Pinto", "Deniz Kaya"),
)
_SESSION_HOURS = (2, 9, 26, 31, 50, 74, 98)
"""How many hours ago past sessions began; those before somebody's purchase are left out."""


def add_crowd(context: Context, settings: Settings, isp: Isp, now: datetime) -> int:
    """Thirty subscribers in every state, with the usage of some days; returns how many are new."""
    dice = random.Random(7)
    added = 0
    upkeep.ensure_partitions(context, now - timedelta(hours=max(_SESSION_HOURS)))
    with _lane(settings) as lane:
        for number, name in enumerate(_NAMES):
            username = name.lower().replace(" ", ".")
            days_ago = 1 + dice.randrange(5)
            if _known(context, username):
                continue
            home = replace(context, home_org_id=isp.orgs[number % 7 % len(isp.orgs)])
            _add(home, isp, lane, number, (name, username), days_ago, now)
            added += 1
    return added


def _add(
    context: Context,
    isp: Isp,
    lane: HotConnection,
    number: int,
    named: tuple[str, str],
    days_ago: int,
    now: datetime,
) -> None:
    """Of ten people six have a package, one's has expired, one bought none, two pay monthly."""
    name, username = named
    bought = now - timedelta(days=days_ago, hours=3)
    match number % 10:
        case 3 if number > 10:
            add_debtor(context, isp, name, username, now)
            return
        case 3 | 8:
            person = add_person(context, name, username, isp.monthly, isp.home, bought)
            sell(context, person.subscription_id, isp.home, bought)
        case 5:
            add_person(context, name, username, isp.daily, None, bought)
            return
        case 7:
            bought = now - timedelta(days=9)
            person = add_person(context, name, username, isp.daily, None, bought)
            sell(context, person.subscription_id, isp.week, bought)
        case _:
            person = add_person(context, name, username, isp.daily, None, bought)
            sell(context, person.subscription_id, isp.week, bought)
    for hours in _SESSION_HOURS:
        began = now - timedelta(hours=hours)
        if began > bought and number % 10 != 7:
            _past_session(lane, username, began, 1200 + 160 * (number + hours) % 5400)
    if number == 4:
        holds.pause(context, person.subscription_id, now)
    if number == 14:
        holds.suspend(context, person.subscription_id, note="address to be confirmed", now=now)


@dataclass
class Traffic:
    """Sessions of the crowd at the played router; each tick adds the time and data since."""

    router: SimulatedNas
    sessions: list[tuple[NasSession, datetime]] = field(default_factory=list)

    def begin(self, context: Context, now: datetime) -> int:
        """Log in who may, about a dozen; returns how many are online."""
        for number, name in enumerate(_NAMES):
            if number % 10 not in (0, 1, 6, 8):
                continue
            username = name.lower().replace(" ", ".")
            subscription_id = customers.subscription_id_of(context, username)
            password = secrets.token_urlsafe(12)
            customers.set_password(context, subscription_id, password, now)
            station = f"02-42-0A-00-00-{number:02X}"
            outcome = self.router.login(username, password, calling_station=station)
            if outcome.result == "accept":
                session = self.router.start(
                    username,
                    calling_station=station,
                    framed_ip=f"10.20.0.{number + 10}",
                    session_class=outcome.first("Class"),
                )
                self.sessions.append((session, now))
        return len(self.sessions)

    def tick(self, now: datetime) -> None:
        """An Interim-Update of every session that is still open."""
        for number, (session, began) in enumerate(self.sessions):
            if session.open:
                seconds = int((now - began).total_seconds())
                rate = 90_000 + 45_000 * (number % 5)
                self.router.interim(
                    session,
                    seconds=seconds,
                    input_octets=seconds * rate // 9,
                    output_octets=seconds * rate,
                )

    def end(self) -> None:
        """Everybody logs out."""
        for session, _ in self.sessions:
            if session.open:
                self.router.stop(session)


def _known(context: Context, username: str) -> bool:
    try:
        customers.subscription_id_of(context, username)
    except NotFound:
        return False
    return True


@contextmanager
def _lane(settings: Settings) -> Iterator[HotConnection]:
    lane = HotConnection(
        settings.dsn("radius"),
        statement_timeout_ms=settings.statement_timeout_ms,
        lock_timeout_ms=settings.lock_timeout_ms,
    )
    try:
        yield lane
    finally:
        lane.close()


def _past_session(lane: HotConnection, username: str, began: datetime, seconds: int) -> None:
    """Start, an interim and Stop through the meter, each at its own time."""
    for status, spent in (
        (Status.START, 0),
        (Status.INTERIM, seconds // 2),
        (Status.STOP, seconds),
    ):
        at = began + timedelta(seconds=spent)
        record = AccountingRecord(
            status=status,
            username=username,
            sent_username=username,
            nas_address=ROUTER_ADDRESS,
            acct_session_id=f"{began:%m%d%H%M}{username[:8]}",
            arrived_at=at,
            event_at=at,
            precise_time=True,
            session_seconds=spent,
            input_octets=spent * 30_000,
            output_octets=spent * 260_000,
            has_gigawords=True,
            framed_ip="10.20.1.7",
            terminate_cause="User-Request" if status is Status.STOP else None,
        )
        metering.meter_batch(lane, [metering.prepare(record)], at)
