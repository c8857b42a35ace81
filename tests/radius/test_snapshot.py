"""Logins while the database is out, by what was last authorised (rule A8)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from billing.clock import utc_now
from billing.model.account import HoldBehaviour
from billing.model.commerce import MoneyChannel
from billing.model.decision import MESSAGES, Reason
from billing.model.plan import Starts
from billing.services import holds, sales
from billing.store import tables
from billing.store.snapshot import SnapshotFile
from rig.eapol import Credentials, Method, log_in
from rig.nas import SimulatedNas
from tests.factories import DAY_PLAN, MONTH_PLAN, MONTHLY, PASSWORD, Factory, Subscriber
from tests.radius.installation import Installation, installation
from tests.radius.outage import frozen
from tests.waiting import until

METHODS: list[Method] = ["peap", "ttls", "mschapv2"]
HOUR = replace(DAY_PLAN, outage_minutes=60)
MINUTE = replace(DAY_PLAN, outage_minutes=1)
UNAVAILABLE = ("reject", MESSAGES[Reason.UNAVAILABLE])
WRONG = ("reject", MESSAGES[Reason.BAD_PASSWORD])
MAC = "02-00-00-00-00-01"
OTHER_MAC = "02-00-00-00-00-02"


@pytest.fixture(scope="module")
def isp(product_copy: Path) -> Iterator[Installation]:
    with installation(product_copy) as made:
        yield made


@pytest.fixture
def make(isp: Installation) -> Factory:
    return isp.make


@pytest.fixture
def nas(isp: Installation) -> Iterator[SimulatedNas]:
    with isp.make.simulated_nas(utc_now(), **isp.ports) as made:
        made.timeout_seconds = 2.0
        yield made


@pytest.fixture
def out(isp: Installation) -> Iterator[None]:
    """Ends the outage that the test begins."""
    yield
    isp.cluster.start()


def login(
    nas: SimulatedNas, subscriber: Subscriber, password: str = PASSWORD, mac: str = MAC
) -> tuple[str, str]:
    outcome = nas.login(subscriber.username, password, calling_station=mac)
    return outcome.result, outcome.message


def subscriber_of(make: Factory, plan: object = HOUR, **more: object) -> Subscriber:
    subscriber = make.subscriber(utc_now(), plan=plan, **more)  # type: ignore[arg-type]
    make.package(subscriber, utc_now())
    return subscriber


def settled(isp: Installation) -> None:
    """The snapshot is written once a second."""
    path = isp.settings.snapshot_dir / "auth.db"
    written = path.stat().st_mtime_ns, path.with_name("auth.db-wal").stat().st_mtime_ns
    until(
        lambda: (
            written != (path.stat().st_mtime_ns, path.with_name("auth.db-wal").stat().st_mtime_ns)
        )
    )


def attempts(isp: Installation, subscriber: Subscriber) -> list[tuple[str, str]]:
    """Outcome and reason of the logins under this name, in order."""
    attempt = tables.LoginAttempt
    with isp.context.transaction() as tx:
        rows = tx.scalars(
            select(attempt).where(attempt.username == subscriber.username).order_by(attempt.at)
        )
        return [(row.outcome, row.reason) for row in rows]


@pytest.mark.rule("A8")
@pytest.mark.usefixtures("out")
def test_a_plan_that_allows_it_lets_known_subscribers_in_and_the_history_tells(
    isp: Installation, make: Factory, nas: SimulatedNas
) -> None:
    known, unseen = subscriber_of(make), subscriber_of(make)
    refuses = subscriber_of(make, DAY_PLAN)
    assert login(nas, known)[0] == login(nas, refuses)[0] == "accept"
    isp.cluster.stop()
    assert login(nas, known, "wrong") == WRONG
    granted = nas.login(known.username, PASSWORD)
    assert (granted.result, granted.message) == ("accept", "")
    # Neither past the validity (a day) nor past the hour that the plan allows.
    timeout = granted.first("Session-Timeout")
    assert isinstance(timeout, int) and 3500 < timeout <= 3600
    assert granted.first("Framed-Pool") == DAY_PLAN.pool
    assert login(nas, refuses) == UNAVAILABLE
    assert login(nas, unseen) == UNAVAILABLE
    assert "granted by the snapshot" in isp.log("radiusd-auth")
    isp.cluster.start()
    until(lambda: ("accept", "snapshot") in attempts(isp, known))
    assert ("reject", "bad-password") in attempts(isp, known)
    until(lambda: attempts(isp, refuses)[-1:] == [("reject", "unavailable")])
    assert login(nas, known)[0] == login(nas, unseen)[0] == "accept"
    until(lambda: attempts(isp, known)[-1:] == [("accept", "ok")])


@pytest.mark.rule("A8")
@pytest.mark.usefixtures("out")
def test_it_survives_a_restart_and_the_minutes_do_not_begin_again(
    isp: Installation, make: Factory, nas: SimulatedNas
) -> None:
    hour, minute = subscriber_of(make), subscriber_of(make, MINUTE)
    assert login(nas, hour)[0] == login(nas, minute)[0] == "accept"
    isp.cluster.stop()
    assert login(nas, minute)[0] == "accept"
    isp.radius["auth"].stop()
    path = isp.settings.snapshot_dir / "auth.db"
    # As if the outage had begun two minutes ago.
    file = SnapshotFile(path, print)
    file.put_fact("good_at", (utc_now() - timedelta(minutes=2)).isoformat())
    file.close()
    isp.radius["auth"].start()
    first = nas.login(hour.username, PASSWORD)
    assert first.result == "accept"
    timeout = first.first("Session-Timeout")
    assert isinstance(timeout, int) and timeout <= 58 * 60
    assert login(nas, minute) == UNAVAILABLE
    assert login(nas, hour, "wrong") == WRONG
    isp.cluster.start()
    # The lines of before the restart are not lost either.
    until(lambda: ("accept", "snapshot") in attempts(isp, minute))


@pytest.mark.rule("A8")
def test_a_killed_server_still_knows_whom_it_let_in(
    isp: Installation, make: Factory, nas: SimulatedNas, out: None
) -> None:
    subscriber = subscriber_of(make)
    assert login(nas, subscriber)[0] == "accept"
    settled(isp)
    isp.radius["auth"].kill()
    isp.cluster.stop()
    isp.radius["auth"].start()
    assert login(nas, subscriber)[0] == "accept"


@pytest.mark.rule("A8")
def test_a_database_that_hangs_is_not_waited_for_by_every_login(
    isp: Installation, make: Factory, nas: SimulatedNas
) -> None:
    subscriber = subscriber_of(make)
    assert login(nas, subscriber)[0] == "accept"
    nas.timeout_seconds = 15.0
    with frozen(isp):
        assert login(nas, subscriber)[0] == "accept"
        nas.timeout_seconds = 2.0
        for _ in range(10):
            assert login(nas, subscriber)[0] == "accept"
    until(
        lambda: (
            login(nas, subscriber)[0] == "accept"
            and attempts(isp, subscriber)[-1:] == [("accept", "ok")]
        ),
        every=0.5,
    )


@pytest.mark.rule("A8")
@pytest.mark.usefixtures("out")
def test_what_was_refused_stays_refused(
    isp: Installation, make: Factory, nas: SimulatedNas
) -> None:
    suspended = subscriber_of(make)
    walled = subscriber_of(make, replace(MONTH_PLAN, outage_minutes=60), profile=MONTHLY)
    assert login(nas, suspended)[0] == login(nas, walled)[0] == "accept"
    for subscriber, behaviour in (
        (suspended, HoldBehaviour.REJECT),
        (walled, HoldBehaviour.SUSPENDED_POOL),
    ):
        holds.suspend(
            isp.context,
            subscriber.subscription_id,
            note="test",
            now=utc_now(),
            behaviour=behaviour,
        )
    assert login(nas, suspended) == ("reject", MESSAGES[Reason.STAFF_SUSPENDED])
    assert login(nas, walled)[0] == "accept"
    isp.cluster.stop()
    assert login(nas, suspended) == UNAVAILABLE
    outcome = nas.login(walled.username, PASSWORD)
    assert (outcome.result, outcome.first("Framed-Pool")) == ("accept", "walled")


@pytest.mark.rule("A8")
@pytest.mark.rule("A7")
@pytest.mark.usefixtures("out")
def test_with_a_session_limit_only_the_station_of_the_last_login_gets_in(
    isp: Installation, make: Factory, nas: SimulatedNas
) -> None:
    subscriber = subscriber_of(make, session_limit=1)
    assert login(nas, subscriber)[0] == "accept"
    isp.cluster.stop()
    assert login(nas, subscriber)[0] == "accept"
    assert login(nas, subscriber, mac=OTHER_MAC) == UNAVAILABLE


@pytest.mark.rule("A4")
@pytest.mark.usefixtures("out")
def test_guessing_is_throttled_during_an_outage_too(
    isp: Installation, make: Factory, nas: SimulatedNas
) -> None:
    subscriber = subscriber_of(make)
    assert login(nas, subscriber)[0] == "accept"
    isp.cluster.stop()
    for number in range(10):
        assert login(nas, subscriber, f"guess {number}", OTHER_MAC) == WRONG
    assert login(nas, subscriber, mac=OTHER_MAC) == UNAVAILABLE
    assert login(nas, subscriber)[0] == "accept"


@pytest.mark.rule("A2")
@pytest.mark.usefixtures("out")
@pytest.mark.parametrize("method", METHODS)
def test_eap_goes_on_too(
    isp: Installation, make: Factory, nas: SimulatedNas, method: Method
) -> None:
    subscriber = subscriber_of(make)
    assert login(nas, subscriber)[0] == "accept"
    isp.cluster.stop()
    authority = isp.settings.state_dir / "eap" / "ca.pem"
    device = Credentials(subscriber.username, PASSWORD, method=method, authority=authority)
    assert log_in(nas, device).result == "accept"
    assert log_in(nas, replace(device, password="wrong")).result == "reject"
    isp.cluster.start()
    until(lambda: ("accept", "snapshot") in attempts(isp, subscriber))
    until(lambda: ("reject", "bad-password") in attempts(isp, subscriber))


@pytest.mark.rule("B2")
@pytest.mark.usefixtures("out")
def test_a_package_that_began_with_the_first_login_is_known_to_have_begun(
    isp: Installation, make: Factory, nas: SimulatedNas
) -> None:
    plan = replace(HOUR, starts=Starts.FIRST_LOGIN)
    begun, waiting = (make.subscriber(utc_now(), plan=plan) for _ in range(2))
    for subscriber in (begun, waiting):
        sales.sell(
            isp.context,
            subscriber.subscription_id,
            make.plan(utc_now(), plan),
            idempotency_key=f"first login of {subscriber.username}",
            now=utc_now(),
            pay_by=MoneyChannel.CASH,
        )
    assert login(nas, begun)[0] == "accept"
    assert login(nas, waiting, "wrong") == WRONG
    isp.cluster.stop()
    outcome = nas.login(begun.username, PASSWORD)
    assert outcome.result == "accept"
    # Its start must be written, so it has to wait.
    assert login(nas, waiting) == UNAVAILABLE


def test_no_password_is_in_the_snapshot(
    isp: Installation, make: Factory, nas: SimulatedNas
) -> None:
    subscriber = subscriber_of(make)
    assert login(nas, subscriber)[0] == "accept"
    settled(isp)
    for path in isp.settings.snapshot_dir.iterdir():
        content = path.read_bytes()
        assert PASSWORD.encode() not in content
        assert nas.secret not in content
        assert path.stat().st_mode & 0o077 == 0


def test_a_damaged_snapshot_is_begun_anew(
    isp: Installation, make: Factory, nas: SimulatedNas
) -> None:
    isp.radius["auth"].stop()
    path = isp.settings.snapshot_dir / "auth.db"
    path.write_bytes(b"not a database" * 1000)
    isp.radius["auth"].start()
    subscriber = subscriber_of(make)
    assert login(nas, subscriber)[0] == "accept"
    assert "begun anew" in isp.log("radiusd-auth")


def test_an_outage_does_not_fill_the_log(
    isp: Installation, make: Factory, nas: SimulatedNas, out: None
) -> None:
    """One line when it begins, then a summary every ten seconds."""
    subscriber = subscriber_of(make, DAY_PLAN)
    assert login(nas, subscriber)[0] == "accept"
    session = nas.start(subscriber.username)
    nas.timeout_seconds = 0.2
    before = [isp.log(f"radiusd-{kind}").count("\n") for kind in ("auth", "acct")]
    isp.cluster.stop()
    for _ in range(30):
        assert login(nas, subscriber) == UNAVAILABLE
        assert not nas.account(session, "Interim-Update", resends=0)
    threading.Event().wait(0.5)
    for kind, lines in zip(("auth", "acct"), before, strict=True):
        added = isp.log(f"radiusd-{kind}").splitlines()[lines:]
        told = [line for line in added if "tollway:" in line or "RLM_MODULE" in line]
        assert 0 < len(told) < 10, told
