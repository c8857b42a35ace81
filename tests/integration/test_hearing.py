"""What was not heard during an outage of ours is not silence (rules A6, A7, U7, U10)."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from billing.services import silence
from billing.services.context import Context
from billing.settings import Settings
from billing.store.admission import admit_logins
from billing.store.hotpath import hear
from tests.integration.meter_world import MeterWorld, at, start
from tests.integration.test_leases import Pool
from tests.integration.test_slots import LAPTOP, PHONE, SILENCE, served, verified

LONG = 4000
"""An outage of more than the time that a session may be silent."""


@pytest.fixture(autouse=True)
def heard(world: MeterWorld, settings: Settings) -> Iterator[None]:
    """Accounting is heard until 60; then nothing, until a test says so."""
    for second in (0, 30, 60):
        hear(world.lane, at(second))
    yield
    with psycopg.connect(settings.admin_dsn(settings.database_name)) as admin:
        admin.execute("DELETE FROM hearing")
        admin.execute("UPDATE live_session SET closed_at = last_event_at WHERE closed_at IS NULL")


def keep_hearing(world: MeterWorld, first: int, last: int) -> None:
    for second in range(first, last + 1, 30):
        hear(world.lane, at(second))


@pytest.mark.rule("A6")
def test_no_address_goes_to_somebody_else_because_its_session_could_not_be_heard(
    world: MeterWorld, context: Context
) -> None:
    pool = Pool(world, context, 1)
    owner, other = served(world), served(world)
    address = pool.take(at(0), owner)
    world.charge(start(owner, at(1), framed_ip=address))
    # The database is back, and the accounting server is not yet.
    assert pool.take(at(LONG), other) is None
    keep_hearing(world, LONG, LONG + SILENCE)
    assert pool.take(at(LONG + SILENCE - 1), other) is None
    # Now it would have been heard.
    assert pool.take(at(LONG + SILENCE), other) == address


@pytest.mark.rule("A7")
def test_a_slot_is_held_by_a_session_that_could_not_be_heard(world: MeterWorld) -> None:
    who = served(world)

    def reason(second: int) -> str:
        login = verified(who, LAPTOP)
        return admit_logins(world.lane, [login], at(second))[0].reason

    world.charge(start(who, at(1), calling_station=PHONE))
    assert reason(LONG) == "too-many-sessions"
    keep_hearing(world, LONG, LONG + SILENCE)
    assert reason(LONG + SILENCE - 1) == "too-many-sessions"
    assert reason(LONG + SILENCE) == "ok"


@pytest.mark.rule("U10")
def test_nobody_is_reaped_before_he_could_report(world: MeterWorld, context: Context) -> None:
    who = served(world)
    world.charge(start(who, at(1)))
    assert silence.reap(context, at(LONG)) == 0
    keep_hearing(world, LONG, LONG + SILENCE)
    assert silence.reap(context, at(LONG + SILENCE - 1)) == 0
    assert silence.reap(context, at(LONG + SILENCE)) == 1


@pytest.mark.rule("U10")
def test_a_restart_of_less_than_a_minute_is_no_break(world: MeterWorld, context: Context) -> None:
    who = served(world)
    world.charge(start(who, at(1)))
    keep_hearing(world, 119, 1 + SILENCE)
    assert silence.reap(context, at(1 + SILENCE)) == 1


@pytest.mark.rule("U10")
def test_while_nobody_listens_nobody_is_silent(world: MeterWorld, context: Context) -> None:
    who = served(world)
    world.charge(start(who, at(1)))
    assert silence.reap(context, at(10 * LONG)) == 0
    assert world.session(who).closed_at is None


def test_a_clock_that_goes_back_is_no_break(world: MeterWorld) -> None:
    hear(world.lane, at(10))
    (row,) = world.rows("SELECT since, last_at FROM hearing")
    assert (row.since, row.last_at) == (None, at(60))
