"""Each verb of the bench works from end to end, as small as can be; nothing is timed."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from . import (
    bills,
    command,
    cutoff,
    growth,
    packets,
    past,
    population,
    restore,
    soak,
    storm,
    workload,
)
from .cell import Part
from .exchange import Answer, Done, Exchange
from .ground import Ground, ground

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def place() -> Iterator[Ground]:
    with ground(Console(file=StringIO(), width=200)) as made:
        yield made


@pytest.fixture
def ended_as_before() -> Iterator[None]:
    """What the command does with SIGTERM is not for the process of the tests."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def said(place: Ground) -> str:
    stream = place.console.file
    assert isinstance(stream, StringIO)
    return stream.getvalue()


def test_growth_drives_both_installations(place: Ground) -> None:
    options = growth.Options(1_000, 5_000, 100, rounds=1, in_flight=8, threads=4)
    growth.check_room(place.state_dir, options, place)
    grown = growth.measure(options, place)
    assert not grown.faults()
    assert [grown.inexact(target) for target in (grown.small, grown.large)] == [0, 0]
    assert set(grown.ratios()) == set(packets.KINDS)
    grown.sent["large"][0] += workload.Usage(1, 0, 0)
    assert grown.inexact(grown.large) == 1
    with place.admin(grown.large.database) as db:
        rows = db.execute(
            "SELECT (SELECT count(*) FROM session_history) + (SELECT count(*) FROM live_session"
            " WHERE starts_with(acct_session_id, 'g') AND closed_at IS NOT NULL),"
            " (SELECT count(*) FROM session_history_default), (SELECT count(*) FROM pg_index i"
            " JOIN pg_inherits h ON h.inhrelid = i.indrelid"
            " WHERE h.inhparent = 'session_history'::regclass AND NOT i.indisvalid),"
            " (SELECT count(*) FROM daily_usage u WHERE NOT EXISTS (SELECT FROM subscription s"
            "  WHERE s.customer_id = u.customer_id AND s.subscription_id = u.subscription_id))"
        ).fetchall()
        indexes = {
            name
            for (name,) in db.execute(
                "SELECT indexname FROM pg_indexes WHERE tablename IN"
                " ('live_session', 'daily_usage', 'entitlement')"
            )
        }
    with place.admin(grown.small.database) as db:
        same = {
            name
            for (name,) in db.execute(
                "SELECT indexname FROM pg_indexes WHERE tablename IN"
                " ('live_session', 'daily_usage', 'entitlement')"
            )
        }
    assert rows == [(5_000, 0, 0, 0)]
    assert indexes == same
    assert "session_history" in said(place)


def test_growth_wants_room(place: Ground, tmp_path: Path) -> None:
    options = growth.Options(10**6, 10**12, 100, rounds=1)
    with pytest.raises(SystemExit, match="GiB are needed"):
        growth.check_room(tmp_path, options, place)


def test_a_year_is_without_gap_or_overlap() -> None:
    year = past.Past(1_000, 10_000, NOW, 1)
    months = past.months(year)
    assert [one.until for one in months[:-1]] == [one.since for one in months[1:]]
    numbers = [
        number
        for one in months
        for number in range(year.first_from(one.since), year.first_from(one.until))
    ]
    assert numbers[: year.sessions] == list(range(1, year.sessions + 1))
    last = year.began + year.sessions * year.step
    assert NOW - timedelta(hours=4) < last < NOW - timedelta(hours=2)


def test_a_part_may_be_spread() -> None:
    assert list(Part(3, 3, 0).users()) == [3, 4, 5]
    assert list(Part(10, 3, 0, 50).users()) == [10, 60, 110]


def test_soak_is_exact_and_takes_samples(place: Ground) -> None:
    options = soak.Options(60, 60, 8.0, 2.0, 1.0, threads=4)
    run = soak.Soak(place, options).run()
    assert run.faults() == 0
    assert len(run.samples) >= 6
    assert all(min(sample.rss_mib) > 0 for sample in run.samples)
    assert sum(run.population.expected().values(), workload.NOTHING) != workload.NOTHING
    soak.report(run, place)
    assert "exact for every subscriber" in said(place)


def test_soak_tells_growth_from_noise() -> None:
    assert soak.has_grown("worker", 100.0, 106.0)
    assert not soak.has_grown("worker", 100.0, 105.0)
    assert not soak.has_grown("auth p50", 0.5, 0.58)
    assert soak.has_grown("records p99", 5.0, 6.5)
    assert not soak.has_grown("records p99", 5.0, 1.0)


def test_soak_compares_the_thirds_after_warm_up(place: Ground) -> None:
    options = soak.Options(1, 1, 8.0, 2.0, 1.0)
    memory = (900.0, 500.0, 10.0, 10.0, 11.0, 12.0, 13.0, 13.0)
    samples = [soak.Sample(1, (1, 2), (3, 4), (mib, 1, 1, 1, 1)) for mib in memory]
    run = soak.Soak(place, options, samples)
    assert run.growth()["radiusd-auth"] == (10.0, 13.0)
    assert run.growth()["records p99"] == (4, 4)


def test_a_storm_brings_everybody_online_once(place: Ground) -> None:
    options = storm.Options(90, 3, 8, 60.0, threads=4)
    run, (one, several, none) = storm.measure(options, place)
    assert (one, several, none) == (90, 0, 0)
    assert len(run.online_at) == len(run.accepted_at) == 90
    assert "90 subscribers have one" in said(place)


def test_cutoff_measures_every_package_and_nobody_else(place: Ground) -> None:
    options = cutoff.Options(40, 40, 2, 5, threads=4)
    found = cutoff.measure(options, place)
    assert found.fine(), found
    assert found.unconfirmed == 0
    assert len(found.from_transaction) == len(found.from_answer) == options.packages
    assert min(found.from_transaction) > 0
    cutoff.report(options, found, place)
    assert "10 packages ran out" in said(place)


def test_restore_measures_every_customer_and_nobody_else(place: Ground) -> None:
    options = restore.Options(40, 40, 2, 4, threads=4)
    found = restore.measure(options, place)
    assert found.fine(), found
    assert [len(found.from_call[kind]) for kind in restore.KINDS] == [options.moved] * 2
    assert [len(found.from_commit[kind]) for kind in restore.KINDS] == [options.moved] * 2
    restore.report(options, found, place)
    assert "8 customers each" in said(place)


@pytest.mark.parametrize("prepaid", [False, True])
def test_the_bill_run_is_measured(place: Ground, prepaid: bool) -> None:
    assert bills.bench(place, 250, prepaid=prepaid)
    assert "0 findings" in said(place)


def test_cutoff_sees_who_was_not_cut() -> None:
    found = cutoff.Found([0.1], [0.1], 1, 0, 0, 0, 0, (1.0, 2.0))
    assert not found.fine()


def test_what_is_not_answered_is_resent_and_given_up() -> None:
    heard: list[Answer] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.settimeout(5)
        port = silent.getsockname()[1]
        exchange = Exchange(port, port, resend_seconds=(0.05, 0.05, 0.05))
        now = time.perf_counter()
        asked = exchange.ask(
            0,
            "start",
            lambda number: packets.request("start", number, 1, 1, 0, 0),
            heard.append,
            now,
        )
        assert asked
        while exchange.in_flight:
            exchange.work(time.perf_counter() + 0.05)
        copies = {silent.recv(4096) for _ in range(3)}
        exchange.close()
    assert len(copies) == 1
    assert [(answer.code, answer.tries) for answer in heard] == [(None, 3)]
    assert exchange.resends == 2


def test_who_got_no_answer_is_not_judged() -> None:
    """Logins are granted, Starts are lost, and one of three is heard at a second try."""
    asked: list[tuple[str, Done]] = []

    class Mute(Exchange):
        def ask(
            self, source: int, kind: packets.Kind, encode: object, done: Done, due: float
        ) -> bool:
            asked.append((kind, done))
            return True

    def answer(*codes: int | None) -> None:
        for _ in codes:
            people.call(0.0)
        for (_, done), code in zip(asked, codes, strict=True):
            done(Answer(code, 0.0, 1))
        asked.clear()

    with closing(Mute(1, 1)) as mute:
        people = population.Population(mute, 3, lambda _kind, _answer: None)
        people._step[:] = [-1, -1, -1]
        answer(*[packets.ACCESS_ACCEPT] * 3)
        assert len(people.expected()) == 3
        answer(None, None, None)
        assert people.expected() == {}
        answer(packets.ACCOUNTING_RESPONSE)
    assert (people.given_up, people.wrong) == (3, 0)
    assert list(people.expected().values()) == [workload.NOTHING]


@pytest.mark.usefixtures("ended_as_before")
@pytest.mark.parametrize("verb", ["growth", "soak", "storm", "cutoff", "restore", "bills"])
def test_each_verb_has_help(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench", verb, "--help"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 0
    assert "--quick" in capsys.readouterr().out
