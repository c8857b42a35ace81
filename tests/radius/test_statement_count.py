"""What a request costs the database, as pg_stat_statements counts it: one statement a batch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from itertools import count

import psycopg
import pytest
from sqlalchemy import func, select

from billing.model.plan import Sharing
from billing.services import pools
from billing.settings import Settings
from billing.store import tables
from rig import eapol
from rig.nas import NasSession, SimulatedNas
from rig.radius import RadiusServer
from tests.factories import DAY_PLAN, Factory, Subscriber
from tests.waiting import until

STATEMENTS = (
    "load_access_v1",
    "record_logins_v1",
    "admit_logins_v1",
    "charge_usage_v1",
    "acct_dead_letter",
)
# Not of a request: which NAS an address is, and which pools are ours, when what is known has grown
# old; plans made anew after 1, 2, 4, 8 … calls; that accounting is heard (rule U10).
HOUSEKEEPING = ("load_client_v1", "LEFT JOIN address_pool", "DISCARD PLANS", "hear_v1")
# Read by each process that decides, when it first needs it: plans, profiles, the operator.
READ_ONCE = ("FROM plan_version", "FROM billing_profile", "FROM operator")


class Counts:
    """Top-level statements of the hooks' role since the last reset."""

    def __init__(self, admin: psycopg.Connection) -> None:
        self._admin = admin

    def reset(self) -> None:
        self._admin.execute("SELECT pg_stat_statements_reset()")

    def taken(self) -> dict[str, int]:
        """Calls by what they call; a statement that is not known here under its own text."""
        found: dict[str, int] = {}
        for query, calls in self._calls():
            if any(known in query for known in HOUSEKEEPING + READ_ONCE):
                continue
            name = next((known for known in STATEMENTS if known in query), query)
            found[name] = found.get(name, 0) + calls
        return found

    def read_once(self) -> dict[str, int]:
        """Calls of what is to be read once a process."""
        return {
            known: sum(calls for query, calls in self._calls() if known in query)
            for known in READ_ONCE
        }

    def _calls(self) -> list[tuple[str, int]]:
        return self._admin.execute(
            "SELECT query, calls FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid"
            " WHERE r.rolname = 'tollway_radius' AND s.toplevel"
            " AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchall()

    def waiting_for_locks(self) -> int:
        (number,) = self._admin.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'tollway_radius'"
            " AND datname = current_database() AND wait_event_type = 'Lock'"
        ).fetchone()
        return number


@pytest.fixture(scope="module")
def counts(settings: Settings) -> Iterator[Counts]:
    dsn = settings.admin_dsn(settings.database_name)
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        yield Counts(admin)


def volley(nas: SimulatedNas, made: list[Subscriber]) -> None:
    """All of them log in at once."""
    with ThreadPoolExecutor(max_workers=len(made)) as pool:
        outcomes = list(pool.map(lambda s: nas.login(s.username, s.password), made))
    assert {outcome.result for outcome in outcomes} == {"accept"}


@pytest.fixture
def subscribers(
    counts: Counts, make: Factory, nas: SimulatedNas, now: datetime
) -> list[Subscriber]:
    """Twelve who can log in, with nothing left to be written behind the answers."""
    made = [make.subscriber(now) for _ in range(12)]
    for subscriber in made:
        make.package(subscriber, now, octets=10**9)
    nas.start(made[0].username)
    volley(nas, made)
    until(lambda: attempts(make, made) == len(made))
    return made


def test_what_does_not_change_is_read_once_a_process(
    counts: Counts, nas: SimulatedNas, subscribers: list[Subscriber]
) -> None:
    """One of radiusd and two that decide; a thread of each may come while another one reads."""
    counts.reset()
    for _ in range(20):
        volley(nas, subscribers)
    assert all(calls <= 6 for calls in counts.read_once().values())


def test_a_login_is_one_read_and_its_history_at_most_one_write(
    counts: Counts, make: Factory, nas: SimulatedNas, subscribers: list[Subscriber]
) -> None:
    before = attempts(make, subscribers)
    counts.reset()
    for subscriber in subscribers:
        assert nas.login(subscriber.username, subscriber.password).result == "accept"
        assert nas.login(subscriber.username, "wrong").result == "reject"
    until(lambda: attempts(make, subscribers) == before + 24)
    taken = counts.taken()
    assert taken.pop("load_access_v1") == 24
    # Written behind the answers, as many at once as have gathered.
    assert 1 <= taken.pop("record_logins_v1") <= 24
    assert taken == {}


@pytest.mark.rule("A1")
def test_a_login_that_takes_a_slot_and_an_address_is_one_write(
    counts: Counts, make: Factory, nas: SimulatedNas, now: datetime
) -> None:
    pools.add_pool(make.context, name="counted", ranges=["10.88.0.0/24"], now=now)
    plan = replace(DAY_PLAN, pool="counted")
    made = [make.subscriber(now, plan=plan, session_limit=1) for _ in range(12)]
    for subscriber in made:
        make.package(subscriber, now)
    first = made[0]
    until(lambda: nas.login(first.username, first.password).first("Framed-IP-Address"))
    counts.reset()
    for subscriber in made:
        assert nas.login(subscriber.username, subscriber.password).result == "accept"
    assert counts.taken() == {"load_access_v1": 12, "admit_logins_v1": 12}
    for _ in range(3):
        counts.reset()
        volley(nas, made)
        taken = counts.taken()
        assert set(taken) == {"load_access_v1", "admit_logins_v1"}
        assert all(1 <= calls <= 12 for calls in taken.values())


@pytest.mark.rule("Q4")
def test_a_login_that_takes_a_grant_is_one_write_and_its_reports_are_one_statement_each(
    counts: Counts, make: Factory, nas: SimulatedNas, now: datetime
) -> None:
    plan = replace(
        DAY_PLAN, octets=10**6, sharing=Sharing.STRICT, slice_octets=1_000, slice_seconds=600
    )
    made = [make.subscriber(now, plan=plan) for _ in range(4)]
    for subscriber in made:
        make.package(subscriber, now, octets=10**6)
    assert nas.login(made[0].username, made[0].password).result == "accept"
    counts.reset()
    sessions = [nas.begin(one.username, one.password) for one in made]
    assert counts.taken() == {
        "load_access_v1": 4,
        "admit_logins_v1": 4,
        "charge_usage_v1": 4,
    }
    counts.reset()
    for session in sessions:
        assert nas.interim(session, seconds=60, input_octets=100, output_octets=900)
        assert nas.stop(session)
    assert counts.taken() == {"charge_usage_v1": 8}


def test_an_eap_login_asks_once_however_many_rounds_it_takes(
    counts: Counts,
    make: Factory,
    nas: SimulatedNas,
    subscribers: list[Subscriber],
    radius: dict[str, RadiusServer],
) -> None:
    """The handshake and the proofs ask nobody (radius.md F10)."""
    methods: tuple[eapol.Method, ...] = ("peap", "ttls", "mschapv2")
    authority = radius["auth"].state_dir / "eap" / "ca.pem"
    before = attempts(make, subscribers)
    counts.reset()
    for number, method in enumerate(methods):
        name, password = subscribers[number].username, subscribers[number].password
        entered = eapol.Credentials(name, password, method, authority=authority)
        outcome = eapol.log_in(nas, entered)
        assert (outcome.result, len(outcome.answers) > 2) == ("accept", True)
    until(lambda: attempts(make, subscribers) == before + len(methods))
    taken = counts.taken()
    assert taken.pop("load_access_v1") == len(methods)
    assert 1 <= taken.pop("record_logins_v1") <= len(methods)
    assert taken == {}


def attempts(make: Factory, subscribers: list[Subscriber]) -> int:
    """How many logins under these names are in the history."""
    attempt = tables.LoginAttempt
    names = [subscriber.username for subscriber in subscribers]
    with make.context.transaction() as tx:
        chosen = select(func.count()).where(attempt.username.in_(names))
        return tx.scalar(chosen) or 0


def test_each_accounting_record_is_one_statement(
    counts: Counts, nas: SimulatedNas, subscribers: list[Subscriber]
) -> None:
    counts.reset()
    for subscriber in subscribers:
        session = nas.start(subscriber.username)
        assert nas.interim(session, seconds=60, input_octets=1, output_octets=2)
        assert nas.stop(session)
    assert counts.taken() == {"charge_usage_v1": 36}
    counts.reset()
    assert nas.account(NasSession(subscribers[0].username, "", ""), "Start")
    assert counts.taken() == {"acct_dead_letter": 1}


def test_records_that_use_up_what_was_bought_cost_no_more(
    counts: Counts, nas: SimulatedNas, subscribers: list[Subscriber]
) -> None:
    sessions = [nas.start(subscriber.username) for subscriber in subscribers]
    counts.reset()
    for session in sessions:
        assert nas.interim(session, seconds=60, input_octets=10**9, output_octets=10**9)
    assert counts.taken() == {"charge_usage_v1": 12}


def test_concurrent_requests_never_cost_more_than_one_statement_each(
    counts: Counts, nas: SimulatedNas, subscribers: list[Subscriber]
) -> None:
    sessions = [nas.start(subscriber.username) for subscriber in subscribers]
    counts.reset()
    with ThreadPoolExecutor(max_workers=12) as pool:
        outcomes = list(pool.map(lambda s: nas.login(s.username, s.password), subscribers))
        assert all(pool.map(lambda s: nas.account(s, "Interim-Update"), sessions))
    assert {outcome.result for outcome in outcomes} == {"accept"}
    taken = counts.taken()
    assert {"load_access_v1", "charge_usage_v1"} <= set(taken) <= set(STATEMENTS)
    assert all(1 <= calls <= 12 for calls in taken.values())


def test_what_waits_together_is_committed_together(
    counts: Counts, settings: Settings, nas: SimulatedNas, subscribers: list[Subscriber]
) -> None:
    """Each lane is held up by one record; all that arrives meanwhile shares statements."""
    nas.timeout_seconds = 0.5
    sessions = [nas.start(subscriber.username) for subscriber in subscribers]
    lanes = settings.acct_lanes
    stuck, others = subscribers[:lanes], sessions[lanes:]
    lock = "SELECT 1 FROM customer WHERE customer_id = ANY (%s) FOR UPDATE"
    sent = count()
    counts.reset()
    with (
        ThreadPoolExecutor(max_workers=12) as pool,
        psycopg.connect(settings.admin_dsn(settings.database_name)) as holder,
    ):
        holder.execute(lock, ([subscriber.customer_id for subscriber in stuck],))
        held = []
        for number, session in enumerate(sessions[:lanes], 1):
            held.append(pool.submit(nas.account, session, "Interim-Update", resends=20))
            until(lambda n=number: counts.waiting_for_locks() >= n)

        def send(session: NasSession) -> bool:
            next(sent)
            return nas.account(session, "Interim-Update", resends=20)

        waiting = [pool.submit(send, session) for session in others]
        until(lambda: next(sent) >= len(others))
        threading.Event().wait(0.3)  # for the packets to be read; a late one costs a statement
        holder.rollback()
        assert all(future.result(60) for future in held + waiting)
    taken = counts.taken()
    # An idle authentication server asks every ten seconds whether the database is there.
    assert {"charge_usage_v1"} <= set(taken) <= {"charge_usage_v1", "load_access_v1"}
    assert taken["charge_usage_v1"] < len(sessions)
