"""The database is killed while logins take slots and addresses: nobody too many, nothing shared."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from billing.clock import utc_now
from billing.model.decision import MESSAGES, Reason
from billing.services import pools
from billing.store import tables
from rig.nas import NasSession, SimulatedNas
from tests.factories import DAY_PLAN, Subscriber
from tests.radius.installation import Installation, installation
from tests.waiting import until

KILLS = 3
LIMIT = 10
ADDRESSES = 14
STATIONS = 60
TRIES = 40


@pytest.fixture
def isp(product_copy: Path) -> Iterator[Installation]:
    with installation(product_copy) as made:
        yield made


@pytest.fixture
def nas(isp: Installation) -> Iterator[SimulatedNas]:
    with isp.make.simulated_nas(utc_now(), **isp.ports) as made:
        made.timeout_seconds, made.resends = 1.0, 0
        yield made


class Crowd:
    """Devices of one subscriber that all want to go online, again and again until they may."""

    def __init__(self, nas: SimulatedNas, subscriber: Subscriber) -> None:
        self.nas, self.subscriber = nas, subscriber
        self.accepted: list[str] = []
        self.tries = 0

    def device(self, number: int) -> str:
        """Its address; the reason where it is refused for good."""
        station = f"02-00-00-00-01-{number:02X}"
        for _ in range(TRIES):
            self.tries += 1
            outcome = self.nas.login(
                self.subscriber.username, self.subscriber.password, calling_station=station
            )
            if outcome.result == "accept":
                address = str(outcome.first("Framed-IP-Address"))
                self.accepted.append(address)
                self._start(station, address)
                return address
            if outcome.message == MESSAGES[Reason.TOO_MANY_SESSIONS]:
                break
        return outcome.message

    def _start(self, station: str, address: str) -> None:
        session = NasSession(
            username=self.subscriber.username,
            acct_session_id=secrets.token_hex(8),
            calling_station=station,
            framed_ip=address,
        )
        assert self.nas.account(session, "Start", resends=60)


@pytest.mark.rule("A6", "A7")
def test_kills_of_the_database_in_the_middle_of_logins_let_in_nobody_too_many(
    isp: Installation, nas: SimulatedNas
) -> None:
    make, now = isp.make, utc_now().replace(microsecond=0)
    pools.add_pool(make.context, name="ours", ranges=[f"10.79.0.1-10.79.0.{ADDRESSES}"], now=now)
    plan = replace(DAY_PLAN, pool="ours")
    known = make.subscriber(now, plan=plan)
    make.package(known, now)
    until(lambda: nas.login(known.username, known.password).first("Framed-IP-Address"))
    for _ in range(KILLS):
        subscriber = make.subscriber(now, plan=plan, session_limit=LIMIT)
        make.package(subscriber, now)
        crowd = Crowd(nas, subscriber)
        with ThreadPoolExecutor(16) as threads:
            answers = [threads.submit(crowd.device, number) for number in range(STATIONS)]
            until(lambda: crowd.accepted)  # noqa: B023
            isp.cluster.kill()
            isp.cluster.start()
            ended = [answer.result() for answer in answers]
        # Who was let in but not told so holds his place for a minute, unless he asks again.
        assert 0 < len(crowd.accepted) <= LIMIT
        assert len(set(crowd.accepted)) == len(crowd.accepted)
        told = set(ended) - set(crowd.accepted)
        assert told <= {MESSAGES[Reason.TOO_MANY_SESSIONS], MESSAGES[Reason.UNAVAILABLE]}
        session = tables.LiveSession
        with make.context.transaction() as tx:
            chosen = select(func.count()).where(
                session.subscription_id == subscriber.subscription_id
            )
            assert tx.scalar(chosen) == len(crowd.accepted)
            # The next round has the addresses again.
            tx.execute(update(session).values(closed_at=session.last_event_at))
