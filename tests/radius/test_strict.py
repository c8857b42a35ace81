"""Fifty sessions that drain one allowance through real FreeRADIUS, strict and shared (rule Q4).

The NAS obeys what came over the wire and nothing else; what went over its lines is counted there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from billing.model.decision import MESSAGES, Reason
from billing.model.network import Vendor
from billing.model.plan import PlanTerms, Sharing
from billing.store import tables
from rig import eapol
from rig.nas import SimulatedNas
from rig.radius import RadiusServer
from tests.factories import DAY_PLAN, Factory, Subscriber
from tests.radius.draining import CHILLI, PPP, REPORT_TICKS, DrainingNas
from tests.radius.sending import sending

DEVICES = 50
ALLOWANCE = 150_000_017
SHARED = replace(DAY_PLAN, interim_seconds=60)
STRICT = replace(
    SHARED, octets=ALLOWANCE, sharing=Sharing.STRICT, slice_octets=2_000_000, slice_seconds=3600
)
RATES = [5_000 + 900 * number for number in range(DEVICES)]
"""Octets a tick: some use up a slice between two reports, some in several."""
CUT_WITHIN_TICKS = 600
"""Ten seconds of the devices; without orders they run for ever."""


@pytest.fixture(scope="module")
def radius_threads() -> int:
    return 32


@contextmanager
def played(
    make: Factory, radius: dict[str, RadiusServer], now: datetime, vendor: Vendor
) -> Iterator[SimulatedNas]:
    ports = {"auth_port": radius["auth"].port, "acct_port": radius["acct"].port}
    with make.simulated_nas(now, vendor=vendor, **ports) as nas:
        nas.resends = 20
        yield nas


def buyer(make: Factory, now: datetime, plan: PlanTerms, octets: int = ALLOWANCE) -> Subscriber:
    subscriber = make.subscriber(now, plan=plan)
    make.package(subscriber, now, octets=octets, valid_for=timedelta(days=1))
    return subscriber


def stored(make: Factory, subscriber: Subscriber) -> tuple[int, int, int]:
    """Octets left, octets overspent, and octets that reservations hold."""
    bought, over, held = tables.Entitlement, tables.Overspend, tables.Reservation
    with make.context.transaction() as tx:
        return (
            tx.scalars(
                select(bought.octets_left).where(
                    bought.subscription_id == subscriber.subscription_id
                )
            ).one()
            or 0,
            int(
                tx.scalar(
                    select(func.sum(over.octets)).where(
                        over.subscription_id == subscriber.subscription_id
                    )
                )
                or 0
            ),
            int(
                tx.scalar(
                    select(func.count()).where(
                        held.subscription_id == subscriber.subscription_id, held.state == "held"
                    )
                )
                or 0
            ),
        )


@pytest.mark.rule("Q4", "A2")
@pytest.mark.parametrize("method", ["pap", "chap", "mschapv2", "peap", "ttls"])
def test_every_method_of_login_gets_the_limits_of_a_grant(
    make: Factory, radius: dict[str, RadiusServer], now: datetime, method: str
) -> None:
    subscriber = buyer(make, now, replace(STRICT, slice_octets=5 * 2**30, octets=2**40), 2**40)
    with played(make, radius, now, Vendor.CHILLI) as nas:
        if method in ("peap", "ttls"):
            authority = radius["auth"].state_dir / "eap" / "ca.pem"
            entered = eapol.Credentials(
                *(subscriber.username, subscriber.password, method), authority=authority
            )
            told = dict(eapol.log_in(nas, entered).attributes)
        else:
            told = nas.login(subscriber.username, subscriber.password, method=method).attributes
    assert told["ChilliSpot-Max-Total-Gigawords"] == [1]
    assert told["ChilliSpot-Max-Total-Octets"] == [2**30]
    assert told["Session-Timeout"] == [3600]
    (named,) = told["Class"]
    assert named.startswith(f"tw1:{subscriber.subscription_id}:n".encode())


@pytest.mark.rule("Q4", "A3")
def test_a_wrong_password_holds_nothing_and_who_finds_nothing_left_is_told(
    make: Factory, radius: dict[str, RadiusServer], now: datetime
) -> None:
    subscriber = buyer(make, now, STRICT, 3_000_000)
    with played(make, radius, now, Vendor.CHILLI) as nas:
        assert nas.login(subscriber.username, "wrong").result == "reject"
        given = [nas.login(subscriber.username, subscriber.password) for _ in range(3)]
    assert [one.result for one in given] == ["accept", "accept", "reject"]
    assert [one.first("ChilliSpot-Max-Total-Octets") for one in given[:2]] == [2_000_000, 1_000_000]
    assert given[2].message == MESSAGES[Reason.ALLOWANCE_IN_USE]


@pytest.mark.rule("Q4")
def test_strict_sessions_use_all_and_not_an_octet_more(
    make: Factory, radius: dict[str, RadiusServer], now: datetime
) -> None:
    subscriber = buyer(make, now, STRICT)
    with played(make, radius, now, Vendor.CHILLI) as nas, sending(make.context):
        drained = DrainingNas(nas, CHILLI, allowance=ALLOWANCE)
        drained.drain(subscriber.username, subscriber.password, RATES)
    assert drained.transmitted == ALLOWANCE
    assert stored(make, subscriber) == (0, 0, 0)
    # Both ways to another slice were taken: by CoA, and by logging in again.
    assert drained.changes > 0
    assert len(drained.lines) > DEVICES


@pytest.mark.rule("Q4")
def test_strict_sessions_of_a_router_that_limits_each_direction(
    make: Factory, radius: dict[str, RadiusServer], now: datetime
) -> None:
    subscriber = buyer(make, now, STRICT)
    with played(make, radius, now, Vendor.MIKROTIK) as nas, sending(make.context):
        drained = DrainingNas(nas, PPP, allowance=ALLOWANCE, extra={"Framed-Protocol": "PPP"})
        drained.drain(subscriber.username, subscriber.password, RATES)
    assert ALLOWANCE - 1 <= drained.transmitted <= ALLOWANCE
    left, overspent, held = stored(make, subscriber)
    assert (left, overspent, held) == (ALLOWANCE - drained.transmitted, 0, 0)
    assert drained.changes > 0


@pytest.mark.rule("Q4")
def test_overspend_of_shared_sessions_is_bounded_and_measured(
    make: Factory, radius: dict[str, RadiusServer], now: datetime
) -> None:
    subscriber = buyer(make, now, SHARED)
    with played(make, radius, now, Vendor.CHILLI) as nas, sending(make.context):
        drained = DrainingNas(nas, CHILLI, allowance=ALLOWANCE)
        drained.drain(subscriber.username, subscriber.password, RATES)
    overspent = drained.transmitted - ALLOWANCE
    assert overspent > 0
    assert stored(make, subscriber) == (0, overspent, 0)
    # Whoever still ran was cut, and soon.
    running = [line for line in drained.lines if line.ticks_since_exhaustion]
    assert running
    assert all(line.cut for line in running)
    assert max(line.ticks_since_exhaustion for line in running) <= CUT_WITHIN_TICKS
    # Of each session: the interval that was not reported yet, those whose reports were under way,
    # and what it did until it was cut.
    bound = sum(
        line.rate * (REPORT_TICKS * (1 + line.reports_under_way) + 1 + line.ticks_since_exhaustion)
        for line in drained.lines
    )
    assert overspent <= bound
