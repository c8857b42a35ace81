"""Closed sessions move into the history when no late record can reach them, exactly once (U11)."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from billing.jobs import history as job
from billing.services import coa, evidence, history, subscribers
from billing.services.context import Context
from billing.services.history import Retention
from billing.settings import Settings
from billing.store import history as store
from tests.integration.meter_world import (
    T0,
    Metered,
    MeterWorld,
    Pack,
    at,
    interim,
    new_id,
    start,
    stop,
)

HOUR = 3_600
WINDOW = 24 * HOUR + 600
MONTH = 31 * 24 * HOUR


@pytest.fixture
def admin(settings: Settings) -> Iterator[psycopg.Connection]:
    with psycopg.connect(settings.admin_dsn(settings.database_name), autocommit=True) as db:
        yield db


@pytest.fixture(autouse=True)
def nothing_else(world: MeterWorld, admin: psycopg.Connection) -> None:
    """Sessions of other tests are gone; no server has ever said that it hears."""
    world.set_zone("UTC")
    world.db.execute("DELETE FROM live_session")
    admin.execute("DELETE FROM hearing")


def moved(world: MeterWorld, who: Metered) -> list[Any]:
    """Its sessions in the history."""
    return world.rows(
        "SELECT tableoid::regclass::text AS part, * FROM session_history WHERE customer_id = %s"
        " ORDER BY session_id",
        who.customer_id,
    )


def one_session(world: MeterWorld, seconds: int = HOUR) -> tuple[Metered, str]:
    """A session from T0 on, with its Stop."""
    who, sid = world.customer([Pack()]), new_id()
    world.charge(
        start(who, at(0), sid=sid), interim(who, at(seconds / 2), seconds // 2, 5, 7, sid=sid)
    )
    world.charge(stop(who, at(seconds), seconds, 10, 20, sid=sid))
    return who, sid


@pytest.mark.rule("U11")
def test_it_moves_when_no_late_record_can_come(world: MeterWorld, context: Context) -> None:
    who, _ = one_session(world)
    (before,) = world.sessions(who)
    out_of_reach = at(HOUR + WINDOW + HOUR)
    assert history.move_closed_sessions(context, out_of_reach) == 0
    assert history.move_closed_sessions(context, out_of_reach + timedelta(seconds=1)) == 1
    assert world.sessions(who) == []
    (after,) = moved(world, who)
    assert after.part == "session_history_p202603"
    assert {name: getattr(after, name) for name in before._fields} == before._asdict()
    assert history.move_closed_sessions(context, out_of_reach + timedelta(days=9)) == 0


def test_every_column_moves(admin: psycopg.Connection) -> None:
    """A column that is added to sessions later must not be forgotten."""
    (source,) = admin.execute(
        "SELECT prosrc FROM pg_proc WHERE proname = 'move_closed_sessions_v1'"
    ).fetchall()[0]
    named = set(re.findall(r"\bg\.(\w+)", source))
    for table in ("live_session", "session_history"):
        columns = admin.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s", (table,)
        )
        assert {name for (name,) in columns} == named


@pytest.mark.rule("U11")
def test_evidence_reads_both_tables(world: MeterWorld, context: Context) -> None:
    who, sid = one_session(world)
    later = at(HOUR + WINDOW + 2 * HOUR)
    history.move_closed_sessions(context, later)
    world.charge(start(who, later, sid=new_id()))
    assert not evidence.rerate(context, sid, who.username).differences
    page = evidence.session_page(context, sid)
    assert (page.session.seconds, page.session.closed_at) == (HOUR, at(HOUR))
    shown = subscribers.sessions_of(context, who.subscription_id, later, open_only=False, limit=10)
    assert [one.acct_session_id == sid for one in shown] == [False, True]
    story = evidence.dispute(context, who.username, T0.date(), later.date())
    assert (len(story.sessions), story.seconds) == (2, HOUR)


@pytest.mark.rule("C1", "U11")
def test_an_order_names_a_session_that_was_moved(world: MeterWorld, context: Context) -> None:
    who, sid = world.customer([Pack(seconds=HOUR)]), new_id()
    world.charge(start(who, at(0), sid=sid), interim(who, at(HOUR), HOUR, 5, 7, sid=sid))
    world.charge(stop(who, at(HOUR + 1), HOUR + 1, 5, 7, sid=sid))
    (order,) = world.orders(who)
    assert history.move_closed_sessions(context, at(WINDOW + 3 * HOUR)) == 1
    shown = coa.get_order(context, order.intent_id)
    assert (shown.acct_session_id, shown.running) == (sid, False)


@pytest.mark.rule("U2", "U3", "U11")
@pytest.mark.parametrize("seconds", [0, 60, HOUR, 30 * HOUR])
def test_the_meter_does_not_notice_the_move(
    world: MeterWorld, context: Context, seconds: int
) -> None:
    """The soonest record after the move does the same to a session that was not moved."""
    (kept, kept_sid), (gone, gone_sid) = (one_session(world, 30 * HOUR) for _ in range(2))
    due = at(30 * HOUR + WINDOW + 30 * HOUR + 1)

    def late(who: Metered, sid: str) -> None:
        # As the hook gives it: clamped to 24 hours before its arrival (rule U6).
        event_at = due - timedelta(hours=24)
        world.charge(
            stop(who, event_at, seconds, 10, 20, sid=sid, arrived_at=due, precise=False), now=due
        )

    late(kept, kept_sid)
    assert history.move_closed_sessions(context, due) == 2
    late(gone, gone_sid)

    def told(who: Metered) -> list[tuple[Any, ...]]:
        return [
            (one.started_at, one.session_seconds, one.input_octets, one.closed_at)
            for one in (*moved(world, who), *world.sessions(who))
        ]

    assert told(kept) == told(gone)
    assert [e.seconds_left for e in world.entitlements(kept)] == [
        e.seconds_left for e in world.entitlements(gone)
    ]


@pytest.mark.rule("U10", "U11")
def test_an_end_that_was_guessed_is_waited_for(world: MeterWorld, context: Context) -> None:
    who, sid = world.customer([Pack()]), new_id()
    world.charge(start(who, at(0), sid=sid), interim(who, at(600), 600, 5, 7, sid=sid))
    world.db.execute(
        "UPDATE live_session SET closed_at = last_event_at, terminate_cause = 'Lost-Stop'"
        " WHERE customer_id = %s",
        (who.customer_id,),
    )
    assert history.move_closed_sessions(context, at(600 + WINDOW + MONTH + 600)) == 0
    # The NAS is back after a week, and the session had gone on.
    week = 7 * 24 * HOUR
    world.charge(stop(who, at(week), week, 50, 70, sid=sid))
    assert world.totals(who) == [(week, 50, 70)]
    assert history.move_closed_sessions(context, at(week + WINDOW + week + 1)) == 1


@pytest.mark.rule("U11")
def test_the_month_of_an_old_beginning_is_made(
    world: MeterWorld, context: Context, admin: psycopg.Connection
) -> None:
    (who, _), (other, _) = one_session(world), one_session(world)
    began = at(-200 * 24 * HOUR)
    absurd = datetime(1907, 1, 1, tzinfo=T0.tzinfo)
    for whose, instant in ((who, began), (other, absurd)):
        world.db.execute(
            "UPDATE live_session SET started_at = %s WHERE customer_id = %s",
            (instant, whose.customer_id),
        )
    assert history.move_closed_sessions(context, at(WINDOW + 3 * HOUR)) == 2
    assert moved(world, who)[0].part == f"session_history_p{began:%Y%m}"
    assert moved(world, other)[0].part == "session_history_default"
    days = "SELECT count(*) FROM pg_class WHERE relname = %s"
    row = admin.execute(days, (f"acct_journal_p{began:%Y%m%d}",)).fetchone()
    assert row == (0,)


@pytest.mark.rule("U11")
def test_a_walk_passes_over_those_that_wait(world: MeterWorld, context: Context) -> None:
    many = [one_session(world, 2 * HOUR if number % 3 else 20 * HOUR) for number in range(9)]
    # All of them end at one instant, so that only their numbers tell them apart.
    world.db.execute("UPDATE live_session SET closed_at = %s", (at(HOUR),))
    soon = at(2 * HOUR + WINDOW + 2 * HOUR + 1)
    assert history.move_closed_sessions(context, soon, batch=2) == 6
    assert sum(len(world.sessions(who)) for who, _ in many) == 3
    assert history.move_closed_sessions(context, at(60 * HOUR + WINDOW), batch=2) == 3


@pytest.mark.rule("U11")
def test_nobody_waits_for_a_customer_that_is_held(
    world: MeterWorld, context: Context, settings: Settings
) -> None:
    (held, _), (free, _) = one_session(world), one_session(world)
    due = at(WINDOW + 3 * HOUR)
    with psycopg.connect(settings.dsn("worker")) as holder:
        holder.execute(
            "SELECT 1 FROM customer WHERE customer_id = %s FOR NO KEY UPDATE", (held.customer_id,)
        )
        assert history.move_closed_sessions(context, due) == 1
        assert len(world.sessions(held)) == 1 and not world.sessions(free)
    assert history.move_closed_sessions(context, due) == 1


@pytest.mark.rule("U11")
def test_an_end_in_the_middle_loses_nothing(world: MeterWorld, context: Context) -> None:
    whose = [one_session(world)[0] for _ in range(6)]
    due = at(WINDOW + 3 * HOUR)

    class Crash(Exception):
        pass

    with pytest.raises(Crash), context.transaction() as tx:
        assert store.move_closed(tx, due, store.Place(), 4).moved == 4
        raise Crash
    assert [len(world.sessions(who)) for who in whose] == [1] * 6
    asked = iter((True, True, False))
    assert history.move_closed_sessions(context, due, batch=2, go_on=lambda: next(asked)) == 4
    assert history.move_closed_sessions(context, due, batch=2) == 2
    assert [len(moved(world, who)) for who in whose] == [1] * 6


@pytest.mark.rule("U1", "U11")
def test_nothing_moves_while_what_was_heard_is_not_charged(
    world: MeterWorld, context: Context, settings: Settings
) -> None:
    one_session(world)
    due = at(WINDOW + 3 * HOUR)
    with psycopg.connect(settings.dsn("radius"), autocommit=True) as radius:
        radius.execute("SELECT hear_v1(%s)", (due - timedelta(minutes=2),))
        assert history.move_closed_sessions(context, due) == 0
        radius.execute("SELECT hear_v1(%s)", (due,))
        # The pause was a break; from a moment later on it is known to be over.
        assert history.move_closed_sessions(context, due + timedelta(seconds=1)) == 1


@pytest.mark.rule("U2", "U11")
def test_beside_the_meter_every_session_is_in_one_place(
    world: MeterWorld, context: Context
) -> None:
    """Movers and records of the same customers at once."""
    whose = [one_session(world) for _ in range(40)]
    due = at(WINDOW + 3 * HOUR)
    counts: list[int] = []

    def move() -> None:
        counts.append(history.move_closed_sessions(context, due, batch=7))

    movers = [threading.Thread(target=move) for _ in range(3)]
    for mover in movers:
        mover.start()
    for who, _ in whose:
        world.charge(start(who, due, sid=new_id()), now=due)
    for mover in movers:
        mover.join()
    counts.append(history.move_closed_sessions(context, due))
    assert sum(counts) == 40
    for who, sid in whose:
        assert [one.acct_session_id == sid for one in moved(world, who)] == [True]
        assert [one.acct_session_id == sid for one in world.sessions(who)] == [False]


@pytest.mark.rule("U11")
def test_the_worker_moves_and_drops(
    world: MeterWorld, context: Context, admin: psycopg.Connection
) -> None:
    who, _ = one_session(world)
    now = at(WINDOW + 3 * HOUR)
    old = ("acct_journal_p20260225", "login_attempt_p20260225")
    for name in old:
        parent = name.rpartition("_")[0]
        admin.execute(
            f"CREATE TABLE {name} PARTITION OF {parent}"
            " FOR VALUES FROM ('2026-02-25') TO ('2026-02-26')"
        )

    def there(name: str) -> bool:
        return admin.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone() == (True,)

    job.tick(
        context, Retention(journal_days=30, login_days=10, letter_days=30), threading.Event(), now
    )
    assert len(moved(world, who)) == 1
    assert [there(name) for name in old] == [True, False]
    job.tick(
        context, Retention(journal_days=7, login_days=7, letter_days=7), threading.Event(), now
    )
    assert not there(old[0])
    assert there("acct_journal_p20260311") is there("login_attempt_p20260311")


@pytest.mark.rule("U11")
def test_a_day_that_is_read_stays_for_now(
    context: Context, admin: psycopg.Connection, settings: Settings
) -> None:
    admin.execute(
        "CREATE TABLE acct_journal_p20260101 PARTITION OF acct_journal"
        " FOR VALUES FROM ('2026-01-01') TO ('2026-01-02')"
    )
    kept = Retention(journal_days=30, login_days=30, letter_days=30)
    with psycopg.connect(settings.dsn("worker")) as reader:
        reader.execute("SELECT count(*) FROM acct_journal")
        assert "acct_journal_p20260101" not in history.drop_old_days(context, T0, kept)
    assert "acct_journal_p20260101" in history.drop_old_days(context, T0, kept)


def test_young_days_cannot_be_dropped(context: Context) -> None:
    with (
        pytest.raises(Exception, match="are not dropped after 6 days"),
        context.transaction() as tx,
    ):
        store.drop_old_day(tx, T0, "acct_journal", 6)
    with pytest.raises(Exception, match="days of posting"), context.transaction() as tx:
        store.drop_old_day(tx, T0, "posting", 400)
